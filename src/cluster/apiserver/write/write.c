/*
 * A write is a machine whose stages are a table. They run one after the other in one turn of the
 * loop unless a hook answers later; then the machine stands still, and goes on from there.
 *
 * In one turn nothing can come between reading the newest version (in flight included) and the
 * store's acceptance, so a patch never conflicts with anybody. After a wait something may have: if
 * the store says so, everything is done again from the newest version, the input and the change
 * included, up to TRIES times. An update that names the resourceVersion it was made from conflicts
 * then, as it should.
 *
 * One serialization: the revision is put into the finished text.
 */
#include "cluster/apiserver/write/write.h"

#include <assert.h>
#include <errno.h>

#include "base/limits.h"
#include "cluster/apiserver/kinds/canon.h"
#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/write/claim.h"
#include "cluster/apiserver/write/commit.h"
#include "cluster/apiserver/write/meta.h"
#include "cluster/apiserver/write/shape.h"

#define NAME_TRIES 8
#define TRIES      8

/* What a stage says; negative: failed with the status. */
enum step { STEP_NEXT, STEP_WAITS, STEP_AGAIN, STEP_ENDED };

/* ---- load ---- */
static int check_namespace(struct write *w, struct api_status *st)
{
    if (!w->kind->res.namespaced)
        return 0;
    if (!w->ns || !*w->ns)
        return api_fail_bad(st, "an empty namespace may not be set during creation");
    _cleanup_free_ char *key = kind_key(&KR_NAMESPACE, "", w->ns);
    const struct store_obj *o = store_get_latest(w->core->store, key, NULL);

    if (!o)
        return api_fail_not_found(st, &KR_NAMESPACE, w->ns);
    struct str b = store_obj_bytes(o);

    if (!memmem(b.p, b.n, "\"deletionTimestamp\"", 19))
        return 0;
    const struct kobj *n _cleanup_kobj_ = kobj_parse(b.p, b.n, NULL);

    if (!n || !kobj_deleting(n))
        return 0;
    const char *name = w->input ? jm_get_str(w->input->root, "metadata", "name") : NULL;

    api_fail_forbidden(st, &w->kind->res, name ? name : "",
                       "unable to create new content in namespace %s because it is being "
                       "terminated",
                       w->ns);
    st->cause = "NamespaceTerminating";
    return -1;
}

static int load(struct write *w, struct api_status *st)
{
    if (!w->creates)
        return write_load(w, st);
    if (w->kind->terminating)
        return api_fail(st, 405, "MethodNotAllowed",
                        "create not allowed while custom resource definition is terminating");
    return check_namespace(w, st);
}

/* ---- change ---- */
/* A subresource changes its own part only: the rest comes from the object as it is. */
static void keep_rest(struct write *w)
{
    struct kmut *whole;

    if (streq(w->sub, "")) {
        if (w->kind->has_status)
            jm_set_copy(KM(w->obj), jget(kobj_root(w->old), "status"), "status");
        return;
    }
    whole = kmut_from(w->old);
    const char *const path = streq(w->sub, "finalize") ? "spec" : "status";
    yyjson_mut_val *part = yyjson_mut_obj_get(w->obj->root, path);

    if (streq(path, "spec"))
        part = jm_get(w->obj->root, "spec", "finalizers");
    part = part ? yyjson_mut_val_mut_copy(whole->d, part) : NULL;
    if (streq(path, "spec"))
        jm_set(KM(whole), part ? part : yyjson_mut_arr(whole->d), "spec", "finalizers");
    else if (part)
        jm_set(KM(whole), part, "status");
    else
        jm_del(whole->root, "status");
    kmut_free(w->obj);
    w->obj = whole;
}

static struct admission_request request_of(const struct write *w)
{
    return (struct admission_request){
        .res = &w->kind->res,
        .subresource = w->sub,
        .user = w->user,
        .obj = w->obj,
        .old = w->old,
        .dry_run = w->dry_run,
        .store = w->core->store,
    };
}

static struct kmut *copy_of(const struct kmut *m)
{
    struct kmut *c = xnew(struct kmut);

    c->d = yyjson_mut_doc_mut_copy(m->d, NULL);
    c->root = yyjson_mut_doc_get_root(c->d);
    return c;
}

/* The input is kept only where it may be needed again. */
static struct kmut *wanted(struct write *w, struct api_status *st)
{
    const struct admission_request rq = request_of(w);

    if (!w->input)
        return w->change(w->change_ctx, w, st);
    return admission_may_wait(&w->core->admission, &rq) ? copy_of(w->input) : steal(&w->input);
}

