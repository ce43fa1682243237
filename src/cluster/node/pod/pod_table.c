/*
 * Objects in, pods out. After the first sync every pod of ours gets its record and takes over what
 * still runs; then orphans are removed; then all are stepped.
 */
#include <stdio.h>
#include <string.h>

#include "cluster/node/pod/pod_impl.h"

#define DEFAULT_GRACE_S 30

/* ---- Pod objects ---- */
static bool is_ours(const struct pod_table *t, const struct kobj *obj)
{
    const char *node = jget_str(kobj_root(obj), "spec", "nodeName");
    return !node || !*node || streq(node, t->o.node_name);
}

static bool is_over(const struct kobj *obj)
{
    const char *phase = jget_str(kobj_root(obj), "status", "phase");
    return streq(phase, "Succeeded") || streq(phase, "Failed");
}

static int64_t grace_of(const struct kobj *obj)
{
    int64_t s = jget_int(kobj_root(obj), DEFAULT_GRACE_S, "metadata", "deletionGracePeriodSeconds");
    return sandbox_grace_ms(s);
}

/* A pod that was over before we ran is only kept to be deleted some time. */
static void settle(struct pod *p)
{
    p->settled = true;
    for (size_t i = 0; i < p->n; i++)
        container_set_state(&p->containers[i], CT_DONE);
}

static void begin(struct pod *p)
{
    if (kobj_deleting(p->box.obj))
        pod_stop(p, grace_of(p->box.obj));
    else if (!p->settled)
        pod_step(p);
}

static void changed(struct pod *p, const struct kobj *after)
{
    kobj_unref(p->box.obj);
    p->box.obj = kobj_ref(after);
    if (kobj_deleting(after) && !p->keep_object)
        pod_stop(p, grace_of(after));
}

static void gone(struct pod *p)
{
    p->object_gone = true;
    pod_stop(p, 0);
}

static void on_pod(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct pod_table *t = ctx;
    if (!t->synced)
        return;
    struct pod *old = before ? map_get(t->by_uid, kobj_uid(before)) : NULL;
    if (old && (!after || !streq(kobj_uid(before), kobj_uid(after)))) {
        gone(old);
        old = NULL;
    }
    if (!after || (!old && (t->stopping || !is_ours(t, after))))
        return;
    if (old) {
        changed(old, after);
        return;
    }
    struct pod *p = pod_new(t, after, &POD_SANDBOX_OPS);
    if (is_over(after))
        settle(p);
    begin(p);
}

/* ---- the first sync ---- */
static int take_over(void *ctx, const struct kobj *obj)
{
    struct pod_table *t = ctx;
    if (!is_ours(t, obj) || map_has(t->by_uid, kobj_uid(obj)))
        return 0;
    struct pod *p = pod_new(t, obj, &POD_SANDBOX_OPS);
    if (!pod_state_restore(p) && is_over(obj))
        settle(p);
    return 0;
}

static void on_synced(void *ctx)
{
    struct pod_table *t = ctx;
    const char *uid;
    struct pod *p;
    if (t->stopping)
        return;
    t->synced = true;
    cache_each(manager_cache(t->o.env.manager, &KR_POD), take_over, t);
    pod_orphans_remove(t);
    for (size_t it = 0; map_next(t->by_uid, &it, &uid, &p);)
        begin(p);
    t->on_synced(t->on_synced_ctx);
}

/* ---- stopping ---- */
/* Leaves the processes alone; what is known of them is on disk. */
static void leave(struct pod *p)
{
    for (size_t i = 0; i < p->n; i++)
        container_leave(&p->containers[i]);
    pod_forget(p);
}

static void stop_pod(struct pod *p, bool drain, uint64_t max_ms)
{
    p->keep_object = true;
    if (!drain) {
        leave(p);
        return;
    }
    int64_t grace = sandbox_grace_ms(
        jget_int(kobj_root(p->box.obj), DEFAULT_GRACE_S, "spec", "terminationGracePeriodSeconds"));
    pod_stop(p, grace < (int64_t)max_ms ? grace : (int64_t)max_ms);
}

