/*
 * An Ingress is given to the data plane when the hash of its spec, or what its splits lead to, is
 * not what was given last; its status is written once the data plane says that every worker serves
 * that very hash. Until then nothing is written: readers ignore a status of an older generation, so
 * an interim one would only cost a write. An acknowledgement that takes long is told.
 *
 * Ready means served: it also needs every Service that the splits name, its port, and somebody
 * behind it. Those come and go without the Ingress changing; backends.c says when, and the key runs
 * again.
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
#include "plugin/ingress/gateway/listeners.h"
#include "plugin/ingress/gateway/translate.h"

#define PROGRAMMED "NetworkConfigured"
#define BALANCED   "LoadBalancerReady"
#define PATIENCE   NS_PER_SEC

static const char *const dependents[] = {PROGRAMMED, BALANCED, NULL};
static const struct condition_set conditions = {.top = "Ready", .dependents = dependents};

struct given { /* to the data plane, per Ingress */
    char hash[INGRESS_HASH_LEN + 1];
    char *keys; /* of the backends that its splits lead to */
    bool applied;
    uint64_t serial;  /* of the acknowledgement that counts */
    int64_t since_ns; /* monotonic */
};

struct gateway {
    struct manager *m;
    struct dataplane *dp;
    struct controller *controller;
    char *local_ip, *domain_public, *domain_local;
    struct map *given;
    struct host_table *hosts;
    struct backends *backends;
    struct gateway_listeners *listeners;
    struct list acks; /* outstanding */
    uint64_t serial;
    bool conflicted; /* some Ingress waits for a host of another */
    /* those listed at start that are neither served yet nor refused; NULL before the first list,
     * and when all are through */
    struct map *unrouted;
    bool routed;
    void (*on_routed)(void *ctx);
    void *routed_ctx;
};

/* One expected acknowledgement; outlives the gateway if it must. */
struct ack {
    struct list node;
    struct gateway *g; /* NULL: nobody waits any more */
    char *key;
    uint64_t serial;
};

/* ---- the first list ---- */
static bool ours(const struct kobj *o)
{
    return o && !kobj_deleting(o) && streq(kobj_annotation(o, A_INGRESS_CLASS), CLASS_GATEWAY);
}

static void look_if_routed(struct gateway *g)
{
    if (!g->unrouted || map_len(g->unrouted) > 0)
        return;
    map_free(steal(&g->unrouted));
    g->routed = true;
    if (g->on_routed)
        g->on_routed(g->routed_ctx);
}

/* Served, refused, or gone: what was listed at start need not be waited for any longer. */
static void settled(struct gateway *g, const char *key)
{
    if (g->unrouted && map_del(g->unrouted, key))
        look_if_routed(g);
}

static int await(void *ctx, const struct kobj *ingress)
{
    struct gateway *g = ctx;
    _cleanup_free_ char *key = kobj_key(ingress);

    if (ours(ingress))
        map_set(g->unrouted, key, g);
    return 0;
}

void gateway_on_synced(void *ctx)
{
    struct gateway *g = ctx;

    g->unrouted = map_new(NULL);
    cache_each(manager_cache(g->m, &KR_INGRESS), await, g);
    look_if_routed(g);
}

void gateway_on_routed(struct gateway *g, void (*fn)(void *ctx), void *ctx)
{
    g->on_routed = fn;
    g->routed_ctx = ctx;
    if (g->routed)
        fn(ctx);
}

/* ---- acknowledgements ---- */
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
        if (given && given->serial == a->serial) {
            given->applied = true;
            enqueue(a->g, a->key);
            settled(a->g, a->key);
        }
    }
    free(a->key);
    free(a);
}

static struct ack *expect(struct gateway *g, const char *key, uint64_t serial)
{
    struct ack *a = xnew(struct ack);

    a->g = g;
    a->key = xstrdup(key);
    a->serial = serial;
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

static void given_free(void *p)
{
    struct given *given = p;

    free(given->keys);
    free(given);
}

static struct given *give(struct gateway *g, const struct reconcile_ctx *rc,
                          const struct dp_ingress *in)
{
    struct given *given = xnew(struct given);

    memcpy(given->hash, in->hash, sizeof(given->hash));
    given->keys = backends_keys(g->backends, rc->key);
    given->since_ns = rc->mono_ns;
    given->serial = ++g->serial;
    map_set(g->given, rc->key, given);
    dp_set_ingress(g->dp, in, manager_loop(g->m), on_applied, expect(g, rc->key, given->serial));
    return given;
}

static struct backend_key find_backend(void *ctx, const char *ns, const char *service,
                                       const yyjson_val *port)
{
    struct gateway *g = ctx;

    return backends_find(g->backends, ns, service, port);
}

/* Whether its splits still lead where they led when it was given. */
static bool has_keys(struct gateway *g, const char *key, const struct given *given)
{
    _cleanup_free_ char *keys = backends_keys(g->backends, key);

    return streq(given->keys, keys);
}

static struct given *translate_and_give(struct gateway *g, const struct reconcile_ctx *rc,
                                        const char *hash, const char **reason, struct err *e)
{
    struct translate_names names = {find_backend, g};
    struct given *given = NULL;
    struct dp_ingress in;
    struct arena a;

    arena_init(&a);
    if (ingress_translate(rc->obj, rc->key, hash, &names, &a, &in, e) == 0 &&
        claim(g, &in, reason, e) == 0)
        given = give(g, rc, &in);
    arena_done(&a);
    return given;
}

/* The record of what the data plane was told of this object; tells it first if that is out of date.
 * NULL on error: then it has what it had. */
static struct given *program(struct gateway *g, const struct reconcile_ctx *rc, const char **reason,
                             struct err *e)
{
    struct given *given = map_get(g->given, rc->key);
    char hash[INGRESS_HASH_LEN + 1];

