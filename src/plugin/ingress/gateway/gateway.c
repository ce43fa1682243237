/*
 * An Ingress is given to the data plane when the hash of its spec is not the one given last; its
 * status is written once the data plane says that every worker serves that very hash. Until then
 * nothing is written: readers ignore a status of an older generation, so an interim one would only
 * cost a write. An acknowledgement that takes long is told.
 *
 * What was given lives in memory only, like the data plane's own tables: both start empty together.
 */
#include "plugin/ingress/gateway/gateway.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "contract/names.h"
#include "kube/conditions.h"
#include "plugin/ingress/gateway/backends.h"
#include "plugin/ingress/gateway/hosts.h"
#include "plugin/ingress/gateway/ingress_hash.h"
#include "plugin/ingress/gateway/translate.h"

#define PROGRAMMED "NetworkConfigured"
#define BALANCED   "LoadBalancerReady"
#define PATIENCE   NS_PER_SEC

static const char *const dependents[] = {PROGRAMMED, BALANCED, NULL};
static const struct condition_set conditions = {.top = "Ready", .dependents = dependents};

struct given { /* to the data plane, per Ingress */
    char hash[INGRESS_HASH_LEN + 1];
    bool applied;
    int64_t since_ns; /* monotonic */
};

struct gateway {
    struct manager *m;
    struct dataplane *dp;
    struct controller *controller;
    char *local_ip, *domain_internal;
    struct map *given;
    struct host_table *hosts;
    struct backends *backends;
    struct list acks; /* outstanding */
    bool conflicted;  /* some Ingress waits for a host of another */
};

/* One expected acknowledgement; outlives the gateway if it must. */
struct ack {
    struct list node;
    struct gateway *g; /* NULL: nobody waits any more */
    char *key;
    char hash[INGRESS_HASH_LEN + 1];
};

static void enqueue(struct gateway *g, const char *key)
{
    char ns[254];
    const char *name;

    kube_key_split(key, ns, &name);
    controller_enqueue(g->controller, ns, name);
}

static void on_applied(void *ctx)
{
    struct ack *a = ctx;

    if (a->g) {
        struct given *given = map_get(a->g->given, a->key);
        list_del(&a->node);
        if (given && streq(given->hash, a->hash) && !given->applied) {
            given->applied = true;
            enqueue(a->g, a->key);
        }
    }
    free(a->key);
    free(a);
}

static struct ack *expect(struct gateway *g, const char *key, const char *hash)
{
    struct ack *a = xnew(struct ack);

    a->g = g;
    a->key = xstrdup(key);
    memcpy(a->hash, hash, sizeof(a->hash));
    list_push_back(&g->acks, &a->node);
    return a;
}

/* ---- giving ---- */
/* A host may have become free: who waits for one tries again. */
static void retry_conflicts(struct gateway *g)
{
    if (g->conflicted)
        controller_enqueue_all(g->controller);
    g->conflicted = false;
}

static int claim(struct gateway *g, const struct dp_ingress *in, const char **reason, struct err *e)
{
    int r = host_table_claim(g->hosts, in, e);

    if (r < 0) {
        *reason = "DomainConflict";
        g->conflicted = true;
    } else {
        retry_conflicts(g);
    }
    return r;
}

static struct given *give(struct gateway *g, const struct reconcile_ctx *rc,
                          const struct dp_ingress *in)
{
    struct given *given = xnew(struct given);

    memcpy(given->hash, in->hash, sizeof(given->hash));
    given->since_ns = rc->mono_ns;
    map_set(g->given, rc->key, given);
    dp_set_ingress(g->dp, in, manager_loop(g->m), on_applied, expect(g, rc->key, in->hash));
    return given;
}

/* The record of what the data plane was told of this object; tells it first if that is out of date.
 * NULL on error. */
static struct given *program(struct gateway *g, const struct reconcile_ctx *rc, const char **reason,
                             struct err *e)
{
    struct given *given = map_get(g->given, rc->key);
    char hash[INGRESS_HASH_LEN + 1];
    struct dp_ingress in;

    *reason = "ReconcileIngressFailed";
    if (ingress_hash(rc->obj, hash, e) < 0)
        return NULL;
    if (given && streq(given->hash, hash))
        return given;
    struct arena a;
    arena_init(&a);
    int r = ingress_translate(rc->obj, rc->key, hash, &a, &in, e);
    if (r == 0)
        r = claim(g, &in, reason, e);
    given = r < 0 ? NULL : give(g, rc, &in);
    arena_done(&a);
    return given;
}

/* ---- the Service that gives the listener its name ---- */
static void add_port(yyjson_mut_doc *d, yyjson_mut_val *ports)
{
    yyjson_mut_val *port = jm_add_obj(d, ports);

    jm_set_str(d, port, "http2", "name");
    jm_set_int(d, port, 80, "port");
    jm_set_str(d, port, "TCP", "protocol");
}

static struct kmut *service(void)
{
    struct kmut *m = kmut_new(&KR_SERVICE, SYSTEM_NAMESPACE, GATEWAY_SERVICE);

    jm_set_str(KM(m), "ClusterIP", "spec", "type");
    jm_set_str(KM(m), "None", "spec", "clusterIP");
    add_port(m->d, jm_arr(KM(m), "spec", "ports"));
    return m;
}

static void set_subsets(struct kmut *m, const char *ip)
{
    jm_del(m->root, "subsets");
    yyjson_mut_val *subset = jm_add_obj(m->d, jm_arr(KM(m), "subsets"));
    jm_set_str(m->d, jm_add_obj(m->d, jm_arr(m->d, subset, "addresses")), ip, "ip");
    add_port(m->d, jm_arr(m->d, subset, "ports"));
}

