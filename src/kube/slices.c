/* Slices of FQDN addresses are passed over: nobody here can send to a name. */
#include "kube/slices.h"

static void index_service(const struct kobj *o, void (*emit)(void *to, const char *key), void *to)
{
    const char *service = kobj_label(o, L_SLICE_SERVICE);

    if (!service || !*service)
        return;
    _cleanup_free_ char *key = kube_key(kobj_namespace(o), service);
    emit(to, key);
}

void slices_add_index(struct cache *slices)
{
    cache_add_index(slices, SLICES_BY_SERVICE, index_service);
}

void slices_of_service(const struct cache *slices, const char *ns, const char *service,
                       kobj_vec *out)
{
    _cleanup_free_ char *key = kube_key(ns, service);

    cache_list_by(slices, SLICES_BY_SERVICE, key, out);
}

struct walk {
    const char *port_name;
    int (*fn)(void *ctx, const struct slice_endpoint *ep);
    void *ctx;
};

/* The number of the port with this name; -1 when there is none. */
static int port_of(const struct kobj *slice, const char *name)
{
    yyjson_val *port;
    size_t i, max;

    if (!name)
        return 0;
    yyjson_arr_foreach(jget(kobj_root(slice), "ports"), i, max, port)
    {
        const char *its = jget_str(port, "name");
        int64_t number = jget_int(port, 0, "port");
        if (streq(its ? its : "", name) && number >= 0 && number <= 65535)
            return (int)number;
    }
    return -1;
}

static int each_address(const struct walk *w, yyjson_val *endpoint, int port)
{
    yyjson_val *conditions = jget(endpoint, "conditions"), *address;
    bool ready = jget_bool(conditions, true, "ready");
    const char *target = jget_str(endpoint, "targetRef", "name");
    size_t i, max;

    yyjson_arr_foreach(jget(endpoint, "addresses"), i, max, address)
    {
        struct slice_endpoint ep = {
            .ip = yyjson_get_str(address),
            .port = port,
            .hostname = jget_str(endpoint, "hostname"),
            .target = target ? target : "",
            .ready = ready,
            .serving = jget_bool(conditions, ready, "serving"),
            .terminating = jget_bool(conditions, false, "terminating"),
        };
        int r = ep.ip ? w->fn(w->ctx, &ep) : 0;
        if (r)
            return r;
    }
    return 0;
}

static int each_endpoint(void *ctx, const struct kobj *slice)
{
    const struct walk *w = ctx;
    int port = port_of(slice, w->port_name), r = 0;
    yyjson_val *endpoint;
    size_t i, max;

    if (port < 0 || streq(jget_str(kobj_root(slice), "addressType"), "FQDN"))
        return 0;
    yyjson_arr_foreach(jget(kobj_root(slice), "endpoints"), i, max, endpoint)
    {
        r = each_address(w, endpoint, port);
        if (r)
            break;
    }
    return r;
}

int slices_each(const struct cache *slices, const char *ns, const char *service,
                const char *port_name, int (*fn)(void *ctx, const struct slice_endpoint *ep),
                void *ctx)
{
    struct walk w = {port_name, fn, ctx};
    _cleanup_free_ char *key = kube_key(ns, service);

    return cache_each_by(slices, SLICES_BY_SERVICE, key, each_endpoint, &w);
}
