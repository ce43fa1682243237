/*
 * The core is held from a write's start to its end, so that what the store or a hook still owes can
 * be told although the server has gone. A write's end releases it last: the write itself may be
 * gone by then.
 */
#include "cluster/apiserver/write/commit.h"

#include <assert.h>
#include <errno.h>

#include "base/limits.h"
#include "cluster/apiserver/kinds/canon.h"
#include "cluster/apiserver/write/claim.h"
#include "cluster/apiserver/write/meta.h"

void write_clear(struct write *w)
{
    kmut_free(steal(&w->input));
    kmut_free(steal(&w->obj));
    kobj_unref(w->old);
    w->old = NULL;
    free(steal(&w->key));
    free(steal(&w->text));
}

int write_load(struct write *w, struct api_status *st)
{
    _cleanup_free_ char *key = kind_key(&w->kind->res, w->ns, w->name);
    const struct store_obj *o = store_get_latest(w->core->store, key, NULL);
    struct err e = {0};

    if (!o && store_damaged(w->core->store, key, &e) < 0)
        return api_fail_store(st, &e);
    if (!o)
        return api_fail_not_found(st, &w->kind->res, w->name);
    struct str b = store_obj_bytes(o);

    kobj_unref(w->old);
    w->old = kobj_parse(b.p, b.n, &e);
    if (!w->old)
        return api_fail(st, 500, "InternalError",
                        "Internal error occurred: reading the stored %s: %s", key, e.msg);
    w->old_rev = store_obj_rev(o);
    free(w->key);
    w->key = steal(&key);
    return 0;
}

/* ---- stages ---- */
void write_set_stage(struct write *w, enum write_stage to)
{
    assert(w->stage != WRITE_ENDED);
    assert(to == w->stage + 1 || to == WRITE_LOAD || to == WRITE_ENDED);
    w->stage = to;
}

void write_begin(struct write *w)
{
    assert(w->stage == WRITE_IDLE && w->user && w->done);
    api_core_ref(w->core);
    write_set_stage(w, WRITE_LOAD);
}

static void give_back(struct write *w)
{
    if (w->held)
        claim_give_back(w->core, w->kind, w->obj->root, kobj_root(w->old));
    w->held = false;
}

static void end(struct write *w, struct api_status *fail, struct str object, bool deleted)
{
    struct api_core *core = w->core;

    write_set_stage(w, WRITE_ENDED);
    if (fail)
        give_back(w);
    w->done(w->ctx, fail, object, deleted);
    api_core_unref(core);
}

void write_fail(struct write *w, struct api_status *st)
{
    end(w, st, STR_NULL, false);
}

/* ---- text ---- */
static char *make(void *ctx, uint64_t rev, size_t *ret_n)
{
    struct write *w = ctx;

    return canon_with_rev((struct str){w->text, w->text_n}, rev, ret_n);
}

/* The text that goes into the store. */
static int stored_form(struct write *w, struct api_status *st)
{
    free(w->text);
    w->text = canon_text(w->obj, &w->text_n);
    if (w->text)
        return 0;
    return api_fail(st, 500, "InternalError",
                    "Internal error occurred: an object of kind %s cannot be stored: its type must "
                    "not need escaping in JSON",
                    w->kind->res.kind);
}

static int serialize(struct write *w, struct api_status *st)
{
    if (stored_form(w, st) < 0)
        return -1;
    if (w->text_n > LIMIT_OBJECT)
        return api_fail(st, 413, "RequestEntityTooLarge",
                        "Request entity too large: limit is %d, the object has %zu bytes",
                        LIMIT_OBJECT, w->text_n);
    return 0;
}

/* Answers with the text as if it had this revision. */
static void pretend(struct write *w, bool deleted)
{
    struct str text = {0};
    _cleanup_free_ char *p = canon_with_rev((struct str){w->text, w->text_n}, w->old_rev, &text.n);

    text.p = p;
    give_back(w);
    end(w, NULL, text, deleted);
}

/* ---- the store ---- */
static void stored(struct write *w, const struct err *err, const struct store_obj *obj,
                   bool deleted)
{
    _cleanup_status_ struct api_status st = {0};

    if (err)
        api_fail_store(&st, err);
    end(w, err ? &st : NULL, obj ? store_obj_bytes(obj) : (struct str){w->text, w->text_n},
        deleted);
}

static void on_put(void *ctx, const struct err *err, const struct store_obj *obj)
{
    stored(ctx, err, obj, false);
}

static void on_deleted(void *ctx, const struct err *err, const struct store_obj *obj)
{
    stored(ctx, err, obj, true);
}

static int refused(struct write *w, int r, const struct err *e, struct api_status *st)
{
    const char *name = jm_get_str(w->obj->root, "metadata", "name");

    give_back(w);
    if (r == -EEXIST)
        return api_fail_exists(st, &w->kind->res, name);
    if (r == -ENOENT)
        return api_fail_not_found(st, &w->kind->res, name);
    if (r != -ESTALE)
        return api_fail_store(st, e);
    api_fail_conflict(st, &w->kind->res, name, NULL);
    return -ESTALE;
}

/* ---- the last steps ---- */
static int put_as_it_is(struct write *w, struct api_status *st)
{
    struct err e = {0};

    if (serialize(w, st) < 0)
        return -1;
    if (w->dry_run) {
        pretend(w, false);
        return 0;
    }
    int r = store_put(w->core->store, w->key, w->old_rev, make, w, on_put, w, &e);

    return r < 0 ? refused(w, r, &e, st) : 0;
}

int commit_put(struct write *w, struct api_status *st)
{
    if (!w->sub[0] && claim_take(w->core, w->kind, w->obj, kobj_root(w->old), &w->held, st) < 0)
        return -1;
    return put_as_it_is(w, st);
}

int commit_remove(struct write *w, struct api_status *st)
{
    struct err e = {0};

    if (stored_form(w, st) < 0)
        return -1;
    if (w->dry_run) {
        pretend(w, true);
        return 0;
    }
    int r = store_delete(w->core->store, w->key, w->old_rev, make, w, on_deleted, w, &e);

    return r < 0 ? refused(w, r, &e, st) : 0;
}

int commit_nothing(struct write *w, struct api_status *st)
{
    if (serialize(w, st) < 0)
        return -1;
    pretend(w, false);
    return 0;
}

/* ---- without admission and validation ---- */
static void raw(struct write *w, int (*step)(struct write *w, struct api_status *st))
{
    _cleanup_status_ struct api_status st = {0};

    if (step(w, &st) < 0)
        end(w, &st, STR_NULL, false);
}

void write_store(struct write *w)
{
    raw(w, put_as_it_is);
}

void write_remove(struct write *w)
{
    if (!w->obj)
        w->obj = kmut_from(w->old);
    raw(w, commit_remove);
}

void write_keep(struct write *w)
{
    struct str text;
    _cleanup_free_ char *p = json_text(kobj_root(w->old), &text.n);

    text.p = p;
    end(w, NULL, text, false);
}
