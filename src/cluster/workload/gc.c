/*
 * Foreground deletion: an owner that waits for its dependents (it is being deleted and has the
 * finalizer for that) counts as gone for them, and they are deleted in the foreground too. It loses
 * the finalizer when no dependent is left that blocks it. A dependent with another, living owner
 * stays, and only loses the reference.
 *
 * An owner is alive if a cache has it, gone if its deletion was seen, and else unknown: caches of
 * different kinds run ahead of each other, so an owner that no cache has yet is asked for by name
 * before anything is deleted for it.
 *
 * When an object goes, its dependents are found through the caches' index of controllers; the few
 * references that do not name a controller are kept in a map of their own.
 */
#include "cluster/workload/gc.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"

#define SETTLE_NS     NS_PER_SEC /* how long an owner's event may be behind its dependent's */
#define MAX_REQUESTS  8
#define GONE_REMEMBER 8192
#define FOREGROUND    "foregroundDeletion"

struct gc_kind {
    struct gc *gc;
    const struct kube_resource *res;
    struct cache *cache;
};

typedef VEC(char *) key_vec;

struct gc {
    struct manager *m, *later; /* later: of kinds defined after the start */
    struct kinds *kinds;
    VEC(struct gc_kind *) known;
    struct map *others; /* uid of an owner that is no controller -> struct dependents */
    struct map *gone;   /* uids of objects whose deletion was seen */
    char gone_ring[GONE_REMEMBER][40];
    size_t gone_at;
    struct workqueue *queue; /* "INDEX OF KIND|NAMESPACE/NAME" */
    struct timer *due;
    struct list requests;
    int in_flight;
    bool started;
};

struct dependents {
    key_vec keys;
};

/* A question or a deletion under way for one key. */
struct request {
    struct list node;
    struct gc *gc; /* NULL: the collector is gone */
    char *key;
    char *owner_uid; /* of the question */
};

/* ---- which are gone ---- */

static void remember_gone(struct gc *g, const char *uid)
{
    if (!*uid || strlen(uid) >= sizeof(g->gone_ring[0]) || map_has(g->gone, uid))
        return;
    char *slot = g->gone_ring[g->gone_at++ % GONE_REMEMBER];
    map_del(g->gone, slot);
    memcpy(slot, uid, strlen(uid) + 1);
    map_set(g->gone, uid, slot);
}

static struct gc_kind *find_kind(const struct gc *g, yyjson_val *ref)
{
    const char *api = jget_str(ref, "apiVersion"), *kind = jget_str(ref, "kind");
    const char *slash = api ? strrchr(api, '/') : NULL;
    struct str group = {api, slash ? (size_t)(slash - api) : 0};

    for (size_t i = 0; i < g->known.n; i++) {
        const struct kube_resource *r = g->known.p[i]->res;
        if (streq(r->kind, kind) && str_eq(group, str_of(r->group)))
            return g->known.p[i];
    }
    return NULL;
}

/* ---- who waits for its dependents ---- */

static bool waits(const struct kobj *o)
{
    yyjson_val *finalizer;
    size_t i, max;

    if (!o || !kobj_deleting(o))
        return false;
    yyjson_arr_foreach(jget(kobj_root(o), "metadata", "finalizers"), i, max, finalizer)
    {
        if (streq(yyjson_get_str(finalizer), FOREGROUND))
            return true;
    }
    return false;
}

enum fate { ALIVE, GONE, WAITING, UNKNOWN };

/* An owner of a kind that is not known here cannot be judged, so it counts as alive. */
static enum fate fate_of(const struct gc *g, yyjson_val *ref, const char *ns)
{
    const char *uid = jget_str(ref, "uid"), *name = jget_str(ref, "name");
    const struct gc_kind *k = find_kind(g, ref);

    if (!uid || !name || !k)
        return ALIVE;
    if (map_has(g->gone, uid))
        return GONE;
    const struct kobj *owner = cache_get(k->cache, k->res->namespaced ? ns : "", name);
    if (!owner || !streq(kobj_uid(owner), uid))
        return UNKNOWN;
    return waits(owner) ? WAITING : ALIVE;
}

/* ---- the queue ---- */

