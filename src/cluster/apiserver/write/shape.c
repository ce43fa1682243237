/* See shape.h. */
#include "cluster/apiserver/write/shape.h"

#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/types/ktype.h"
#include "cluster/apiserver/write/meta.h"

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
    if (u->w->validation == VALIDATE_WARN && u->w->warn && !u->w->tries) {
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

int shape_object(struct write *w, bool report, struct api_status *st)
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
    if (b->warn && w->warn && !w->sub[0])
        b->warn(w->obj, w->warn, w->warn_to);
}

int validate_object(struct write *w, struct api_status *st)
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
