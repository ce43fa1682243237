/* See crd_life.h. The finalizer's removal and the deletions are ordinary writes of the server. */
#include "cluster/apiserver/crd_life.h"

#include "base/list.h"
#include "cluster/apiserver/crd/crd.h"
#include "cluster/apiserver/write/bulk.h"
#include "cluster/apiserver/write/delete.h"
#include "cluster/apiserver/write/meta.h"

#define AGAIN_MS 1000
#define PREFIX   "apiextensions.k8s.io/customresourcedefinitions/"

/* A definition that is being deleted, until its last object is gone. */
struct cleanup {
    struct list link;
    struct api_core *core;
    char *name, *group, *plural, *prefix;
    struct store_watch *watch;
    struct timer *again; /* to delete what could not be */
    size_t calls;        /* on their way; the last of them frees what is dead */
    bool finishing, dead;
};

struct crd_life {
    struct api_core *core;
    struct store_watch *watch;
    struct list cleanups;
};

/* ---- deletion of a definition ---- */
static void cleanup_free(struct cleanup *c)
{
    free(c->name);
    free(c->group);
    free(c->plural);
    free(c->prefix);
    free(c);
}

static void cleanup_end(struct cleanup *c)
{
    c->dead = true;
    list_del(&c->link);
    if (c->watch)
        store_watch_stop(steal(&c->watch));
    timer_free(steal(&c->again));
    if (!c->calls)
        cleanup_free(c);
}

/* True if a call came when it was over. */
static bool arrived_late(struct cleanup *c)
{
    bool dead = c->dead;

    c->calls--;
    if (dead && !c->calls)
        cleanup_free(c);
    return dead;
}

struct own_write {
    struct write w;
    char *ns, *name;
};

static void write_done(void *ctx, struct api_status *fail, struct str object, bool deleted)
{
    struct own_write *o = ctx;

    write_clear(&o->w);
    api_kind_unref(o->w.kind);
    free(o->ns);
    free(o->name);
    free(o);
}

static struct write *own_write(struct api_core *core, const struct api_kind *kind, const char *ns,
                               const char *name)
{
    struct own_write *o = xnew(struct own_write);

    o->ns = xstrdup(ns);
    o->name = xstrdup(name);
    o->w = (struct write){.core = core,
                          .kind = api_kind_ref(kind),
                          .ns = o->ns,
                          .name = o->name,
                          .sub = "",
                          .user = &api_server_user,
                          .validation = VALIDATE_IGNORE,
                          .done = write_done,
                          .ctx = o};
    return &o->w;
}

static void delete_one(void *ctx, struct write *w)
{
    static const struct delete_options o = {.grace = 0, .propagation = "Background"};

    write_delete(w, &o);
}

static void drop_hold(struct write *w)
{
    _cleanup_status_ struct api_status st = {0};

    write_begin(w);
    if (write_load(w, &st) < 0) {
        write_fail(w, &st);
        return;
    }
    w->obj = kmut_from(w->old);
    if (!finalizer_drop(w->obj, CRD_FINALIZER))
        write_keep(w);
    else if (meta_may_go(w->kind, w->obj))
        write_remove(w);
    else
        write_store(w);
}

static void finish(void *arg)
{
    struct cleanup *c = arg;

    if (arrived_late(c))
        return;
    drop_hold(own_write(c->core, kinds_storage(c->core->kinds, KR_CRD.group, KR_CRD.plural), "",
                        c->name));
    cleanup_end(c);
}

static void check_empty(struct cleanup *c)
{
    if (c->finishing || store_count(c->core->store, c->prefix))
        return;
    c->finishing = true;
    c->calls++;
    loop_defer(c->core->loop, finish, c); /* not inside the store's dispatch */
}

static void on_object(void *ctx, enum store_event ev, const struct store_obj *o,
                      const struct store_obj *prev)
{
    if (ev == STORE_DELETED)
        check_empty(ctx);
}

/* Says in the definition that its objects are being deleted. */
static void mark_ending(struct write *w)
{
    _cleanup_status_ struct api_status st = {0};

    write_begin(w);
    if (write_load(w, &st) < 0) {
        write_fail(w, &st);
        return;
    }
    w->obj = kmut_from(w->old);
    crd_set_condition(w->obj, "Terminating", true, "InstanceDeletionInProgress",
                      "CustomResource deletion is in progress");
    write_store(w);
}

static void deleted(void *ctx, struct api_status *fail)
{
    struct cleanup *c = ctx;

    if (!arrived_late(c) && fail)
        timer_start(c->again, AGAIN_MS);
}

static void delete_all(void *ctx)
{
    struct cleanup *c = ctx;
    bulk_keys keys = {0};

    store_each(c->core->store, c->prefix, bulk_collect, &keys);
    c->calls++;
    bulk_start(&(struct bulk_opts){.core = c->core,
                                   .user = &api_server_user,
                                   .run = delete_one,
                                   .done = deleted,
                                   .ctx = c},
               &keys);
}

static void cleanup_begin(void *arg)
{
    struct cleanup *c = arg;

    if (arrived_late(c))
        return;
    if (store_count(c->core->store, c->prefix))
        mark_ending(own_write(c->core, kinds_storage(c->core->kinds, KR_CRD.group, KR_CRD.plural),
                              "", c->name));
    c->watch =
        store_watch_start(c->core->store, c->prefix, store_rev(c->core->store), on_object, c, NULL);
    c->again = timer_new(c->core->loop, delete_all, c);
    delete_all(c);
    check_empty(c);
}

static void cleanup_start(struct crd_life *l, const yyjson_val *crd)
{
    const char *name = jget_str(crd, "metadata", "name");

    list_for_each(it,
                  &l->cleanups) if (streq(list_entry(it, struct cleanup, link)->name, name)) return;
    struct cleanup *c = xnew(struct cleanup);

    c->core = l->core;
    c->name = xstrdup(name);
    c->group = xstrdup(jget_str(crd, "spec", "group"));
    c->plural = xstrdup(jget_str(crd, "spec", "names", "plural"));
    c->prefix = xasprintf("%s/%s/", c->group, c->plural);
    list_push_back(&l->cleanups, &c->link);
    c->calls++;
    loop_defer(l->core->loop, cleanup_begin, c);
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
    kinds_replace(l->core->kinds, group, plural, list, n);
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

struct crd_life *crd_life_new(struct api_core *core, struct err *e)
{
    struct crd_life *l = xnew(struct crd_life);

    l->core = core;
    list_init(&l->cleanups);
    store_each(core->store, PREFIX, load, l);
    l->watch = store_watch_start(core->store, PREFIX, store_rev(core->store), on_definition, l, e);
    if (l->watch)
        return l;
    crd_life_free(l);
    return NULL;
}

void crd_life_free(struct crd_life *l)
{
    if (!l)
        return;
    if (l->watch)
        store_watch_stop(l->watch);
    list_for_each_safe(it, &l->cleanups) cleanup_end(list_entry(it, struct cleanup, link));
    free(l);
}