static char *queue_key(const struct gc_kind *k, const struct kobj *o)
{
    size_t at = 0;

    while (k->gc->known.p[at] != k)
        at++;
    return xasprintf("%zu|%s/%s", at, kobj_namespace(o), kobj_name(o));
}

static void arm(struct gc *g)
{
    int64_t due = wq_next_due(g->queue), wait = due - clock_mono_ns();

    if (!g->started || due == INT64_MAX || g->in_flight >= MAX_REQUESTS)
        return;
    timer_start(g->due, wait > 0 ? (uint64_t)(wait / NS_PER_MS) + 1 : 0);
}

static void enqueue(struct gc *g, const char *key, int64_t delay_ns)
{
    if (delay_ns)
        wq_add_after(g->queue, key, clock_mono_ns(), delay_ns);
    else
        wq_add(g->queue, key);
    arm(g);
}

static const struct kobj *find_object(const struct gc *g, const char *key,
                                      const struct gc_kind **ret_kind)
{
    char *rest;
    size_t at = strtoul(key, &rest, 10);
    const char *slash = strchr(++rest, '/');
    _cleanup_free_ char *ns = xstrndup(rest, (size_t)(slash - rest));

    *ret_kind = g->known.p[at];
    return cache_get(g->known.p[at]->cache, ns, slash + 1);
}

/* ---- references that are not to a controller ---- */

static void dependents_free(void *p)
{
    struct dependents *d = p;

    for (size_t i = 0; i < d->keys.n; i++)
        free(d->keys.p[i]);
    vec_done(&d->keys);
    free(d);
}

static void add_dependent(struct gc *g, const char *uid, const char *key)
{
    struct dependents *d = map_get(g->others, uid);

    if (!d) {
        d = xnew(struct dependents);
        map_set(g->others, uid, d);
    }
    vec_push(&d->keys, xstrdup(key));
}

static void drop_dependent(struct gc *g, const char *uid, const char *key)
{
    struct dependents *d = map_get(g->others, uid);

    for (size_t i = 0; d && i < d->keys.n; i++) {
        if (!streq(d->keys.p[i], key))
            continue;
        free(d->keys.p[i]);
        vec_remove(&d->keys, i);
        break;
    }
    if (d && d->keys.n == 0)
        map_del(g->others, uid);
}

static void each_other_ref(struct gc_kind *k, const struct kobj *o,
                           void (*fn)(struct gc *g, const char *uid, const char *key))
{
    yyjson_val *refs = jget(kobj_root(o), "metadata", "ownerReferences"), *ref;
    size_t i, max;

    yyjson_arr_foreach(refs, i, max, ref)
    {
        const char *uid = jget_str(ref, "uid");
        if (!uid || jget_bool(ref, false, "controller"))
            continue;
        _cleanup_free_ char *key = queue_key(k, o);
        fn(k->gc, uid, key);
    }
}

/* ---- changes ---- */

static int enqueue_dependent(void *ctx, const struct kobj *o)
{
    struct gc_kind *k = ctx;
    _cleanup_free_ char *key = queue_key(k, o);

    enqueue(k->gc, key, 0);
    return 0;
}

static void enqueue_dependents(struct gc *g, const char *uid)
{
    const struct dependents *d = map_get(g->others, uid);

    for (size_t i = 0; i < g->known.n; i++)
        cache_each_by(g->known.p[i]->cache, "owner", uid, enqueue_dependent, g->known.p[i]);
    for (size_t i = 0; d && i < d->keys.n; i++)
        enqueue(g, d->keys.p[i], 0);
}

/* Queues an object some of whose owners are not there, or not yet. */
static void inspect(struct gc_kind *k, const struct kobj *o)
{
    yyjson_val *refs = jget(kobj_root(o), "metadata", "ownerReferences"), *ref;
    size_t i, max;

    yyjson_arr_foreach(refs, i, max, ref)
    {
        enum fate fate = fate_of(k->gc, ref, kobj_namespace(o));
        if (fate == ALIVE)
            continue;
        _cleanup_free_ char *key = queue_key(k, o);
        enqueue(k->gc, key, fate == WAITING ? 0 : SETTLE_NS);
        return;
    }
}

