/* ServiceAccounts. */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

SHARED_TYPE(kt_service_account, "ServiceAccount", OBJ(1, "metadata", kt_object_meta),
            OBJS(2, "secrets", kt_object_reference, .key = "name"),
            OBJS(3, "imagePullSecrets", kt_local_object_reference),
            BOOL_P(4, "automountServiceAccountToken"));

static void account_secrets(struct buf *out, const yyjson_val *o, int64_t now)
{
    buf_addf(out, "%zu", yyjson_arr_size(jget(o, "secrets")));
}

static const struct api_column columns_serviceaccount[] = {
    {"Secrets", "integer", "", "Number of secrets.", 0, account_secrets, NULL},
    COLUMN_AGE,
    COLUMN_END};

const struct builtin builtin_serviceaccount = {.type = &kt_service_account,
                                               .columns = columns_serviceaccount};
