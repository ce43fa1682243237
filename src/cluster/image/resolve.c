/* Digest resolution: one blocking look-up on the thread pool, with copies of all that the caller
 * may free meanwhile. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cluster/image/registry.h"

struct resolving {
    struct loop *loop;
    struct image_ref ref;
    struct image_auth *auths;
    size_t n_auths;
    uint64_t timeout_ms;
    void (*done)(void *ctx, const char *digest, const struct err *why);
    void *ctx;
    int rc;
    char digest[DIGEST_MAX];
    struct err err;
};

static void work(void *arg)
{
    struct resolving *q = arg;
    /* The time counts from when a thread is free: how long others take is not the registry's fault.
     */
    struct registry_opts o = {.ref = &q->ref,
                              .auths = q->auths,
                              .n_auths = q->n_auths,
                              .deadline_ns = clock_mono_ns() + (int64_t)q->timeout_ms * NS_PER_MS};
    _cleanup_(registry_closep) struct registry *r = registry_open(&o);

    q->rc = registry_resolve(r, q->digest, &q->err);
    if (q->rc == 0 && q->ref.digest[0] && !streq(q->ref.digest, q->digest))
        q->rc =
            err_set(&q->err, -EBADMSG, "image %s@%s: registry %s answers with another digest, %s",
                    q->ref.repository, q->ref.digest, q->ref.registry, q->digest);
}

static void finish(void *arg)
{
    struct resolving *q = arg;

    q->done(q->ctx, q->rc == 0 ? q->digest : NULL, q->rc == 0 ? NULL : &q->err);
    image_auths_free(q->auths, q->n_auths);
    free(q);
}

void image_resolve(struct loop *l, const char *ref, const struct image_auth *auths, size_t n_auths,
                   uint64_t timeout_ms,
                   void (*done)(void *ctx, const char *digest, const struct err *why), void *ctx)
{
    struct resolving *q = xnew(struct resolving);

    q->loop = l;
    q->done = done;
    q->ctx = ctx;
    q->timeout_ms = timeout_ms ? timeout_ms : 10000;
    q->auths = xcalloc(n_auths ? n_auths : 1, sizeof(*q->auths));
    q->n_auths = n_auths;
    for (size_t i = 0; i < n_auths; i++)
        q->auths[i] = (struct image_auth){xstrdup(auths[i].registry), xstrdup(auths[i].username),
                                          xstrdup(auths[i].password)};
    q->rc = image_ref_parse(ref, &q->ref, &q->err);
    if (q->rc < 0)
        loop_defer(l, finish, q);
    else
        loop_work(l, work, finish, q);
}
