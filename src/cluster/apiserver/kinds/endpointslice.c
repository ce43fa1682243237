/* EndpointSlices. */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.discovery.v1"

TYPE(endpoint_conditions, "EndpointConditions", BOOL_P(1, "ready"), BOOL_P(2, "serving"),
     BOOL_P(3, "terminating"));
TYPE(for_zone, "ForZone", STR(1, "name"));
TYPE(for_node, "ForNode", STR(1, "name"));
TYPE(endpoint_hints, "EndpointHints", OBJS(1, "forZones", for_zone), OBJS(2, "forNodes", for_node));
TYPE(endpoint, "Endpoint", STRS(1, "addresses"), OBJ(2, "conditions", endpoint_conditions),
     STR_P(3, "hostname"), OBJ_P(4, "targetRef", kt_object_reference),
     STR_MAP(5, "deprecatedTopology"), STR_P(6, "nodeName"), STR_P(7, "zone"),
     OBJ_P(8, "hints", endpoint_hints));
TYPE(endpoint_port, "EndpointPort", STR_P(1, "name", .def = ""),
     STR_P(2, "protocol", .words = WORDS("SCTP", "TCP", "UDP"), .def = "TCP"), INT32_P(3, "port"),
     STR_P(4, "appProtocol"));
SHARED_TYPE(kt_endpoint_slice, "EndpointSlice", OBJ(1, "metadata", kt_object_meta),
            STR(4, "addressType", .words = WORDS("FQDN", "IPv4", "IPv6"), .required = true),
            OBJS(2, "endpoints", endpoint), OBJS(3, "ports", endpoint_port));

static void slice_validate(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    const char *type = jm_get_str(o->root, "addressType");

    if (old && type && !streq(type, jget_str(old, "addressType")))
        field_invalid_str(errs, "addressType", type, "field is immutable");
}

static void slice_type(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_str(out, jget_str(o, "addressType"));
}

static void slice_ports(struct buf *out, const yyjson_val *o, int64_t now)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    yyjson_val *p;
    size_t i, n;

    yyjson_arr_foreach(jget(o, "ports"), i, n, p)
        buf_addf(&b, "%s%lld", i ? "," : "", (long long)jget_int(p, 0, "port"));
    cell_or(out, buf_z(&b), "<unset>");
}

static void slice_endpoints(struct buf *out, const yyjson_val *o, int64_t now)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    yyjson_val *ep, *a;
    size_t i, n, j, m;

    yyjson_arr_foreach(jget(o, "endpoints"), i, n, ep)
    {
        yyjson_arr_foreach(jget(ep, "addresses"), j, m, a)
            buf_addf(&b, "%s%s", b.n ? "," : "", yyjson_get_str(a));
    }
    cell_or(out, buf_z(&b), "<unset>");
}

static const struct api_column columns_endpointslice[] = {
    {"AddressType", "string", "", "Family of the addresses.", 0, slice_type, NULL},
    {"Ports", "string", "", "Ports of the endpoints.", 0, slice_ports, NULL},
    {"Endpoints", "string", "", "Addresses.", 0, slice_endpoints, NULL},
    COLUMN_AGE,
    COLUMN_END};

const struct builtin builtin_endpointslice = {
    .type = &kt_endpoint_slice, .validate = slice_validate, .columns = columns_endpointslice};
