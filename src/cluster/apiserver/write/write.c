/*
 * The way of a write: metadata → prune → default → mutating admission (then prune and default
 * again) → generation → validation → validating admission → allocation → store. Everything up to
 * the store's acceptance happens in one turn of the loop against the newest version (in flight
 * included), so a patch needs no retry: nothing can come between its reading and its writing. One
 * serialization: the revision is put into the finished text.
 */
#include <errno.h>

#include "base/limits.h"
#include "cluster/apiserver/core.h"
#include "cluster/apiserver/kinds/canon.h"
#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/types/ktype.h"

#define NAME_TRIES 8

void write_clear(struct write *w)
{
    kmut_free(steal(&w->obj));
    kobj_unref(w->old);
    w->old = NULL;
    free(steal(&w->key));
    free(steal(&w->text));
}

int write_load(struct write *w, const char *ns, const char *name, struct api_status *st)
{
    _cleanup_free_ char *key = kind_key(&w->kind->res, ns, name);
    const struct store_obj *o = store_get_latest(w->a->store, key, NULL);
    struct err e = {0};

    if (!o)
        return api_fail_not_found(st, &w->kind->res, name);
    struct str b = store_obj_bytes(o);

    kobj_unref(w->old);
    w->old = kobj_parse(b.p, b.n, &e);
    if (!w->old)
        return api_fail(st, 500, "InternalError",
                        "Internal error occurred: reading the stored %s: %s", key, e.msg);
    w->old_rev = store_obj_rev(o);
    free(w->key);
    w->key = steal(&key);
    w->size_hint += b.n;
    return 0;
}

/* ---- unknown fields ---- */
struct unknown {
    struct write *w;
    struct buf list;
    size_t n;
};

static void on_unknown(void *ctx, const char *path)
{
    struct unknown *u = ctx;

    if (u->n++ >= 20)
        return;
    buf_addf(&u->list, "%sunknown field \"%s\"", u->n > 1 ? ", " : "", path);
    if (u->w->validation == VALIDATE_WARN && u->w->warn) {
        _cleanup_free_ char *text = xasprintf("unknown field \"%s\"", path);

        u->w->warn(u->w->warn_to, text);
    }
}

/* Fields that a table or a schema does not know fail a strict write. */
static int judge_unknown(const struct write *w, struct unknown *u, struct api_status *st)
{
    const struct kube_resource *r = &w->kind->res;

    if (u->n && w->validation == VALIDATE_STRICT)
        api_fail_bad(st,
                     "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s",
                     r->kind, r->version, r->kind, buf_z(&u->list));
    buf_done(&u->list);
    return st->code ? -1 : 0;
}

static int decode_fields(struct write *w, bool report, struct api_status *st)
{
    const struct kube_resource *r = &w->kind->res;
    struct unknown u = {w, BUF_INIT(16 * 1024), 0};
    struct kdecode how = {report ? on_unknown : NULL, &u, !streq(w->sub, "status")};
    struct err e = {0};

    if (ktype_decode(w->kind->builtin->type, w->obj->d, w->obj->root, &how, &e) < 0)
        api_fail_bad(st, "%s in version \"%s\" cannot be handled as a %s: %s", r->kind, r->version,
                     r->kind, e.msg);
    return judge_unknown(w, &u, st);
}

static int shape(struct write *w, bool report, struct api_status *st)
{
    const struct api_kind *k = w->kind;

    if (k->builtin) {
        if (decode_fields(w, report, st) < 0)
            return -1;
        if (k->builtin->defaults && !streq(w->sub, "status"))
            k->builtin->defaults(w->obj, kobj_root(w->old));
        return 0;
    }
    struct unknown u = {w, BUF_INIT(16 * 1024), 0};

    schema_prune(k->schema, w->obj->root, report ? on_unknown : NULL, &u);
    schema_default(k->schema, w->obj->d, w->obj->root);
    return judge_unknown(w, &u, st);
}

static void validate_fields(const struct write *w, struct field_errors *errs)
{
    const struct builtin *b = w->kind->builtin;
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;

    if (streq(w->sub, "status"))
        return;
    ktype_check(b->type, w->obj->root, &path, errs);
    if (b->validate)
        b->validate(w->obj, kobj_root(w->old), errs);
}

