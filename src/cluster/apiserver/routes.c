/* One row for each thing that can be asked of objects. */
#include "cluster/apiserver/routes.h"

static const struct route routes[] = {
    {false, "", "GET", "list", verb_list},
    {false, "", "POST", "create", verb_create},
    {false, "", "DELETE", "deletecollection", verb_delete_collection},
    {true, "", "GET", "get", verb_get},
    {true, "", "PUT", "update", verb_update},
    {true, "", "PATCH", "patch", verb_patch},
    {true, "", "DELETE", "delete", verb_delete},
    {true, "status", "GET", "get", verb_get},
    {true, "status", "PUT", "update", verb_update},
    {true, "status", "PATCH", "patch", verb_patch},
    {true, "finalize", "GET", "get", verb_get},
    {true, "finalize", "PUT", "update", verb_update},
    {true, "finalize", "PATCH", "patch", verb_patch},
    {true, "scale", "GET", "get", verb_scale},
    {true, "scale", "PUT", "update", verb_scale},
    {true, "scale", "PATCH", "patch", verb_scale},
    {true, "log", "GET", "get", verb_log, true},
    {true, "exec", "GET", "get", verb_exec, true},
    {true, "exec", "POST", "create", verb_exec, true},
    {true, "attach", "GET", "get", verb_attach, true},
    {true, "attach", "POST", "create", verb_attach, true},
    {true, "portforward", "GET", "get", verb_port_forward, true},
    {true, "portforward", "POST", "create", verb_port_forward, true},
};
static const struct route watch_route = {false, "", "GET", "watch", verb_watch};

const struct route *route_find(const struct api_path *p, struct str method, bool watch)
{
    if (watch && !p->sub[0] && str_eq(method, STR("GET")))
        return &watch_route;
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (routes[i].named == (p->name[0] != '\0') && streq(routes[i].sub, p->sub) &&
            str_eq(method, str_of(routes[i].method)))
            return &routes[i];
    return NULL;
}

bool route_has_sub(const struct api_kind *k, const char *sub)
{
    static const char *const of_pods[] = {"log", "exec", "attach", "portforward"};

    for (size_t i = 0; i < ARRAY_LEN(of_pods); i++)
        if (streq(sub, of_pods[i]))
            return kube_resource_eq(&k->res, &KR_POD);
    return (streq(sub, "status") && k->has_status) || (streq(sub, "scale") && k->has_scale) ||
           (streq(sub, "finalize") && kube_resource_eq(&k->res, &KR_NAMESPACE));
}
