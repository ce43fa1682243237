/*
 * Custom resource definitions as objects, and their effect on the registry. The store's watch
 * drives the registry, so a kind is served exactly when its definition is on disk. A definition
 * carries a finalizer: its deletion first deletes the objects (each by its own rules), and the
 * finalizer goes when none is left.
 */
#include "base/clock.h"
#include "cluster/apiserver/kinds/builtin.h"
#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/core.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"

#define PREFIX "apiextensions.k8s.io/customresourcedefinitions/"

/* A definition that is being deleted, until its last object is gone. */
struct cleanup {
    struct list link;
    struct apiserver *a;
    char *name, *group, *plural, *prefix;
    struct store_watch *watch;
    bool deferred; /* a call is on its way and frees it if it is dead by then */
    bool dead;
};

struct crd_life {
    struct apiserver *a;
    struct store_watch *watch;
    struct list cleanups;
};

/* ---- the definition as an object ---- */
static void set_condition(struct kmut *o, const char *type, const char *reason, const char *message)
{
    yyjson_mut_val *list = jm_arr(KM(o), "status", "conditions"), *c = NULL;
    char now[RFC3339_LEN];

    TREE_EACH(one, list)
    if (streq(jm_get_str(one, "type"), type))
        c = one;
    if (c)
        return;
    meta_now(now);
    c = jm_add_obj(o->d, list);
    jm_set_str(o->d, c, type, "type");
    jm_set_str(o->d, c, "True", "status");
    jm_set_str(o->d, c, now, "lastTransitionTime");
    jm_set_str(o->d, c, reason, "reason");
    jm_set_str(o->d, c, message, "message");
}

static void name_defaults(struct kmut *o)
{
    const char *kind = jm_get_str(o->root, "spec", "names", "kind");

    if (!kind)
        return;
    if (!jm_get_str(o->root, "spec", "names", "singular")) {
        _cleanup_free_ char *lower = xstrdup(kind);

        for (char *c = lower; *c; c++)
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        jm_set_str(KM(o), lower, "spec", "names", "singular");
    }
    if (!jm_get_str(o->root, "spec", "names", "listKind")) {
        _cleanup_free_ char *list = xasprintf("%sList", kind);

        jm_set_str(KM(o), list, "spec", "names", "listKind");
    }
}

static void add_finalizer(struct kmut *o)
{
    yyjson_mut_val *list = jm_arr(KM(o), "metadata", "finalizers");

    TREE_EACH(f, list)
    if (streq(yyjson_mut_get_str(f), CRD_FINALIZER))
        return;
    jm_add_str(o->d, list, CRD_FINALIZER);
}

static void stored_versions(struct kmut *o)
{
    yyjson_mut_val *versions = jm_get(o->root, "spec", "versions");
    yyjson_mut_val *stored = jm_arr(KM(o), "status", "storedVersions");

    TREE_EACH(v, versions)
    {
        bool known = false;

        if (!jm_get_bool(v, false, "storage"))
            continue;
        TREE_EACH(s, stored)
        known |= streq(yyjson_mut_get_str(s), jm_get_str(v, "name"));
        if (!known && jm_get_str(v, "name"))
            jm_add_str(o->d, stored, jm_get_str(v, "name"));
    }
}

static void crd_defaults(struct kmut *o, const yyjson_val *old)
{
    if (!yyjson_mut_is_obj(jm_get(o->root, "spec", "names")))
        return;
    name_defaults(o);
    if (!jm_get(o->root, "spec", "conversion", "strategy"))
        jm_set_str(KM(o), "None", "spec", "conversion", "strategy");
    if (!jm_get(o->root, "metadata", "deletionTimestamp"))
        add_finalizer(o);
    jm_set(KM(o), yyjson_mut_val_mut_copy(o->d, jm_get(o->root, "spec", "names")), "status",
           "acceptedNames");
    set_condition(o, "NamesAccepted", "NoConflicts", "no conflicts found");
    set_condition(o, "Established", "InitialNamesAccepted", "the initial names have been accepted");
    stored_versions(o);
}