/* Owners that wait for this dependent look again. */
static void enqueue_waiting_owners(struct gc *g, const struct kobj *dependent)
{
    yyjson_val *refs = jget(kobj_root(dependent), "metadata", "ownerReferences"), *ref;
    size_t i, max;

    yyjson_arr_foreach(refs, i, max, ref)
    {
        if (fate_of(g, ref, kobj_namespace(dependent)) != WAITING)
            continue;
        const struct gc_kind *k = find_kind(g, ref);
        _cleanup_free_ char *key =
            queue_key(k, cache_get(k->cache, k->res->namespaced ? kobj_namespace(dependent) : "",
                                   jget_str(ref, "name")));
        enqueue(g, key, 0);
    }
}

static void begin_waiting(struct gc_kind *k, const struct kobj *o)
{
    _cleanup_free_ char *key = queue_key(k, o);

    enqueue(k->gc, key, 0);
    enqueue_dependents(k->gc, kobj_uid(o));
}

static void on_change(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct gc_kind *k = ctx;
    yyjson_val *old = jget(kobj_root(before), "metadata", "ownerReferences");
    yyjson_val *new = jget(kobj_root(after), "metadata", "ownerReferences");

    if (waits(after) && !waits(before))
        begin_waiting(k, after);
    if (before && after && json_equal(old, new))
        return;
    if (before)
        enqueue_waiting_owners(k->gc, before);
    if (before)
        each_other_ref(k, before, drop_dependent);
    if (!after) {
        remember_gone(k->gc, kobj_uid(before));
        enqueue_dependents(k->gc, kobj_uid(before));
        return;
    }
    each_other_ref(k, after, add_dependent);
    inspect(k, after);
}

/* ---- asking and deleting ---- */

static struct request *request_new(struct gc *g, const char *key, const char *owner_uid)
{
    struct request *r = xnew(struct request);

    *r = (struct request){
        .gc = g, .key = xstrdup(key), .owner_uid = owner_uid ? xstrdup(owner_uid) : NULL};
    list_push_back(&g->requests, &r->node);
    g->in_flight++;
    return r;
}

/* The key is done with, but for another try if `again`. */
static void request_end(struct request *r, bool again)
{
    struct gc *g = r->gc;

    if (g) {
        g->in_flight--;
        if (again)
            wq_add_rate_limited(g->queue, r->key, clock_mono_ns());
        else
            wq_forget(g->queue, r->key);
        wq_done(g->queue, r->key);
        list_del(&r->node);
        arm(g);
    }
    free(r->key);
    free(r->owner_uid);
    free(r);
}

static void on_owner(void *ctx, const struct kube_status *st, struct str body)
{
    struct request *r = ctx;
    bool missing = kube_is_not_found(st), unsure = st->err.code && !missing;

    if (!r->gc || unsure) {
        request_end(r, unsure);
        return;
    }
    if (!missing) {
        _cleanup_jdoc_ yyjson_doc *d = json_parse(body.p, body.n, NULL);
        missing = d && !streq(jget_str(d->root, "metadata", "uid"), r->owner_uid);
    }
    if (missing) {
        remember_gone(r->gc, r->owner_uid);
        wq_add(r->gc->queue, r->key);
    }
    request_end(r, false);
}

static void on_deleted(void *ctx, const struct kube_status *st, struct str body)
{
    /* A conflict means another object of that name by now. */
    request_end(ctx, st->err.code && !kube_is_not_found(st) && !kube_is_conflict(st));
}

static void ask_for_owner(struct gc *g, const char *key, yyjson_val *ref, const char *ns)
{
    const struct gc_kind *k = find_kind(g, ref);

    kube_do(manager_client(g->m),
            &(struct kube_request){.verb = KUBE_GET,
                                   .res = k->res,
                                   .ns = k->res->namespaced ? ns : NULL,
                                   .name = jget_str(ref, "name")},
            on_owner, request_new(g, key, jget_str(ref, "uid")));
}

