/*
 * A Service's port names a port of its slices; that one's number is where the endpoints listen.
 * What the data plane was told last is kept as text, so that slices which change in other respects
 * (most changes of slices are) cost it nothing.
 */
#include "plugin/ingress/gateway/services.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "kube/slices.h"

#define LONGEST_LIST (1024 * 1024) /* of endpoints, as text */

struct services {
    struct manager *m;
    struct dataplane *dp;
    struct map *told; /* "NAMESPACE/NAME:PORT" -> endpoints as text */
};

struct services *services_new(struct manager *m, struct dataplane *dp)
{
    struct services *s = xnew(struct services);

    s->m = m;
    s->dp = dp;
    s->told = map_new(free);
    return s;
}

void services_free(struct services *s)
{
    if (!s)
        return;
    map_free(s->told);
    free(s);
}

static bool owns(void *self, const struct kobj *service)
{
    return !streq(jget_str(kobj_root(service), "spec", "type"), "ExternalName");
}

typedef VEC(struct dp_endpoint) endpoint_vec;

static int collect(void *ctx, const struct slice_endpoint *ep)
{
    if (ep->ready && ep->port > 0)
        vec_push((endpoint_vec *)ctx, ((struct dp_endpoint){ep->ip, ep->port, ep->target}));
    return 0;
}

static int by_address(const void *a, const void *b)
{
    const struct dp_endpoint *x = a, *y = b;
    int r = strcmp(x->ip, y->ip);

    return r ? r : x->port - y->port;
}

/* Several slices may tell the same address while an endpoint moves between them. */
static void sort_unique(endpoint_vec *v)
{
    size_t n = 0;

    if (v->n)
        qsort(v->p, v->n, sizeof(*v->p), by_address);
    for (size_t i = 0; i < v->n; i++) {
        if (n == 0 || by_address(&v->p[n - 1], &v->p[i]) != 0)
            v->p[n++] = v->p[i];
    }
    v->n = n;
}

static char *as_text(const endpoint_vec *v)
{
    struct buf b = BUF_INIT(LONGEST_LIST);

    buf_z(&b);
    for (size_t i = 0; i < v->n; i++)
        buf_addf(&b, "%s %d %s\n", v->p[i].ip, v->p[i].port, v->p[i].pod);
    buf_z(&b);
    return buf_steal(&b, NULL);
}

static char *told_key(const char *ns, const char *service, int port)
{
    return xasprintf("%s/%s:%d", ns, service, port);
}

static void tell(struct services *s, const struct kobj *service, int port, const endpoint_vec *v)
{
    _cleanup_free_ char *key = told_key(kobj_namespace(service), kobj_name(service), port);
    _cleanup_free_ char *text = as_text(v);
    const char *before = map_get(s->told, key);
    struct dp_backend set = {.ns = kobj_namespace(service),
                             .service = kobj_name(service),
                             .port = port,
                             .endpoints = v->p,
                             .n_endpoints = v->n};

    if (before && streq(before, text))
        return;
    map_set(s->told, key, steal(&text));
    dp_set_backend(s->dp, &set, manager_loop(s->m), NULL, NULL);
}

static enum backend_state resolve(void *self, const struct kobj *service, yyjson_val *port,
                                  struct backend_key *ret)
{
    struct services *s = self;
    const char *name = jget_str(port, "name");
    int number = (int)jget_int(port, 0, "port");
    endpoint_vec v = {0};

    slices_each(manager_cache(s->m, &KR_ENDPOINTSLICE), kobj_namespace(service), kobj_name(service),
                name ? name : "", collect, &v);
    sort_unique(&v);
    tell(s, service, number, &v);
    *ret = (struct backend_key){kobj_name(service), number};
    enum backend_state state = v.n ? BACKEND_SERVED : BACKEND_EMPTY;
    vec_done(&v);
    return state;
}

static void let_go(void *self, const char *ns, const struct backend_key *key)
{
    struct services *s = self;
    _cleanup_free_ char *text = told_key(ns, key->service, key->port);

    if (map_del(s->told, text))
        dp_remove_backend(s->dp, ns, key->service, key->port);
}

const struct endpoint_source service_source = {
    .name = "service", .owns = owns, .resolve = resolve, .let_go = let_go};
