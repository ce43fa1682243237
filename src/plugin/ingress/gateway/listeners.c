/* Reconciled with the system namespace for a key: it runs once it exists, and again when one of the
 * objects differs. */
#include "plugin/ingress/gateway/listeners.h"

#include <string.h>

#include "contract/names.h"

#define HTTP_PORT 80

struct gateway_listeners {
    char *local_ip, *public_ip;
    int public_port, activator_port;
};

struct wanted {
    const char *name, *type, *port_name;
    bool headless;
    int target_port, node_port; /* node_port 0: none */
    const char *ip;             /* NULL: no Endpoints */
    const char *balancer_ip;    /* NULL: none in the status */
};

/* ---- which ---- */

static bool is_loopback(const char *ip)
{
    return strncmp(ip, "127.", 4) == 0 || streq(ip, "::1");
}

static struct wanted public_listener(const struct gateway_listeners *l)
{
    bool one = *l->public_ip != '\0', balancer = one && l->public_port == HTTP_PORT;

    return (struct wanted){
        .name = LISTENER_PUBLIC,
        .type = balancer ? "LoadBalancer" : "NodePort",
        .port_name = "http2",
        .target_port = l->public_port,
        .node_port = l->public_port,
        /* Pods reach a listener on every address at the one that is theirs. */
        .ip = !one                        ? l->local_ip
              : is_loopback(l->public_ip) ? NULL
                                          : l->public_ip,
        .balancer_ip = balancer ? l->public_ip : NULL,
    };
}

static size_t wanted_listeners(const struct gateway_listeners *l, struct wanted ret[static 3])
{
    size_t n = 0;

    ret[n++] = (struct wanted){.name = LISTENER_LOCAL,
                               .type = "ClusterIP",
                               .port_name = "http2",
                               .headless = true,
                               .target_port = HTTP_PORT,
                               .ip = l->local_ip};
    if (l->public_port)
        ret[n++] = public_listener(l);
    if (l->activator_port)
        ret[n++] = (struct wanted){.name = LISTENER_ACTIVATOR,
                                   .type = "ClusterIP",
                                   .port_name = "http",
                                   .target_port = l->activator_port,
                                   .ip = l->local_ip};
    return n;
}

/* ---- the objects ---- */

static yyjson_mut_val *add_port(yyjson_mut_doc *d, yyjson_mut_val *ports, const char *name,
                                int number)
{
    yyjson_mut_val *port = jm_add_obj(d, ports);

    jm_set_str(d, port, name, "name");
    jm_set_int(d, port, number, "port");
    jm_set_str(d, port, "TCP", "protocol");
    return port;
}

static struct kmut *service(const struct wanted *w)
{
    struct kmut *m = kmut_new(&KR_SERVICE, SYSTEM_NAMESPACE, w->name);

    jm_set_str(KM(m), w->type, "spec", "type");
    if (w->headless)
        jm_set_str(KM(m), "None", "spec", "clusterIP");
    yyjson_mut_val *port = add_port(m->d, jm_arr(KM(m), "spec", "ports"), w->port_name, HTTP_PORT);
    jm_set_int(m->d, port, w->target_port, "targetPort");
    if (w->node_port)
        jm_set_int(m->d, port, w->node_port, "nodePort");
    return m;
}

static struct kmut *endpoints(const struct wanted *w)
{
    struct kmut *m = kmut_new(&KR_ENDPOINTS, SYSTEM_NAMESPACE, w->name);
    yyjson_mut_val *subset = jm_add_obj(m->d, jm_arr(KM(m), "subsets"));

    jm_set_str(m->d, jm_add_obj(m->d, jm_arr(m->d, subset, "addresses")), w->ip, "ip");
    add_port(m->d, jm_arr(m->d, subset, "ports"), w->port_name, w->target_port);
    return m;
}

static void plan_balancer(struct plan *p, const struct kobj *live, const char *ip)
{
    yyjson_val *list = jget(kobj_root(live), "status", "loadBalancer", "ingress");

    if (!live || !ip || streq(jget_str(yyjson_arr_get_first(list), "ip"), ip))
        return;
    struct kmut *m = kmut_from(live);
    jm_del(m->root, "status", "loadBalancer", "ingress");
    jm_set_str(m->d, jm_add_obj(m->d, jm_arr(KM(m), "status", "loadBalancer", "ingress")), ip,
               "ip");
    plan_update_status(p, &KR_SERVICE, m);
}

static void plan_listener(const struct reconcile_ctx *rc, struct plan *p, const struct wanted *w)
{
    const struct kobj *live =
        cache_get(manager_cache(rc->m, &KR_SERVICE), SYSTEM_NAMESPACE, w->name);
    const struct kobj *ep =
        cache_get(manager_cache(rc->m, &KR_ENDPOINTS), SYSTEM_NAMESPACE, w->name);

    bool headless = streq(jget_str(kobj_root(live), "spec", "clusterIP"), "None");

    if (live && headless != w->headless) { /* cannot be changed: made anew in the next run */
        plan_delete(p, &KR_SERVICE, SYSTEM_NAMESPACE, w->name, kobj_uid(live));
        return;
    }
    plan_apply_child(p, &KR_SERVICE, NULL, live, service(w));
    if (w->ip)
        plan_apply_child(p, &KR_ENDPOINTS, NULL, ep, endpoints(w));
    else if (ep)
        plan_delete(p, &KR_ENDPOINTS, SYSTEM_NAMESPACE, w->name, kobj_uid(ep));
    plan_balancer(p, live, w->balancer_ip);
}

void gateway_listeners_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    const struct gateway_listeners *l = ctx;
    struct wanted w[3];

    if (!rc->obj || kobj_deleting(rc->obj) || !streq(rc->name, SYSTEM_NAMESPACE))
        return;
    size_t n = wanted_listeners(l, w);
    for (size_t i = 0; i < n; i++)
        plan_listener(rc, p, &w[i]);
}

/* ---- life ---- */

static void of_listener(void *ctx, const struct kobj *o,
                        void (*emit)(void *to, const char *ns, const char *name), void *to)
{
    const char *name = kobj_name(o);

    if (streq(kobj_namespace(o), SYSTEM_NAMESPACE) &&
        (streq(name, LISTENER_PUBLIC) || streq(name, LISTENER_LOCAL) ||
         streq(name, LISTENER_ACTIVATOR)))
        emit(to, "", SYSTEM_NAMESPACE);
}

struct gateway_listeners *gateway_listeners_new(struct manager *m,
                                                const struct listener_addresses *a)
{
    struct gateway_listeners *l = xnew(struct gateway_listeners);

    l->local_ip = xstrdup(a->local_ip);
    l->public_ip = xstrdup(a->public_ip ? a->public_ip : "");
    l->public_port = a->public_port;
    l->activator_port = a->activator_port;
    struct controller *c =
        controller_new(m, &(struct controller_opts){.name = "gateway-listeners",
                                                    .res = &KR_NAMESPACE,
                                                    .reconcile = gateway_listeners_reconcile,
                                                    .ctx = l});
    controller_watch_mapped(c, &KR_SERVICE, of_listener, l);
    controller_watch_mapped(c, &KR_ENDPOINTS, of_listener, l);
    return l;
}

void gateway_listeners_free(struct gateway_listeners *l)
{
    if (!l)
        return;
    free(l->local_ip);
    free(l->public_ip);
    free(l);
}