static const char *first_ip(const struct kobj *endpoints)
{
    yyjson_val *subset = yyjson_arr_get_first(jget(kobj_root(endpoints), "subsets"));

    return jget_str(yyjson_arr_get_first(jget(subset, "addresses")), "ip");
}

static void plan_name(struct gateway *g, struct plan *p)
{
    const struct cache *endpoints = manager_cache(g->m, &KR_ENDPOINTS);
    const struct kobj *ep = cache_get(endpoints, SYSTEM_NAMESPACE, GATEWAY_SERVICE);

    if (!cache_get(manager_cache(g->m, &KR_SERVICE), SYSTEM_NAMESPACE, GATEWAY_SERVICE))
        plan_create_or_keep(p, &KR_SERVICE, service());
    if (ep && streq(first_ip(ep), g->local_ip))
        return;
    struct kmut *m =
        ep ? kmut_from(ep) : kmut_new(&KR_ENDPOINTS, SYSTEM_NAMESPACE, GATEWAY_SERVICE);
    set_subsets(m, g->local_ip);
    if (ep)
        plan_update(p, &KR_ENDPOINTS, m);
    else
        plan_create_or_keep(p, &KR_ENDPOINTS, m);
}

/* ---- status ---- */
static void set_balancer(struct gateway *g, struct cond *c, const char *list)
{
    jm_del(c->obj->root, "status", list);
    yyjson_mut_val *entry = jm_add_obj(c->obj->d, jm_arr(KM(c->obj), "status", list, "ingress"));
    jm_set_str(c->obj->d, entry, g->local_ip, "ip");
    jm_set_str(c->obj->d, entry, g->domain_internal, "domainInternal");
}

static void mark_served(struct gateway *g, struct cond *c)
{
    cs_true(c, PROGRAMMED);
    cs_true(c, BALANCED);
    set_balancer(g, c, "publicLoadBalancer");
    set_balancer(g, c, "privateLoadBalancer");
}

static void mark_slow(struct cond *c)
{
    cs_true(c, PROGRAMMED);
    cs_unknown(c, BALANCED, "Uninitialized",
               "Waiting for the data plane to serve this generation on every worker.");
}

static void mark_refused(struct cond *c, const char *reason, const struct err *why)
{
    if (streq(reason, "DomainConflict"))
        cs_false(c, BALANCED, reason, "%s", why->msg);
    else
        cs_unknown(c, PROGRAMMED, reason, "%s", why->msg);
}

void gateway_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct gateway *g = ctx;
    const char *reason;
    struct err e = {0};
    struct cond c;

    if (!rc->obj || kobj_deleting(rc->obj))
        return;
    const struct given *given = program(g, rc, &reason, &e);
    if (given && !given->applied && rc->mono_ns - given->since_ns < PATIENCE) {
        plan_requeue_after(p, PATIENCE);
        return;
    }
    cs_begin(&c, &conditions, rc->obj, rc->now_ns);
    if (!given)
        mark_refused(&c, reason, &e);
    else if (given->applied)
        mark_served(g, &c);
    else
        mark_slow(&c);
    if (given)
        plan_name(g, p);
    cs_end(&c, p, &KR_INGRESS);
}

/* ---- leaving ---- */
static bool ours(const struct kobj *o)
{
    return o && !kobj_deleting(o) && streq(kobj_annotation(o, A_INGRESS_CLASS), CLASS_GATEWAY);
}

void gateway_on_ingress(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct gateway *g = ctx;

    if (!ours(before) || ours(after))
        return;
    _cleanup_free_ char *key = kobj_key(before);
    if (map_del(g->given, key))
        dp_remove_ingress(g->dp, key, manager_loop(g->m), NULL, NULL);
    if (host_table_release(g->hosts, key))
        retry_conflicts(g);
}

/* ---- life ---- */
struct gateway *gateway_new(const struct gateway_opts *o)
{
    struct gateway *g = xnew(struct gateway);
    struct controller_opts co = {
        .name = "gateway",
        .res = &KR_INGRESS,
        .reconcile = gateway_reconcile,
        .ctx = g,
        .class_annotation = A_INGRESS_CLASS,
        .class_value = CLASS_GATEWAY,
    };

    g->m = o->manager;
    g->dp = o->dataplane;
    g->local_ip = xstrdup(o->local_ip);
    g->domain_internal = xasprintf("%s.%s.svc.%s", GATEWAY_SERVICE, SYSTEM_NAMESPACE,
                                   o->cluster_domain ? o->cluster_domain : "cluster.local");
    g->given = map_new(free);
    g->hosts = host_table_new();
    g->backends = backends_new(manager_loop(g->m), g->dp);
    list_init(&g->acks);
    manager_cache(g->m, &KR_SERVICE);
    manager_cache(g->m, &KR_ENDPOINTS);
    g->controller = controller_new(g->m, &co);
    manager_on_change(g->m, &KR_INGRESS, gateway_on_ingress, g);
    manager_on_change(g->m, &KR_REVISION, backends_on_revision, g->backends);
    manager_on_change(g->m, &KR_POD, backends_on_pod, g->backends);
    manager_on_synced(g->m, backends_on_synced, g->backends);
    return g;
}

void gateway_free(struct gateway *g)
{
    if (!g)
        return;
    list_for_each_safe(it, &g->acks)
    {
        list_entry(it, struct ack, node)->g = NULL;
        list_del(it);
    }
    backends_free(g->backends);
    host_table_free(g->hosts);
    map_free(g->given);
    free(g->domain_internal);
    free(g->local_ip);
    free(g);
}