    *reason = "ReconcileIngressFailed";
    if (ingress_hash(rc->obj, hash, e) < 0)
        return NULL;
    if (given && streq(given->hash, hash) && has_keys(g, rc->key, given))
        return given;
    backends_claim(g->backends, rc->key, rc->obj);
    given = translate_and_give(g, rc, hash, reason, e);
    backends_settle(g->backends, rc->key, given);
    return given;
}

/* ---- status ---- */
/* The public address of the machine is nobody's to say here, so there is no IP: who follows the
 * bridge's from outside would come to the cluster-local listener. */
static void set_balancer(struct cond *c, const char *list, const char *domain, const char *ip)
{
    jm_del(c->obj->root, "status", list);
    yyjson_mut_val *entry = jm_add_obj(c->obj->d, jm_arr(KM(c->obj), "status", list, "ingress"));
    if (ip)
        jm_set_str(c->obj->d, entry, ip, "ip");
    jm_set_str(c->obj->d, entry, domain, "domainInternal");
}

static void mark_served(struct gateway *g, struct cond *c, const char *key)
{
    _cleanup_free_ char *why = NULL;
    enum backend_state state = backends_judge(g->backends, key, &why);

    cs_true(c, PROGRAMMED);
    set_balancer(c, "publicLoadBalancer", g->domain_public, NULL);
    set_balancer(c, "privateLoadBalancer", g->domain_local, g->local_ip);
    if (state == BACKEND_SERVED)
        cs_true(c, BALANCED);
    else if (state == BACKEND_EMPTY)
        cs_unknown(c, BALANCED, backend_reason(state), "%s", why);
    else
        cs_false(c, BALANCED, backend_reason(state), "%s", why);
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

/*
 * Too early to say: an acknowledgement is outstanding, or the spec is new and what it names may
 * just not have been heard of here, as Services and Ingresses are followed apart. Readers ignore
 * the status of an older generation meanwhile.
 */
static bool is_early(const struct gateway *g, const struct reconcile_ctx *rc,
                     const struct given *given)
{
    yyjson_val *root = kobj_root(rc->obj);
    bool unseen = jget_int(root, 0, "status", "observedGeneration") != kobj_generation(rc->obj);
    _cleanup_free_ char *why = NULL;

    if (!given || rc->mono_ns - given->since_ns >= PATIENCE)
        return false;
    return !given->applied ||
           (unseen && backends_judge(g->backends, rc->key, &why) != BACKEND_SERVED);
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
    if (is_early(g, rc, given)) {
        plan_requeue_after(p, PATIENCE);
        return;
    }
    cs_begin(&c, &conditions, rc->obj, rc->now_ns);
    if (!given) {
        mark_refused(&c, reason, &e);
        settled(g, rc->key);
    } else if (given->applied)
        mark_served(g, &c, rc->key);
    else
        mark_slow(&c);
    cs_end(&c, p, &KR_INGRESS);
}

/* ---- leaving ---- */
void gateway_on_ingress(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct gateway *g = ctx;

    if (!ours(before) || ours(after))
        return;
    _cleanup_free_ char *key = kobj_key(before);
    if (map_del(g->given, key))
        dp_remove_ingress(g->dp, key, manager_loop(g->m), NULL, NULL);
    backends_let_go(g->backends, key);
    if (host_table_release(g->hosts, key))
        retry_conflicts(g);
    settled(g, key);
}

static void on_backend(void *ctx, const char *ingress)
{
    enqueue(ctx, ingress);
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

    const char *domain = o->cluster_domain ? o->cluster_domain : "cluster.local";
    bool public = o->listeners.public_port != 0;
    g->m = o->manager;
    g->dp = o->dataplane;
    g->local_ip = xstrdup(o->listeners.local_ip);
    g->domain_local = xasprintf("%s.%s.svc.%s", LISTENER_LOCAL, SYSTEM_NAMESPACE, domain);
    g->domain_public = xasprintf("%s.%s.svc.%s", public ? LISTENER_PUBLIC : LISTENER_LOCAL,
                                 SYSTEM_NAMESPACE, domain);
    g->given = map_new(given_free);
    g->hosts = host_table_new();
    list_init(&g->acks);
    g->backends = backends_new(&(struct backends_opts){
        .manager = g->m, .dataplane = g->dp, .on_change = on_backend, .ctx = g});
    g->listeners = gateway_listeners_new(g->m, &o->listeners);
    g->controller = controller_new(g->m, &co);
    manager_on_change(g->m, &KR_INGRESS, gateway_on_ingress, g);
    manager_on_synced(g->m, gateway_on_synced, g);
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
    gateway_listeners_free(g->listeners);
    map_free(g->unrouted);
    host_table_free(g->hosts);
    map_free(g->given);
    free(g->domain_public);
    free(g->domain_local);
    free(g->local_ip);
    free(g);
}
