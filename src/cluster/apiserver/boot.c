/*
 * Start-up: the namespaces that always exist and the CRDs of the product are created, or brought up
 * to date, by the same writes that clients make. Ready once the last of them is on disk; a failure
 * is told to whoever waits.
 */
#include <errno.h>

#include "cluster/apiserver/core.h"
#include "json/yaml.h"

struct waiter {
    void (*fn)(void *ctx, const struct err *why);
    void *ctx;
};
struct boot {
    struct apiserver *a;
    size_t pending;
    struct err err;
    bool failed, done;
    bool deferred, dead; /* freed while calls are on their way: by the last of them */
    VEC(struct waiter) waiters;
};
struct step {
    struct boot *b;
    struct write w;
    char *what;
};

static void tell(void *arg)
{
    struct boot *b = arg;

    b->deferred = false;
    if (b->dead) {
        free(b);
        return;
    }
    b->done = true;
    b->a->ready = !b->failed;
    for (size_t i = 0; i < b->waiters.n; i++)
        b->waiters.p[i].fn(b->waiters.p[i].ctx, b->failed ? &b->err : NULL);
    vec_done(&b->waiters);
}

static void later(struct boot *b)
{
    if (!b->deferred)
        loop_defer(b->a->loop, tell, b);
    b->deferred = true;
}

static void settle(struct boot *b)
{
    if (--b->pending)
        return;
    if (b->dead)
        free(b);
    else
        later(b);
}

static void step_done(void *ctx, const struct api_status *fail, struct str object, bool deleted)
{
    struct step *s = ctx;
    struct boot *b = s->b;

    if (fail && !b->failed) {
        b->failed = true;
        err_set(&b->err, -EIO, "installing %s: %s", s->what, fail->message);
    }
    write_clear(&s->w);
    free(s->what);
    free(s);
    settle(b);
}

/* Creates, or brings the stored object's spec to the given one. Takes obj. */
static void install(struct boot *b, const struct kube_resource *res, struct kmut *obj, bool update)
{
    struct step *s = xnew(struct step);
    _cleanup_status_ struct api_status st = {0};
    const char *name = jm_get_str(obj->root, "metadata", "name");

    s->b = b;
    s->what = xasprintf("%s %s", res->kind, name ? name : "without a name");
    s->w = (struct write){.a = b->a,
                          .kind = kinds_storage(b->a->kinds, res->group, res->plural),
                          .sub = "",
                          .user = "system:apiserver",
                          .validation = VALIDATE_IGNORE,
                          .done = step_done,
                          .ctx = s};
    b->pending++;
    if (name && write_load(&s->w, "", name, &st) == 0) {
        if (!update) {
            kmut_free(obj);
            step_done(s, NULL, STR_NULL, false);
            return;
        }
        s->w.obj = obj;
        if (write_update(&s->w, "", name, &st) == 0)
            return;
    } else if (!st.code || st.code == 404) {
        api_status_done(&st);
        s->w.obj = obj;
        if (write_create(&s->w, "", &st) == 0)
            return;
    } else {
        kmut_free(obj);
    }
    step_done(s, &st, STR_NULL, false);
}

static int install_crd(void *ctx, yyjson_doc *doc, struct err *e)
{
    struct kmut *m = xnew(struct kmut);

    m->d = yyjson_doc_mut_copy(doc, NULL);
    m->root = yyjson_mut_doc_get_root(m->d);
    yyjson_doc_free(doc);
    if (!yyjson_mut_is_obj(m->root)) {
        kmut_free(m);
        return err_set(e, -EINVAL, "a CRD is not an object");
    }
    install(ctx, &KR_CRD, m, true);
    return 0;
}

struct boot *boot_start(struct apiserver *a, const char *const *crds, struct err *e)
{
    static const char *const namespaces[] = {"default", "kube-system", "knative-serving"};
    struct boot *b = xnew(struct boot);

    a->boot = b;
    b->a = a;
    b->pending = 1;
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
        install(b, &KR_NAMESPACE, kmut_new(&KR_NAMESPACE, NULL, namespaces[i]), false);
    for (size_t i = 0; crds && crds[i]; i++)
        if (yaml_parse_stream(crds[i], strlen(crds[i]), install_crd, b, e) < 0) {
            err_prefix(e, "reading the built-in CRD %zu", i);
            b->failed = true;
            if (e)
                b->err = *e;
        }
    settle(b);
    return b;
}

void boot_on_ready(struct boot *b, void (*fn)(void *ctx, const struct err *why), void *ctx)
{
    struct waiter w = {fn, ctx};

    vec_push(&b->waiters, w);
    if (b->done)
        later(b);
}

void boot_free(struct boot *b)
{
    if (!b)
        return;
    vec_done(&b->waiters);
    b->dead = true;
    if (!b->pending && !b->deferred)
        free(b);
}
