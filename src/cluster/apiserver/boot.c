/*
 * Start-up: the namespaces that always exist and the CRDs of the product are created, or brought up
 * to date, by the same writes that clients make. Ready once the last of them is on disk; a failure
 * is told to whoever waits.
 */
#include "cluster/apiserver/boot.h"

#include <errno.h>

#include "base/vec.h"
#include "cluster/apiserver/write/write.h"
#include "json/yaml.h"

struct waiter {
    void (*fn)(void *ctx, const struct err *why);
    void *ctx;
};
struct boot {
    struct api_core *core;
    size_t pending;
    struct err err;
    bool failed, done;
    bool deferred, dead; /* freed while calls are on their way: by the last of them */
    VEC(struct waiter) waiters;
};
struct step {
    struct boot *b;
    struct write w;
    char *what, *name;
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
    for (size_t i = 0; i < b->waiters.n; i++)
        b->waiters.p[i].fn(b->waiters.p[i].ctx, b->failed ? &b->err : NULL);
    vec_done(&b->waiters);
}

static void later(struct boot *b)
{
    if (!b->deferred)
        loop_defer(b->core->loop, tell, b);
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

static void step_done(void *ctx, struct api_status *fail, struct str object, bool deleted)
{
    struct step *s = ctx;
    struct boot *b = s->b;

    if (fail && !b->failed) {
        b->failed = true;
        err_set(&b->err, -EIO, "installing %s: %s", s->what, fail->message);
    }
    write_clear(&s->w);
    free(s->what);
    free(s->name);
    free(s);
    settle(b);
}

/* Creates, or brings the stored object's spec to the given one. Takes obj. */
static void install(struct boot *b, const struct kube_resource *res, struct kmut *obj, bool update)
{
    const char *name = jm_get_str(obj->root, "metadata", "name");
    _cleanup_free_ char *key = kind_key(res, "", name ? name : "");
    bool there = store_get_latest(b->core->store, key, NULL);
    struct step *s;

    if (there && !update) {
        kmut_free(obj);
        return;
    }
    s = xnew(struct step);
    s->b = b;
    s->what = xasprintf("%s %s", res->kind, name ? name : "without a name");
    s->name = xstrdup(name ? name : "");
    s->w = (struct write){.core = b->core,
                          .kind = kinds_storage(b->core->kinds, res->group, res->plural),
                          .ns = "",
                          .name = s->name,
                          .sub = "",
                          .user = &api_server_user,
                          .validation = VALIDATE_IGNORE,
                          .input = obj,
                          .done = step_done,
                          .ctx = s};
    b->pending++;
    if (there)
        write_update(&s->w);
    else
        write_create(&s->w);
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

struct boot *boot_start(struct api_core *core, const char *const *crds, struct err *e)
{
    static const char *const namespaces[] = {"default", "kube-system", "knative-serving"};
    struct boot *b = xnew(struct boot);

    b->core = core;
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

bool boot_is_ready(const struct boot *b)
{
    return b->done && !b->failed;
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
