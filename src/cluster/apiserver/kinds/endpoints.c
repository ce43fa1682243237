/* Endpoints. */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

TYPE(endpoint_address, "EndpointAddress", STR(1, "ip", .required = true), STR(3, "hostname"),
     STR_P(4, "nodeName"), OBJ_P(2, "targetRef", kt_object_reference));
TYPE(endpoint_port, "EndpointPort", STR(1, "name"), INT32(2, "port", .required = true),
     STR(3, "protocol", .words = WORDS("SCTP", "TCP", "UDP"), .def = "TCP"),
     STR_P(4, "appProtocol"));
TYPE(endpoint_subset, "EndpointSubset", OBJS(1, "addresses", endpoint_address),
     OBJS(2, "notReadyAddresses", endpoint_address), OBJS(3, "ports", endpoint_port));
SHARED_TYPE(kt_endpoints, "Endpoints", OBJ(1, "metadata", kt_object_meta),
            OBJS(2, "subsets", endpoint_subset));

static void endpoints_validate(const struct kmut *o, const yyjson_val *old,
                               struct field_errors *errs)
{
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;
    yyjson_mut_val *subsets = yyjson_mut_obj_get(o->root, "subsets");
    size_t i = 0;

    path_key(&path, "subsets");
    TREE_EACH(s, subsets)
    {
        yyjson_mut_val *ports = jm_get(s, "ports");
        size_t mark = path_index(&path, i++), at = path_key(&path, "ports"), n = 0;

        TREE_EACH(p, ports)
        {
            size_t item = path_index(&path, n++);

            port_number_validate(p, &path, "port", errs);
            path_pop(&path, item);
        }
        path_pop(&path, at);
        path_pop(&path, mark);
    }
}

static void endpoints_cell(struct buf *out, const yyjson_val *o, int64_t now)
{
    _cleanup_buf_ struct buf b = BUF_INIT(64 * 1024);
    yyjson_val *s, *a, *p;
    size_t i, n, j, m, k, l, shown = 0, total = 0;

    yyjson_arr_foreach(jget(o, "subsets"), i, n, s)
    {
        yyjson_arr_foreach(jget(s, "addresses"), j, m, a)
        {
            yyjson_arr_foreach(jget(s, "ports"), k, l, p)
            {
                if (total++ >= 3)
                    continue;
                buf_addf(&b, "%s%s:%lld", shown++ ? "," : "", jget_str(a, "ip"),
                         (long long)jget_int(p, 0, "port"));
            }
        }
    }
    if (total > 3)
        buf_addf(&b, " + %zu more...", total - 3);
    cell_or(out, buf_z(&b), "<none>");
}

static const struct api_column columns_endpoints[] = {
    {"Endpoints", "string", "", "Addresses and ports.", 0, endpoints_cell, NULL},
    COLUMN_AGE,
    COLUMN_END};

const struct builtin builtin_endpoints = {
    .type = &kt_endpoints, .validate = endpoints_validate, .columns = columns_endpoints};
