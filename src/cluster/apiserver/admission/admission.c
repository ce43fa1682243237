/*
 * One walk over the rows for both phases. A row that answers later leaves the walk standing at it;
 * its answer is consumed when the walk is called again. An answer given inside the call is taken as
 * if it had been returned, so hooks need not know whether they were quick.
 */
#include "cluster/apiserver/admission/admission.h"

#include <assert.h>

#include "cluster/apiserver/kinds/kinds.h"

struct walk {
    bool mutates;
    admission_warn_fn *warn;
    void *to;
};

static bool applies(const struct admission *ad, const struct admission_request *rq, bool mutates)
{
    return kube_resource_eq(ad->res, rq->res) &&
           (!rq->subresource[0] || streq(rq->subresource, "status")) &&
           (mutates ? ad->mutate != NULL : ad->validate != NULL);
}

bool admission_may_wait(const struct admission_chain *c, const struct admission_request *rq)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->hooks[i].may_wait &&
            (applies(&c->hooks[i], rq, true) || applies(&c->hooks[i], rq, false)))
            return true;
    return false;
}

bool admission_mutates(const struct admission_chain *c, const struct admission_request *rq)
{
    for (size_t i = 0; i < c->n; i++)
        if (applies(&c->hooks[i], rq, true))
            return true;
    return false;
}

void admission_begin(struct admission_request *rq, void (*resume)(void *ctx), void *ctx)
{
    memset(&rq->run, 0, sizeof(rq->run));
    rq->run.resume = resume;
    rq->run.ctx = ctx;
}

void admission_answer(struct admission_request *rq, int result, const struct err *e)
{
    assert(!rq->run.answered && (rq->run.calling || rq->run.waits));
    rq->run.answered = true;
    rq->run.result = result;
    if (e)
        rq->run.why = *e;
    if (!rq->run.calling)
        rq->run.resume(rq->run.ctx);
}

static int call(const struct admission *ad, struct admission_request *rq, const struct walk *w)
{
    int r;

    rq->run.why = (struct err){0};
    rq->run.calling = true;
    r = w->mutates ? ad->mutate(ad->ctx, rq, &rq->run.why)
                   : ad->validate(ad->ctx, rq, w->warn, w->to, &rq->run.why);
    rq->run.calling = false;
    if (r != ADMISSION_LATER)
        return r;
    assert(ad->may_wait);
    rq->run.waits = !rq->run.answered;
    return rq->run.waits ? ADMISSION_LATER : rq->run.result;
}

static int ask(const struct admission *ad, struct admission_request *rq, const struct walk *w)
{
    int r = rq->run.waits ? rq->run.result : call(ad, rq, w);

    if (r == ADMISSION_LATER)
        return r;
    rq->run.waits = rq->run.answered = false;
    return r;
}

static int run(const struct admission_chain *c, struct admission_request *rq, const struct walk *w,
               struct api_status *st)
{
    assert(!rq->run.waits || rq->run.answered);
    for (; rq->run.at < c->n; rq->run.at++) {
        const struct admission *ad = &c->hooks[rq->run.at];

        if (!applies(ad, rq, w->mutates))
            continue;
        int r = ask(ad, rq, w);

        if (r == ADMISSION_LATER)
            return r;
        if (r < 0)
            return api_fail_bad(st, "admission webhook \"%s\" denied the request: %s",
                                w->mutates ? ad->mutate_name : ad->name, rq->run.why.msg);
    }
    rq->run.at = 0;
    return 0;
}

int admission_mutate(const struct admission_chain *c, struct admission_request *rq,
                     struct api_status *st)
{
    return run(c, rq, &(struct walk){.mutates = true}, st);
}

static void nowhere(void *to, const char *text)
{
}

int admission_validate(const struct admission_chain *c, struct admission_request *rq,
                       admission_warn_fn *warn, void *to, struct api_status *st)
{
    return run(c, rq, &(struct walk){.warn = warn ? warn : nowhere, .to = to}, st);
}

static const struct store_obj *find(const struct admission_request *rq,
                                    const struct kube_resource *r, const char *ns, const char *name)
{
    _cleanup_free_ char *key = kind_key(r, ns, name);

    return store_get(rq->store, key);
}

const struct kobj *admission_lookup(const struct admission_request *rq,
                                    const struct kube_resource *r, const char *ns, const char *name)
{
    const struct store_obj *o = find(rq, r, ns, name);

    return o ? kobj_parse(store_obj_bytes(o).p, store_obj_bytes(o).n, NULL) : NULL;
}

uint64_t admission_revision(const struct admission_request *rq, const struct kube_resource *r,
                            const char *ns, const char *name)
{
    const struct store_obj *o = find(rq, r, ns, name);

    return o ? store_obj_rev(o) : 0;
}