static int validate(struct write *w, struct api_status *st)
{
    _cleanup_errors_ struct field_errors errs = {0};
    const struct api_kind *k = w->kind;
    const char *name = jm_get_str(w->obj->root, "metadata", "name");

    meta_validate(w, &errs);
    if (k->schema)
        schema_validate(k->schema, w->obj->root, &errs);
    if (k->builtin)
        validate_fields(w, &errs);
    if (errs.v.n)
        return api_fail_invalid(st, &k->res, name ? name : "", &errs);
    return 0;
}

/* From the shaped object to one that may be stored. */
static int process(struct write *w, struct api_status *st)
{
    bool mutated;

    if (shape(w, w->validation != VALIDATE_IGNORE && !w->sub[0], st) < 0 ||
        admit_mutate(w, &mutated, st) < 0)
        return -1;
    if (mutated && shape(w, false, st) < 0)
        return -1;
    if (w->old)
        meta_generation(w);
    if (validate(w, st) < 0)
        return -1;
    return admit_validate(w, st);
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

static int allocate(struct write *w, struct api_status *st)
{
    _cleanup_errors_ struct field_errors errs = {0};
    const struct builtin *b = w->kind->builtin;
    const char *name = jm_get_str(w->obj->root, "metadata", "name");

    if (!b || !b->allocate || w->sub[0])
        return 0;
    if (b->allocate(w->a, w->obj, kobj_root(w->old), &errs) < 0 || errs.v.n)
        return errs.v.n ? api_fail_invalid(st, &w->kind->res, name, &errs)
                        : api_fail(st, 500, "InternalError", "no address is left to allocate");
    w->allocated = b->release != NULL;
    return 0;
}

static void release(struct write *w)
{
    if (w->allocated)
        w->kind->builtin->release(w->a, w->obj->root, kobj_root(w->old));
    w->allocated = false;
}

/* ---- the store ---- */
static char *make(void *ctx, uint64_t rev, size_t *ret_n)
{
    struct write *w = ctx;

    return canon_with_rev((struct str){w->text, w->text_n}, rev, ret_n);
}

static void stored(struct write *w, const struct err *err, const struct store_obj *obj,
                   bool deleted)
{
    _cleanup_status_ struct api_status st = {0};
    struct apiserver *a = w->a;

    if (err) {
        release(w);
        api_fail(&st, 500, "InternalError", "Internal error occurred: %s", err->msg);
    }
    w->done(w->ctx, err ? &st : NULL, obj ? store_obj_bytes(obj) : (struct str){w->text, w->text_n},
            deleted);
    apiserver_write_ended(a);
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

    release(w);
    if (r == -EEXIST)
        return api_fail_exists(st, &w->kind->res, name);
    if (r == -ESTALE)
        return api_fail_conflict(st, &w->kind->res, name, NULL);
    if (r == -ENOENT)
        return api_fail_not_found(st, &w->kind->res, name);
    return api_fail(st, 500, "InternalError", "Internal error occurred: %s", e->msg);
}

static int accepted(struct write *w, int r, const struct err *e, struct api_status *st)
{
    if (r < 0)
        return refused(w, r, e, st);
    w->a->in_flight++;
    return 0;
}

static int submit(struct write *w, struct api_status *st)
{
    struct err e = {0};

    if (serialize(w, st) < 0) {
        release(w);
        return -1;
    }
    if (w->dry_run) {
        size_t n;
        _cleanup_free_ char *as_was =
            canon_with_rev((struct str){w->text, w->text_n}, w->old_rev, &n);

        release(w);
        w->done(w->ctx, NULL, (struct str){as_was, n}, false);
        return 0;
    }
    int r = store_put(w->a->store, w->key, w->old_rev, make, w, on_put, w, &e);

    return accepted(w, r, &e, st);
}

int write_raw(struct write *w, struct api_status *st)
{
    return submit(w, st);
}

/* ---- create ---- */
static int check_namespace(struct write *w, const char *ns, struct api_status *st)
{
    if (!w->kind->res.namespaced)
        return 0;
    if (!ns || !*ns)
        return api_fail_bad(st, "an empty namespace may not be set during creation");
    _cleanup_free_ char *key = kind_key(&KR_NAMESPACE, "", ns);
    const struct store_obj *o = store_get_latest(w->a->store, key, NULL);

    if (!o)
        return api_fail_not_found(st, &KR_NAMESPACE, ns);
    struct str b = store_obj_bytes(o);

    if (!memmem(b.p, b.n, "\"deletionTimestamp\"", 19))
        return 0;
    const struct kobj *n _cleanup_kobj_ = kobj_parse(b.p, b.n, NULL);

    if (!n || !kobj_deleting(n))
        return 0;
    const char *name = jm_get_str(w->obj->root, "metadata", "name");

    api_fail_forbidden(st, &w->kind->res, name ? name : "",
                       "unable to create new content in namespace %s because it is being "
                       "terminated",
                       ns);
    st->cause = "NamespaceTerminating";
    return -1;
}

static int create_once(struct write *w, const char *ns, struct api_status *st)
{
    free(w->key);
    w->key = kind_key(&w->kind->res, ns, jm_get_str(w->obj->root, "metadata", "name"));
    if (store_get_latest(w->a->store, w->key, NULL))
        return api_fail_exists(st, &w->kind->res, jm_get_str(w->obj->root, "metadata", "name"));
    if (allocate(w, st) < 0)
        return -1;
    return submit(w, st);
}

int write_create(struct write *w, const char *ns, struct api_status *st)
{
    bool generated = jm_get_str(w->obj->root, "metadata", "name") == NULL;

    if (w->kind->terminating)
        return api_fail(st, 405, "MethodNotAllowed",
                        "create not allowed while custom resource definition is terminating");
    if (check_namespace(w, ns, st) < 0 || meta_prepare_create(w, ns, st) < 0)
        return -1;
    if (w->kind->has_status)
        jm_del(w->obj->root, "status");
    if (process(w, st) < 0)
        return -1;
    int r = create_once(w, ns, st);

    for (int i = 1; i < NAME_TRIES && r < 0 && generated && st->code == 409; i++) {
        api_status_done(st);
        jm_del(w->obj->root, "metadata", "name");
        jm_del(w->obj->root, "metadata", "resourceVersion");
        r = meta_prepare_create(w, ns, st);
        if (r == 0)
            r = create_once(w, ns, st);
    }
    return r;
}

/* ---- update ---- */
static bool same_as_stored(const struct write *w)
{
    static const char *const rest[] = {"metadata", NULL};
    static const char *const rv[] = {"resourceVersion", NULL};
    yyjson_val *old = kobj_root(w->old);

    return tree_equal_without(w->obj->root, old, rest) &&
           tree_equal_without(yyjson_mut_obj_get(w->obj->root, "metadata"), jget(old, "metadata"),
                              rv);
}

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

int write_update(struct write *w, const char *ns, const char *name, struct api_status *st)
{
    if (meta_prepare_update(w, ns, name, st) < 0)
        return -1;
    keep_rest(w);
    if (process(w, st) < 0)
        return -1;
    if (meta_may_go(w->kind, w->obj))
        return write_delete(w, st);
    if (same_as_stored(w)) {
        size_t n;
        if (serialize(w, st) < 0)
            return -1;
        _cleanup_free_ char *text =
            canon_with_rev((struct str){w->text, w->text_n}, w->old_rev, &n);

        w->done(w->ctx, NULL, (struct str){text, n}, false);
        return 0;
    }
    if (allocate(w, st) < 0)
        return -1;
    return submit(w, st);
}

int write_delete(struct write *w, struct api_status *st)
{
    struct err e = {0};

    if (!w->obj)
        w->obj = kmut_from(w->old);
    if (stored_form(w, st) < 0)
        return -1;
    if (w->dry_run) {
        w->done(w->ctx, NULL, (struct str){w->text, w->text_n}, true);
        return 0;
    }
    int r = store_delete(w->a->store, w->key, w->old_rev, make, w, on_deleted, w, &e);

    return accepted(w, r, &e, st);
}
