/*
 * One entry at a time. The answer of a successful write is an object as the server has it now, so
 * it goes straight into the cache: the next run of the reconciler sees its own writes, whenever the
 * watch catches up.
 */
#include "kube/plan_run.h"

#include "base/clock.h"
#include "kube/informer.h"

struct plan_run {
    struct manager *m; /* NULL once detached */
    struct plan *plan;
    size_t at;
    plan_done_fn *done;
    void *ctx;
};

static void next(struct plan_run *r);

static void run_free(struct plan_run *r)
{
    plan_free(r->plan);
    free(r);
}

static void finish(struct plan_run *r, enum plan_outcome how, const struct kube_status *st,
                   const struct plan_entry *en)
{
    r->done(r->ctx, how, st, en, r->plan);
    run_free(r);
}

void plan_run_detach(struct plan_run *r)
{
    if (r)
        r->m = NULL;
}

/* Only what is of the entry's own kind: the answer to a scale is a Scale, to a delete mostly a
 * Status. */
static void learn(struct plan_run *r, const struct plan_entry *en, struct str body)
{
    struct kobj *answer = en->op == PLAN_DELETE ? NULL : kobj_parse(body.p, body.n, NULL);

    if (!answer)
        return;
    _cleanup_kobj_ const struct kobj *o = kobj_share(answer);
    if (streq(kobj_kind(o), en->res->kind))
        manager_learn(r->m, en->res, o);
}

static bool counts_as_done(const struct plan_entry *en, const struct kube_status *st)
{
    return (en->op == PLAN_DELETE && kube_is_not_found(st)) || (en->keep && kube_is_exists(st));
}

static bool cache_has(struct plan_run *r, const struct plan_entry *en)
{
    return cache_get(manager_cache(r->m, en->res), en->ns, en->name) != NULL;
}

static enum plan_outcome judge(struct plan_run *r, const struct plan_entry *en,
                               const struct kube_status *st)
{
    if (en->op == PLAN_CREATE && kube_is_exists(st))
        return cache_has(r, en) ? PLAN_AGAIN : PLAN_REFUSED;
    if (en->op != PLAN_CREATE && kube_is_not_found(st))
        return PLAN_AGAIN; /* it went away meanwhile; the cache will tell */
    return kube_is_retryable(st) ? PLAN_AGAIN : PLAN_REFUSED;
}

static void on_answer(void *ctx, const struct kube_status *st, struct str body)
{
    struct plan_run *r = ctx;
    const struct plan_entry *en = plan_at(r->plan, r->at);

    if (!r->m) {
        run_free(r);
        return;
    }
    if (st->err.code && !counts_as_done(en, st)) {
        finish(r, judge(r, en, st), st, en);
        return;
    }
    if (!st->err.code)
        learn(r, en, body);
    r->at++;
    next(r);
}

static void send(struct plan_run *r, const struct plan_entry *en)
{
    static const enum kube_verb verbs[] = {[PLAN_CREATE] = KUBE_CREATE,
                                           [PLAN_UPDATE] = KUBE_UPDATE,
                                           [PLAN_UPDATE_STATUS] = KUBE_UPDATE,
                                           [PLAN_DELETE] = KUBE_DELETE};
    _cleanup_free_ char *text = NULL;
    struct kube_request rq = {.res = en->res, .ns = en->ns, .name = en->name};

    if (en->op == PLAN_PATCH)
        text = xstrdup(en->body);
    else if (en->obj)
        text = kmut_text(en->obj, NULL);
    else if (en->uid)
        text = xasprintf("{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
                         "\"preconditions\":{\"uid\":\"%s\"}}",
                         en->uid);
    rq.verb = en->op == PLAN_PATCH ? en->patch_type : verbs[en->op];
    rq.subresource = en->op == PLAN_UPDATE_STATUS ? "status" : en->subresource;
    rq.body = str_of(text);
    kube_do(manager_client(r->m), &rq, on_answer, r);
}

/* Sends the next write, if there is one. */
static bool advance(struct plan_run *r, int64_t wall_ns)
{
    for (const struct plan_entry *en; (en = plan_at(r->plan, r->at)); r->at++) {
        if (en->op != PLAN_EVENT) {
            send(r, en);
            return true;
        }
        recorder_event(manager_recorder(r->m), en, wall_ns);
    }
    return false;
}

static void next(struct plan_run *r)
{
    if (!advance(r, loop_wall_ns(manager_loop(r->m))))
        finish(r, PLAN_DONE, NULL, NULL);
}

struct plan_run *plan_run_start(struct manager *m, struct plan *p, int64_t wall_ns,
                                plan_done_fn *done, void *ctx)
{
    struct plan_run *r = xnew(struct plan_run);

    *r = (struct plan_run){.m = m, .plan = p, .done = done, .ctx = ctx};
    if (advance(r, wall_ns))
        return r;
    finish(r, PLAN_DONE, NULL, NULL);
    return NULL;
}