static void crd_validate(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    static const char *const fixed[] = {"group", "scope"};
    struct api_kind *kinds[CRD_MAX_VERSIONS];
    _cleanup_jdoc_ yyjson_doc *d = yyjson_mut_val_imut_copy(o->root, NULL);
    const yyjson_val *root = yyjson_doc_get_root(d);
    size_t n = 0;

    if (!yyjson_is_obj(jget(root, "spec"))) {
        field_required(errs, "spec", NULL);
        return;
    }
    if (crd_kinds(root, kinds, &n, CRD_MAX_VERSIONS, errs) == 0)
        while (n)
            api_kind_unref(kinds[--n]);
    for (size_t i = 0; old && i < ARRAY_LEN(fixed); i++) {
        _cleanup_free_ char *path = xasprintf("spec.%s", fixed[i]);

        if (!streq(jget_str(root, "spec", fixed[i]), jget_str(old, "spec", fixed[i])))
            field_invalid_str(errs, path, jget_str(root, "spec", fixed[i]), "field is immutable");
    }
}

static int crd_claim_names(struct apiserver *a, struct kmut *o, const yyjson_val *old,
                           struct field_errors *errs)
{
    const char *group = jm_get_str(o->root, "spec", "group");
    const char *plural = jm_get_str(o->root, "spec", "names", "plural");
    const char *kind = jm_get_str(o->root, "spec", "names", "kind");
    const struct api_kind *there = kinds_storage(a->kinds, group, plural);

    if (there && there->builtin)
        field_invalid_str(errs, "spec.names.plural", plural, "is a built-in resource");
    if (kinds_clash(a->kinds, group, plural, kind))
        field_invalid_str(errs, "spec.names.kind", kind, "\"%s\" is already in use", kind);
    return errs->v.n ? -1 : 0;
}

/* ---- deletion of a definition ---- */
static void cleanup_free(struct cleanup *c)
{
    if (c->watch)
        store_watch_stop(c->watch);
    list_del(&c->link);
    free(c->name);
    free(c->group);
    free(c->plural);
    free(c->prefix);
    free(c);
}

static void write_done(void *ctx, const struct api_status *fail, struct str object, bool deleted)
{
    struct write *w = ctx;

    write_clear(w);
    api_kind_unref(w->kind);
    free(w);
}

static struct write *internal_write(struct apiserver *a, const struct api_kind *kind)
{
    struct write *w = xnew(struct write);

    *w = (struct write){.a = a,
                        .kind = api_kind_ref(kind),
                        .sub = "",
                        .user = "system:apiserver",
                        .validation = VALIDATE_IGNORE,
                        .done = write_done};
    w->ctx = w;
    return w;
}

static int delete_one(void *ctx, const struct store_obj *so)
{
    struct cleanup *c = ctx;
    const struct api_kind *kind = kinds_storage(c->a->kinds, c->group, c->plural);
    struct delete_options o = {.grace = 0, .propagation = "Background"};
    _cleanup_status_ struct api_status st = {0};
    struct str b = store_obj_bytes(so);
    const struct kobj *obj _cleanup_kobj_ = kobj_parse(b.p, b.n, NULL);

    if (!kind || !obj)
        return 0;
    struct write *w = internal_write(c->a, kind);

    if (write_load(w, kobj_namespace(obj), kobj_name(obj), &st) < 0 ||
        delete_object(w, &o, &st) < 0)
        write_done(w, NULL, STR_NULL, false);
    return 0;
}

static bool drop_finalizer(struct kmut *o)
{
    yyjson_mut_val *list = jm_get(o->root, "metadata", "finalizers");
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    bool hit = false;

    for (yyjson_mut_val *f; list && (f = yyjson_mut_arr_iter_next(&it));)
        if (streq(yyjson_mut_get_str(f), CRD_FINALIZER)) {
            yyjson_mut_arr_iter_remove(&it);
            hit = true;
        }
    return hit;
}

/* True if the owner let go meanwhile. */
static bool arrived_late(struct cleanup *c)
{
    bool late = c->dead;

    c->deferred = false;
    if (late)
        cleanup_free(c);
    return late;
}

static void finish(void *arg)
{
    struct cleanup *c = arg;

    if (arrived_late(c))
        return;
    const struct api_kind *kind = kinds_storage(c->a->kinds, KR_CRD.group, KR_CRD.plural);
    struct write *w = internal_write(c->a, kind);
    _cleanup_status_ struct api_status st = {0};
    int r = write_load(w, "", c->name, &st);

    if (r == 0) {
        w->obj = kmut_from(w->old);
        if (drop_finalizer(w->obj))
            r = meta_may_go(kind, w->obj) ? write_delete(w, &st) : write_raw(w, &st);
        else
            r = -1;
    }
    if (r < 0)
        write_done(w, NULL, STR_NULL, false);
    cleanup_free(c);
}