void pod_table_stop(struct pod_table *t, bool drain, uint64_t max_ms)
{
    const char *uid;
    struct pod *p;
    t->stopping = true;
    for (size_t it = 0; map_next(t->by_uid, &it, &uid, &p);)
        stop_pod(p, drain, max_ms);
}

void pod_table_kill(struct pod_table *t)
{
    const char *uid;
    struct pod *p;
    for (size_t it = 0; map_next(t->by_uid, &it, &uid, &p);)
        pod_stop(p, 0);
}

/* ---- the network ---- */
void pod_table_network(struct pod_table *t, const char *why)
{
    const char *uid;
    struct pod *p;
    free(t->network_down);
    t->network_down = why ? xstrdup(why) : NULL;
    for (size_t it = 0; map_next(t->by_uid, &it, &uid, &p);)
        if (p->state == POD_ACTIVE)
            pod_status(p);
}

/* ---- looking up ---- */
size_t pod_table_running(const struct pod_table *t)
{
    return t->live;
}

bool pod_table_synced(const struct pod_table *t)
{
    return t->synced;
}

struct pod *pod_table_find(struct pod_table *t, const char *ns, const char *name)
{
    const char *uid;
    struct pod *p;
    for (size_t it = 0; map_next(t->by_uid, &it, &uid, &p);)
        if (streq(kobj_namespace(p->box.obj), ns) && streq(kobj_name(p->box.obj), name))
            return p;
    return NULL;
}

void pod_table_each(struct pod_table *t, void (*fn)(void *ctx, struct pod *p), void *ctx)
{
    const char *uid;
    struct pod *p;
    for (size_t it = 0; map_next(t->by_uid, &it, &uid, &p);)
        fn(ctx, p);
}

/* ---- life ---- */
struct claiming {
    struct ipam *ipam;
    const char *data_dir;
};

static void claim(void *ctx, const char *uid)
{
    const struct claiming *k = ctx;
    _cleanup_jdoc_ yyjson_doc *doc = state_file_load(k->data_dir, uid);
    const yyjson_val *root = yyjson_doc_get_root(doc);
    uint32_t addr;
    if (jget_bool(root, false, "leased") && ipam_parse(jget_str(root, "ip"), &addr))
        ipam_claim(k->ipam, addr);
}

void pod_table_claim(struct ipam *ipam, const char *data_dir)
{
    struct claiming k = {ipam, data_dir};
    state_file_each(data_dir, "pods", claim, &k);
}

struct pod_table *pod_table_new(const struct pod_table_opts *o)
{
    struct pod_table *t = xnew(struct pod_table);
    t->o = *o;
    t->o.data_dir = xstrdup(o->data_dir);
    t->o.node_name = xstrdup(o->node_name);
    t->o.host_ip = xstrdup(o->host_ip);
    t->o.dns_ip = xstrdup(o->dns_ip);
    t->o.domain = xstrdup(o->domain);
    t->client = manager_client(o->env.manager);
    t->by_uid = map_new(NULL);
    return t;
}

void pod_table_free(struct pod_table *t)
{
    if (!t)
        return;
    map_free(t->by_uid);
    free(t->network_down);
    free((char *)t->o.data_dir);
    free((char *)t->o.node_name);
    free((char *)t->o.host_ip);
    free((char *)t->o.dns_ip);
    free((char *)t->o.domain);
    free(t);
}

void pod_table_watch(struct pod_table *t, void (*synced)(void *ctx), void *ctx)
{
    struct manager *m = t->o.env.manager;
    static const struct kube_resource *const read[] = {&KR_POD, &KR_CONFIGMAP, &KR_SECRET,
                                                       &KR_SERVICEACCOUNT};
    t->on_synced = synced;
    t->on_synced_ctx = ctx;
    for (size_t i = 0; i < ARRAY_LEN(read); i++)
        manager_cache(m, read[i]);
    manager_on_change(m, &KR_POD, on_pod, t);
    pod_live_watch(t);
    manager_on_synced(m, on_synced, t);
}