static void collect(struct gc *g, const char *key, const struct gc_kind *k, const struct kobj *o,
                    bool foreground)
{
    _cleanup_free_ char *body =
        xasprintf("{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"propagationPolicy\":"
                  "\"%s\",\"preconditions\":{\"uid\":\"%s\"}}",
                  foreground ? "Foreground" : "Background", kobj_uid(o));

    kube_do(manager_client(g->m),
            &(struct kube_request){.verb = KUBE_DELETE,
                                   .res = k->res,
                                   .ns = kobj_namespace(o),
                                   .name = kobj_name(o),
                                   .body = str_of(body)},
            on_deleted, request_new(g, key, NULL));
}

static void on_patched(void *ctx, const struct kube_status *st, struct str body)
{
    request_end(ctx, st->err.code && !kube_is_not_found(st));
}

/* Replaces one list of the metadata, if the object is still what it was. */
static void patch_list(struct gc *g, const char *key, const struct gc_kind *k, const struct kobj *o,
                       const char *list, yyjson_mut_doc *d, yyjson_mut_val *value)
{
    yyjson_mut_val *root = yyjson_mut_obj(d);

    jm_set(d, root, value, "metadata", list);
    jm_set_str(d, root, kobj_uid(o), "metadata", "uid");
    jm_set_str(d, root, jget_str(kobj_root(o), "metadata", "resourceVersion"), "metadata",
               "resourceVersion");
    size_t n;
    _cleanup_free_ char *text = json_mut_text(root, &n);
    kube_do(manager_client(g->m),
            &(struct kube_request){.verb = KUBE_PATCH_MERGE,
                                   .res = k->res,
                                   .ns = kobj_namespace(o),
                                   .name = kobj_name(o),
                                   .body = {text, n}},
            on_patched, request_new(g, key, NULL));
}

/* ---- foreground ---- */

static int blocks(void *ctx, const struct kobj *dependent)
{
    const char *uid = ctx;
    yyjson_val *refs = jget(kobj_root(dependent), "metadata", "ownerReferences"), *ref;
    size_t i, max;

    yyjson_arr_foreach(refs, i, max, ref)
    {
        if (streq(jget_str(ref, "uid"), uid) && jget_bool(ref, false, "blockOwnerDeletion"))
            return 1;
    }
    return 0;
}

static bool is_blocked(struct gc *g, const struct kobj *o)
{
    const char *uid = kobj_uid(o);
    const struct dependents *d = map_get(g->others, uid);
    const struct gc_kind *k;
    bool any = false;

    for (size_t i = 0; !any && i < g->known.n; i++)
        any = cache_each_by(g->known.p[i]->cache, "owner", uid, blocks, (void *)(uintptr_t)uid);
    for (size_t i = 0; d && !any && i < d->keys.n; i++) {
        const struct kobj *dependent = find_object(g, d->keys.p[i], &k);
        any = dependent && blocks((void *)(uintptr_t)uid, dependent);
    }
    return any;
}

/* The last dependent that blocks it is gone: it may go. True if a request was sent. */
static bool let_go(struct gc *g, const char *key, const struct gc_kind *k, const struct kobj *o)
{
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *rest = yyjson_mut_arr(d);
    yyjson_val *finalizer;
    size_t i, max;

    if (is_blocked(g, o))
        return false;
    yyjson_arr_foreach(jget(kobj_root(o), "metadata", "finalizers"), i, max, finalizer)
    {
        if (!streq(yyjson_get_str(finalizer), FOREGROUND))
            jm_add_str(d, rest, yyjson_get_str(finalizer));
    }
    patch_list(g, key, k, o, "finalizers", d, rest);
    return true;
}

/* It has an owner that lives: those that wait for it need not. */
static void leave_waiting(struct gc *g, const char *key, const struct gc_kind *k,
                          const struct kobj *o)
{
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *rest = yyjson_mut_arr(d);
    yyjson_val *ref;
    size_t i, max;

    yyjson_arr_foreach(jget(kobj_root(o), "metadata", "ownerReferences"), i, max, ref)
    {
        if (fate_of(g, ref, kobj_namespace(o)) != WAITING)
            yyjson_mut_arr_append(rest, yyjson_val_mut_copy(d, ref));
    }
    patch_list(g, key, k, o, "ownerReferences", d, rest);
}

/* ---- judging ---- */

struct owners { /* of one object: how many there are of each fate */
    size_t n[UNKNOWN + 1];
    yyjson_val *unknown;
};

