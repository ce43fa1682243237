/*
 * A drain goes in rounds. In each it lists one object of every resource; where there is one it
 * deletes the collection. A round that finds nothing ends with the finalizer being removed; after
 * any other round the drain waits a little, longer each time, as pods take time to stop and
 * finalizers are others' to remove.
 */
#include "cluster/workload/drain.h"

#include "base/map.h"

#define FIRST_WAIT_MS 200
#define LAST_WAIT_MS  5000

struct drains {
    struct manager *m;
    struct kinds *kinds;
    struct map *by_ns; /* struct drain */
};

struct drain {
    struct drains *all; /* NULL: stopped, ends with the answer it waits for */
    char *ns;
    resource_vec resources; /* of this round */
    size_t at;
    bool found; /* something, in this round */
    bool asking;
    uint64_t wait_ms;
    struct timer *timer;
};

static void step(struct drain *d);

static void drain_free(struct drain *d)
{
    timer_free(d->timer);
    vec_done(&d->resources);
    free(d->ns);
    free(d);
}

static void drain_stop(void *p)
{
    struct drain *d = p;

    d->all = NULL;
    if (!d->asking)
        drain_free(d);
}

struct drains *drains_new(struct manager *m, struct kinds *k)
{
    struct drains *d = xnew(struct drains);

    *d = (struct drains){m, k, map_new(drain_stop)};
    return d;
}

void drains_free(struct drains *d)
{
    if (!d)
        return;
    map_free(d->by_ns);
    free(d);
}

static void ask(struct drain *d, const struct kube_request *rq, kube_done_fn *done)
{
    d->asking = true;
    kube_do(manager_client(d->all->m), rq, done, d);
}

/* True if the drain goes on. */
static bool answered(struct drain *d)
{
    d->asking = false;
    if (d->all)
        return true;
    drain_free(d);
    return false;
}

static void wait_for_next_round(struct drain *d)
{
    timer_start(d->timer, d->wait_ms);
    d->wait_ms = d->wait_ms * 2 < LAST_WAIT_MS ? d->wait_ms * 2 : LAST_WAIT_MS;
}

static void on_round(void *ctx)
{
    struct drain *d = ctx;

    vec_done(&d->resources);
    workload_kinds_namespaced(d->all->kinds, &d->resources);
    d->at = 0;
    d->found = false;
    step(d);
}

/* ---- the end ---- */

static void on_finalized(void *ctx, const struct kube_status *st, struct str body)
{
    /* Whether it worked or not: if the namespace is still there, there is another round. */
    if (answered(ctx))
        wait_for_next_round(ctx);
}

static void finalize(struct drain *d)
{
    const struct kobj *live = cache_get(manager_cache(d->all->m, &KR_NAMESPACE), "", d->ns);

    if (!live) {
        wait_for_next_round(d);
        return;
    }
    _cleanup_(kmut_freep) struct kmut *m = kmut_from(live);
    yyjson_mut_arr_clear(jm_arr(KM(m), "spec", "finalizers"));
    size_t n;
    _cleanup_free_ char *text = kmut_text(m, &n);
    ask(d,
        &(struct kube_request){.verb = KUBE_UPDATE,
                               .res = &KR_NAMESPACE,
                               .name = d->ns,
                               .subresource = "finalize",
                               .body = {text, n}},
        on_finalized);
}

/* ---- one resource ---- */

static void on_deleted(void *ctx, const struct kube_status *st, struct str body)
{
    struct drain *d = ctx;

    if (!answered(d))
        return;
    d->at++;
    step(d);
}

static bool has_items(struct str body)
{
    _cleanup_jdoc_ yyjson_doc *doc = json_parse(body.p, body.n, NULL);

    return !doc || yyjson_arr_size(jget(doc->root, "items")) > 0;
}

static void on_listed(void *ctx, const struct kube_status *st, struct str body)
{
    struct drain *d = ctx;

    if (!answered(d))
        return;
    bool empty = st->err.code ? kube_is_not_found(st) : !has_items(body);
    if (empty) {
        d->at++;
        step(d);
        return;
    }
    d->found = true;
    ask(d, &(struct kube_request){.verb = KUBE_DELETE, .res = d->resources.p[d->at], .ns = d->ns},
        on_deleted);
}

static void step(struct drain *d)
{
    if (d->at < d->resources.n)
        ask(d,
            &(struct kube_request){
                .verb = KUBE_LIST, .res = d->resources.p[d->at], .ns = d->ns, .query = "limit=1"},
            on_listed);
    else if (d->found)
        wait_for_next_round(d);
    else
        finalize(d);
}

void drains_start(struct drains *all, const char *ns)
{
    if (map_has(all->by_ns, ns))
        return;
    struct drain *d = xnew(struct drain);
    d->all = all;
    d->ns = xstrdup(ns);
    d->wait_ms = FIRST_WAIT_MS;
    d->timer = timer_new(manager_loop(all->m), on_round, d);
    map_set(all->by_ns, ns, d);
    timer_start(d->timer, 0);
}

void drains_stop(struct drains *all, const char *ns)
{
    map_del(all->by_ns, ns);
}