static int change(struct write *w, struct api_status *st)
{
    kmut_free(steal(&w->obj));
    w->obj = wanted(w, st);
    if (!w->obj)
        return -1;
    if (w->creates) {
        const char *name = jm_get_str(w->obj->root, "metadata", "name");

        w->generated = !name || !*name;
        if (meta_prepare_create(w, st) < 0)
            return -1;
        if (w->kind->has_status)
            jm_del(w->obj->root, "status");
        return 0;
    }
    if (meta_prepare_update(w, st) < 0)
        return -1;
    keep_rest(w);
    return 0;
}

/* ---- shape, hooks, validity ---- */
static int shape(struct write *w, struct api_status *st)
{
    return shape_object(w, w->validation != VALIDATE_IGNORE && !w->sub[0], st);
}

static void go_on(void *ctx);

static int mutate(struct write *w, struct api_status *st)
{
    if (!w->rq.run.waits) {
        w->rq = request_of(w);
        admission_begin(&w->rq, go_on, w);
    }
    return admission_mutate(&w->core->admission, &w->rq, st);
}

static int check(struct write *w, struct api_status *st)
{
    if (admission_mutates(&w->core->admission, &w->rq) && shape_object(w, false, st) < 0)
        return -1;
    if (w->old)
        meta_generation(w);
    return validate_object(w, st);
}

static int admit(struct write *w, struct api_status *st)
{
    return admission_validate(&w->core->admission, &w->rq, w->tries ? NULL : w->warn, w->warn_to,
                              st);
}

/* ---- commit ---- */
static int commit_create(struct write *w, struct api_status *st)
{
    int r = w->waited ? check_namespace(w, st) : 0;

    for (int i = 0; r == 0 && i < NAME_TRIES; i++) {
        free(w->key);
        w->key = kind_key(&w->kind->res, w->ns, jm_get_str(w->obj->root, "metadata", "name"));
        if (!store_get_latest(w->core->store, w->key, NULL))
            return commit_put(w, st);
        if (!w->generated)
            break;
        meta_name_again(w);
    }
    return r < 0 ? r
                 : api_fail_exists(st, &w->kind->res, jm_get_str(w->obj->root, "metadata", "name"));
}

static bool same_as_stored(const struct write *w)
{
    static const char *const rest[] = {"metadata", NULL};
    static const char *const rv[] = {"resourceVersion", NULL};
    yyjson_val *old = kobj_root(w->old);

    return tree_equal_without(w->obj->root, old, rest) &&
           tree_equal_without(yyjson_mut_obj_get(w->obj->root, "metadata"), jget(old, "metadata"),
                              rv);
}

static int commit_update(struct write *w, struct api_status *st)
{
    if (meta_may_go(w->kind, w->obj))
        return commit_remove(w, st);
    if (same_as_stored(w))
        return commit_nothing(w, st);
    return commit_put(w, st);
}

static int commit(struct write *w, struct api_status *st)
{
    int r = w->creates ? commit_create(w, st) : commit_update(w, st);

    if (r == -ESTALE && w->waited && w->tries < TRIES) {
        api_status_done(st);
        return STEP_AGAIN;
    }
    return r < 0 ? -1 : STEP_ENDED;
}

/* ---- the machine ---- */
typedef int stage_fn(struct write *w, struct api_status *st);
static stage_fn *const stages[] = {
    [WRITE_LOAD] = load,     [WRITE_CHANGE] = change, [WRITE_SHAPE] = shape,
    [WRITE_MUTATE] = mutate, [WRITE_CHECK] = check,   [WRITE_ADMIT] = admit,
    [WRITE_COMMIT] = commit,
};
_Static_assert((int)STEP_WAITS == ADMISSION_LATER, "a hook's word is a step");

static void run(struct write *w)
{
    _cleanup_status_ struct api_status st = {0};

    for (;;) {
        switch (stages[w->stage](w, &st)) {
        case STEP_NEXT:
            write_set_stage(w, w->stage + 1);
            break;
        case STEP_WAITS:
            w->waited = true;
            return;
        case STEP_AGAIN:
            w->tries++;
            write_set_stage(w, WRITE_LOAD);
            break;
        case STEP_ENDED:
            return;
        default:
            write_fail(w, &st);
            return;
        }
    }
}

static void go_on(void *ctx)
{
    struct write *w = ctx;
    _cleanup_status_ struct api_status st = {0};

    if (!w->core->closing) {
        run(w);
        return;
    }
    api_fail(&st, 503, "ServiceUnavailable", "the API server is shutting down");
    write_fail(w, &st);
}

static void start(struct write *w)
{
    assert(w->input || w->change);
    write_begin(w);
    run(w);
}

void write_create(struct write *w)
{
    w->creates = true;
    start(w);
}

void write_update(struct write *w)
{
    start(w);
}