static void check_empty(struct cleanup *c)
{
    if (c->deferred || store_count(c->a->store, c->prefix))
        return;
    c->deferred = true;
    loop_defer(c->a->loop, finish, c); /* not inside the store's dispatch */
}

static void on_object(void *ctx, enum store_event ev, const struct store_obj *o,
                      const struct store_obj *prev)
{
    if (ev == STORE_DELETED)
        check_empty(ctx);
}

static void cleanup_begin(void *arg)
{
    struct cleanup *c = arg;

    if (arrived_late(c))
        return;
    c->watch =
        store_watch_start(c->a->store, c->prefix, store_rev(c->a->store), on_object, c, NULL);
    store_each(c->a->store, c->prefix, delete_one, c);
    check_empty(c);
}

static void cleanup_start(struct crd_life *l, const yyjson_val *crd)
{
    const char *name = jget_str(crd, "metadata", "name");

    list_for_each(it,
                  &l->cleanups) if (streq(list_entry(it, struct cleanup, link)->name, name)) return;
    struct cleanup *c = xnew(struct cleanup);

    c->a = l->a;
    c->name = xstrdup(name);
    c->group = xstrdup(jget_str(crd, "spec", "group"));
    c->plural = xstrdup(jget_str(crd, "spec", "names", "plural"));
    c->prefix = xasprintf("%s/%s/", c->group, c->plural);
    list_push_back(&l->cleanups, &c->link);
    c->deferred = true;
    loop_defer(l->a->loop, cleanup_begin, c);
}

/* ---- registration ---- */
static void apply(struct crd_life *l, const struct store_obj *o, bool gone)
{
    struct api_kind *list[CRD_MAX_VERSIONS];
    _cleanup_errors_ struct field_errors errs = {0};
    struct str b = store_obj_bytes(o);
    _cleanup_jdoc_ yyjson_doc *d = json_parse(b.p, b.n, NULL);
    const yyjson_val *crd = yyjson_doc_get_root(d);
    const char *group = jget_str(crd, "spec", "group");
    const char *plural = jget_str(crd, "spec", "names", "plural");
    size_t n = 0;

    if (!group || !plural)
        return;
    if (!gone && crd_kinds(crd, list, &n, CRD_MAX_VERSIONS, &errs) < 0)
        return;
    kinds_replace(l->a->kinds, group, plural, list, n);
    if (!gone && jget_str(crd, "metadata", "deletionTimestamp"))
        cleanup_start(l, crd);
}

static int load(void *ctx, const struct store_obj *o)
{
    apply(ctx, o, false);
    return 0;
}

static void on_definition(void *ctx, enum store_event ev, const struct store_obj *o,
                          const struct store_obj *prev)
{
    apply(ctx, o, ev == STORE_DELETED);
}

struct crd_life *crd_life_new(struct apiserver *a, struct err *e)
{
    struct crd_life *l = xnew(struct crd_life);

    l->a = a;
    list_init(&l->cleanups);
    store_each(a->store, PREFIX, load, l);
    l->watch = store_watch_start(a->store, PREFIX, store_rev(a->store), on_definition, l, e);
    if (l->watch)
        return l;
    crd_life_free(l);
    return NULL;
}

static void cleanup_drop(struct cleanup *c)
{
    if (!c->deferred) {
        cleanup_free(c);
        return;
    }
    c->dead = true;
    list_del(&c->link);
    if (c->watch)
        store_watch_stop(steal(&c->watch));
}

void crd_life_free(struct crd_life *l)
{
    if (!l)
        return;
    if (l->watch)
        store_watch_stop(l->watch);
    list_for_each_safe(it, &l->cleanups) cleanup_drop(list_entry(it, struct cleanup, link));
    free(l);
}

const struct builtin builtin_crd = {
    .type = &kt_custom_resource_definition,
    .defaults = crd_defaults,
    .validate = crd_validate,
    .allocate = crd_claim_names,
    .columns = columns_crd,
};