static struct owners owners_of(struct gc *g, const struct kobj *o)
{
    yyjson_val *refs = jget(kobj_root(o), "metadata", "ownerReferences"), *ref;
    struct owners s = {0};
    size_t i, max;

    yyjson_arr_foreach(refs, i, max, ref)
    {
        enum fate fate = fate_of(g, ref, kobj_namespace(o));
        s.n[fate]++;
        if (fate == UNKNOWN)
            s.unknown = ref;
    }
    return s;
}

/* True if a request was sent: then the key is settled by its answer. */
static bool judge(struct gc *g, const char *key)
{
    const struct gc_kind *k;
    const struct kobj *o = find_object(g, key, &k);
    struct owners s = owners_of(g, o);

    if (o && waits(o))
        return let_go(g, key, k, o);
    if (!o || kobj_deleting(o))
        return false;
    if (s.n[ALIVE] && s.n[WAITING])
        leave_waiting(g, key, k, o);
    else if (s.n[ALIVE] || (!s.n[GONE] && !s.n[WAITING] && !s.n[UNKNOWN]))
        return false;
    else if (s.unknown)
        ask_for_owner(g, key, s.unknown, kobj_namespace(o));
    else
        collect(g, key, k, o, s.n[WAITING] > 0);
    return true;
}

static void work(void *ctx)
{
    struct gc *g = ctx;
    char *key;

    while (g->in_flight < MAX_REQUESTS && (key = wq_get(g->queue, clock_mono_ns()))) {
        if (!judge(g, key)) {
            wq_forget(g->queue, key);
            wq_done(g->queue, key);
        }
        free(key);
    }
    arm(g);
}

/* ---- kinds ---- */

static int inspect_object(void *ctx, const struct kobj *o)
{
    on_change(ctx, NULL, o);
    return 0;
}

static void know(struct gc *g, struct manager *m, const struct kube_resource *res)
{
    for (size_t i = 0; i < g->known.n; i++) {
        if (kube_resource_eq(g->known.p[i]->res, res))
            return;
    }
    struct gc_kind *k = xnew(struct gc_kind);
    *k = (struct gc_kind){g, res, manager_cache(m, res)};
    vec_push(&g->known, k);
    cache_each(k->cache, inspect_object, k);
    manager_on_change(m, res, on_change, k);
}

static void on_crd(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct gc *g = ctx;
    const struct kube_resource *res = after ? kinds_of_crd(g->kinds, after) : NULL;

    if (res && g->started)
        know(g, g->later, res);
}

static int know_crd(void *ctx, const struct kobj *crd)
{
    struct gc *g = ctx;
    const struct kube_resource *res = kinds_of_crd(g->kinds, crd);

    if (res)
        know(g, g->m, res);
    return 0;
}

static void on_synced(void *ctx)
{
    struct gc *g = ctx;

    cache_each(manager_cache(g->m, &KR_CRD), know_crd, g);
    g->started = true;
    arm(g);
}

struct gc *gc_new(struct manager *m, struct kinds *kinds)
{
    struct gc *g = xnew(struct gc);

    g->m = m;
    g->kinds = kinds;
    g->later = manager_new(manager_loop(m), manager_client(m), "garbage-collector");
    g->others = map_new(dependents_free);
    g->gone = map_new(NULL);
    g->queue = wq_new(0, 60 * NS_PER_SEC);
    g->due = timer_new(manager_loop(m), work, g);
    list_init(&g->requests);
    manager_start(g->later);
    for (size_t i = 0; workload_kinds_builtin[i]; i++)
        know(g, m, workload_kinds_builtin[i]);
    manager_on_change(m, &KR_CRD, on_crd, g);
    manager_on_synced(m, on_synced, g);
    return g;
}

void gc_free(struct gc *g)
{
    if (!g)
        return;
    list_for_each_safe(it, &g->requests)
    {
        list_entry(it, struct request, node)->gc = NULL;
        list_del(it);
    }
    timer_free(g->due);
    manager_free(g->later);
    wq_free(g->queue);
    map_free(g->others);
    map_free(g->gone);
    for (size_t i = 0; i < g->known.n; i++)
        free(g->known.p[i]);
    vec_done(&g->known);
    free(g);
}
