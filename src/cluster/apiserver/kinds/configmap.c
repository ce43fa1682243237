/* ConfigMaps. */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/data.h"
#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

SHARED_TYPE(kt_config_map, "ConfigMap", OBJ(1, "metadata", kt_object_meta), BOOL_P(4, "immutable"),
            STR_MAP(2, "data"), BYTES_MAP(3, "binaryData"));

static void configmap_validate(const struct kmut *o, const yyjson_val *old,
                               struct field_errors *errs)
{
    data_validate(o, "data", errs);
    data_validate(o, "binaryData", errs);
    data_check_size(o, errs);
    data_keep_immutable(o, old, errs);
}

static const struct api_column columns_configmap[] = {
    {"Data", "integer", "", "Number of keys.", 0, data_count, NULL}, COLUMN_AGE, COLUMN_END};

const struct builtin builtin_configmap = {
    .type = &kt_config_map, .validate = configmap_validate, .columns = columns_configmap};
