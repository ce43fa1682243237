/*
 * Pulling: read the manifest and configuration, fetch and unpack the layers that are missing, name
 * the image. Each step is a job for the thread pool, and what they found comes together on the
 * loop.
 *
 *     head job ──► one layer_job for each missing layer ──► naming job ──► the waiters
 *
 * A `pull` is shared by all who ask for the same reference with the same credentials; an
 * `image_pull` is one who asks. A layer_job is shared by all pulls that miss the layer, so each
 * layer is fetched once. If it fails, only the pull that brought the credentials fails: the others
 * start it again with theirs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/vec.h"
#include "cluster/image/registry.h"
#include "cluster/image/store_impl.h"

enum pull_state { PULL_HEAD, PULL_LAYERS, PULL_NAMING, PULL_ENDED };

struct pull {
    struct job job; /* head or naming */
    int refs;       /* one until it has ended, one for each job that works for it */
    enum pull_state state;
    struct image_store *s;
    char *key;
    struct list waiters; /* image_pull */
    struct image_ref ref;
    struct image_auth *auths;
    size_t n_auths;
    atomic_bool cancel;

    /* found by the head job */
    char *authorization;
    char top_digest[DIGEST_MAX],
        digest[DIGEST_MAX]; /* of what the reference names; of the manifest */
    struct manifest manifest;
    yyjson_doc *config;
    const char *diff_ids[LIMIT_IMAGE_LAYERS];
    bool missing[LIMIT_IMAGE_LAYERS];

    size_t left; /* layer jobs to wait for */
    struct image_data *data;
    int rc;
    struct err err;
};

struct image_pull {
    struct list node;
    struct pull *pull; /* NULL once it is only to be told */
    char *name;
    void (*done)(void *ctx, const struct image *img, const struct err *why);
    void *ctx;
    /* of an answer without a pull */
    const struct image *img;
    struct err err;
};

struct layer_job {
    struct job job;
    struct pull *owner;
    VEC(struct pull *) pulls; /* that wait for it, the owner too */
    struct descriptor layer;
    char diff_id[DIGEST_MAX];
    atomic_bool cancel;
    int rc;
    struct err err;
};

/* ---- life of a pull ---- */

static void pull_unref(struct pull *p)
{
    if (--p->refs > 0)
        return;
    image_auths_free(p->auths, p->n_auths);
    image_data_unref(p->data);
    yyjson_doc_free(p->config);
    free(p->authorization);
    free(p->key);
    free(p);
}

static void waiter_free(struct image_pull *w)
{
    list_del(&w->node);
    image_unref(w->img);
    free(w->name);
    free(w);
}

/* Takes the pull from the layers that it waits for; a layer that nobody waits for is given up. */
static void leave_layers(struct pull *p)
{
    const char *id;
    struct layer_job *j;

    for (size_t it = 0; map_next(p->s->layers, &it, &id, &j);) {
        for (size_t i = 0; i < j->pulls.n; i++)
            if (j->pulls.p[i] == p)
                vec_remove(&j->pulls, i--);
        if (j->pulls.n == 0)
            atomic_store(&j->cancel, true);
    }
}

static void pull_end(struct pull *p)
{
    if (p->state == PULL_ENDED)
        return;
    p->state = PULL_ENDED;
    atomic_store(&p->cancel, true);
    leave_layers(p);
    if (map_get(p->s->pulls, p->key) == p)
        map_take(p->s->pulls, p->key);
    while (!list_empty(&p->waiters)) {
        struct image_pull *w = list_entry(p->waiters.next, struct image_pull, node);
        void (*done)(void *, const struct image *, const struct err *) = w->done;
        void *ctx = w->ctx;
        struct image *img = p->data && p->rc == 0 ? store_image_new(w->name, p->data) : NULL;
        waiter_free(w);
        /* A callback may close the store. */
        if (!p->s->closing)
            done(ctx, img, img ? NULL : &p->err);
        image_unref(img);
    }
    pull_unref(p);
}

static void pull_fail(struct pull *p, int rc, const struct err *why)
{
    if (p->state == PULL_ENDED)
        return;
    p->rc = rc;
    p->err = *why;
    pull_end(p);
}

/* ---- the head: manifest and configuration ---- */

static int read_manifest(struct pull *p, struct registry *r, const char *what, struct buf *body,
                         yyjson_doc **ret)
{
    int rc = registry_manifest(r, what, body, p->digest, &p->err);

    if (rc < 0)
        return rc;
    *ret = json_parse(buf_z(body), body->n, &p->err);
    return *ret ? 0 : err_prefix(&p->err, "the manifest from registry %s", p->ref.registry);
}

/* Leaves the image's own manifest in body. */
static int find_manifest(struct pull *p, struct registry *r, struct buf *body)
{
    _cleanup_jdoc_ yyjson_doc *top = NULL, *own = NULL;
    struct descriptor d;
    int rc = read_manifest(p, r, p->ref.digest[0] ? p->ref.digest : p->ref.tag, body, &top);

    if (rc < 0)
        return rc;
    memcpy(p->top_digest, p->digest, sizeof(p->digest));
    if (!manifest_is_index(yyjson_doc_get_root(top)))
        return manifest_read(yyjson_doc_get_root(top), &p->manifest, &p->err);
    if ((rc = manifest_choose(yyjson_doc_get_root(top), manifest_arch(), &d, &p->err)) < 0 ||
        (rc = read_manifest(p, r, d.digest, body, &own)) < 0)
        return rc;
    return manifest_read(yyjson_doc_get_root(own), &p->manifest, &p->err);
}

static int find_config(struct pull *p, struct registry *r, struct buf *body)
{
    struct content *c = p->s->content;
    const char *digest = p->manifest.config.digest;
    int rc = content_get_blob(c, digest, body, NULL);

    if (rc < 0) {
        if ((rc = registry_blob(r, &p->manifest.config, body, &p->err)) < 0 ||
            (rc = content_put_blob(c, digest, body->p, body->n, &p->err)) < 0)
            return rc;
    }
    p->config = json_parse(buf_z(body), body->n, &p->err);
    if (!p->config)
        return err_prefix(&p->err, "the image configuration");
    return manifest_diff_ids(yyjson_doc_get_root(p->config), p->manifest.n_layers, p->diff_ids,
                             &p->err);
}

static int find_head(struct pull *p)
{
    struct registry_opts o = {
        .ref = &p->ref, .auths = p->auths, .n_auths = p->n_auths, .cancel = &p->cancel};
    _cleanup_(registry_closep) struct registry *r = registry_open(&o);
    _cleanup_buf_ struct buf body = BUF_INIT(LIMIT_MANIFEST + 16384),
                             config = BUF_INIT(LIMIT_MANIFEST + 16384);
    int rc;

    if ((rc = find_manifest(p, r, &body)) < 0 || (rc = find_config(p, r, &config)) < 0 ||
        (rc = content_put_blob(p->s->content, p->digest, body.p, body.n, &p->err)) < 0)
        return rc;
    p->authorization = registry_authorization(r) ? xstrdup(registry_authorization(r)) : NULL;
    for (size_t i = 0; i < p->manifest.n_layers; i++)
        p->missing[i] = !content_has_layer(p->s->content, p->diff_ids[i]);
    return 0;
}

/* Every message says which image it is about. */
static void name_image(struct pull *p, struct err *e)
{
    char full[700];

    image_ref_format(&p->ref, full, sizeof(full));
    if (!strstr(e->msg, full))
        err_prefix(e, "image \"%s\" from registry %s", full, p->ref.registry);
}

static void head_work(struct job *j)
{
    struct pull *p = container_of(j, struct pull, job);

    p->rc = atomic_load(&p->cancel) ? err_set(&p->err, -ECANCELED, "cancelled") : find_head(p);
    if (p->rc < 0) {
        p->err.code = p->rc;
        name_image(p, &p->err);
    }
}

/* ---- naming: the image is whole ---- */

static int name_it(struct pull *p, struct image_ref r, const char *digest)
{
    char full[700];

    snprintf(r.digest, sizeof(r.digest), "%s", digest);
    image_ref_format(&r, full, sizeof(full));
    return content_set_name(p->s->content, full, p->digest, &p->err);
}

static void naming_work(struct job *j)
{
    struct pull *p = container_of(j, struct pull, job);

    p->rc = content_load(p->s->content, p->digest, &p->data, &p->err);
    if (p->rc == 0)
        p->rc = name_it(p, p->ref, p->digest);
    if (p->rc == 0 && !streq(p->top_digest, p->digest))
        p->rc = name_it(p, p->ref, p->top_digest);
    if (p->rc == 0 && !p->ref.digest[0])
        p->rc = name_it(p, p->ref, "");
    if (p->rc < 0) {
        p->err.code = p->rc;
        name_image(p, &p->err);
    }
}

static void remember(struct pull *p, const char *digest)
{
    struct image_ref r = p->ref;
    char full[700];

    snprintf(r.digest, sizeof(r.digest), "%s", digest);
    image_ref_format(&r, full, sizeof(full));
    image_store_put(p->s, full, p->data);
}

static void naming_done(struct job *j)
{
    struct pull *p = container_of(j, struct pull, job);

    if (p->rc == 0) {
        remember(p, p->digest);
        remember(p, p->top_digest);
        if (!p->ref.digest[0])
            remember(p, "");
    }
    pull_end(p);
    pull_unref(p);
}

static void start_naming(struct pull *p)
{
    p->state = PULL_NAMING;
    p->job.work = naming_work;
    p->job.done = naming_done;
    p->refs++;
    job_submit(p->s, &p->job);
}

/* ---- layers ---- */

static void need_layer(struct pull *p, size_t i);

static int fetch_layer(struct layer_job *l, const char *temp)
{
    struct pull *p = l->owner;
    struct registry_opts o = {.ref = &p->ref,
                              .auths = p->auths,
                              .n_auths = p->n_auths,
                              .authorization = p->authorization,
                              .cancel = &l->cancel};
    _cleanup_(registry_closep) struct registry *r = registry_open(&o);
    _cleanup_close_ int fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_sys(&l->err, errno, "cannot create \"%s\"", temp);
    return registry_blob_to_file(r, &l->layer, fd, &l->err);
}

static void layer_work(struct job *j)
{
    struct layer_job *l = container_of(j, struct layer_job, job);
    struct content *c = j->s->content;
    _cleanup_free_ char *temp = content_temp(c);

    if (atomic_load(&l->cancel)) {
        l->rc = err_set(&l->err, -ECANCELED, "cancelled");
        return;
    }
    if (content_has_layer(c, l->diff_id))
        return;
    l->rc = fetch_layer(l, temp);
    if (l->rc == 0)
        l->rc = content_add_layer(c, temp, l->diff_id, &l->err);
    content_drop(c, temp);
    if (l->rc < 0) {
        l->err.code = l->rc;
        name_image(l->owner, &l->err);
    }
}

static void layer_arrived(struct pull *p)
{
    if (--p->left == 0)
        start_naming(p);
}

/* Another pull's failure may be due to its credentials. */
static void layer_missed(struct pull *p, const char *diff_id)
{
    for (size_t i = 0; i < p->manifest.n_layers; i++)
        if (streq(p->diff_ids[i], diff_id)) {
            need_layer(p, i);
            return;
        }
}

static void layer_done(struct job *j)
{
    struct layer_job *l = container_of(j, struct layer_job, job);

    if (map_get(j->s->layers, l->diff_id) == l)
        map_take(j->s->layers, l->diff_id);
    /* Not in the map any more, so a pull that ends below does not touch l->pulls: each is looked at
     * for itself. */
    for (size_t i = 0; i < l->pulls.n; i++)
        l->pulls.p[i]->refs++;
    for (size_t i = 0; i < l->pulls.n; i++) {
        struct pull *p = l->pulls.p[i];
        if (p->state != PULL_LAYERS)
            continue;
        if (l->rc == 0)
            layer_arrived(p);
        else if (p == l->owner)
            pull_fail(p, l->rc, &l->err);
        else
            layer_missed(p, l->diff_id);
    }
    for (size_t i = 0; i < l->pulls.n; i++)
        pull_unref(l->pulls.p[i]);
    pull_unref(l->owner);
    vec_done(&l->pulls);
    free(l);
}

static void need_layer(struct pull *p, size_t i)
{
    struct layer_job *l = map_get(p->s->layers, p->diff_ids[i]);

    /* One that was given up cannot be revived: its thread may have seen the mark. */
    if (l && !atomic_load(&l->cancel)) {
        vec_push(&l->pulls, p);
        return;
    }
    if (l)
        map_take(p->s->layers, l->diff_id);
    l = xnew(struct layer_job);
    l->layer = p->manifest.layers[i];
    snprintf(l->diff_id, sizeof(l->diff_id), "%s", p->diff_ids[i]);
    l->owner = p;
    p->refs++;
    l->job.work = layer_work;
    l->job.done = layer_done;
    vec_push(&l->pulls, p);
    map_set(p->s->layers, l->diff_id, l);
    job_submit(p->s, &l->job);
}

static bool named_before(const struct pull *p, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (streq(p->diff_ids[k], p->diff_ids[i]))
            return true;
    return false;
}

static void head_done(struct job *j)
{
    struct pull *p = container_of(j, struct pull, job);

    if (p->state == PULL_HEAD && p->rc < 0)
        pull_end(p);
    else if (p->state == PULL_HEAD) {
        p->state = PULL_LAYERS;
        p->left = 1; /* this function's own, so the last layer cannot come too early */
        for (size_t i = 0; i < p->manifest.n_layers; i++)
            if (p->missing[i] && !named_before(p, i)) {
                p->left++;
                need_layer(p, i);
            }
        layer_arrived(p);
    }
    pull_unref(p);
}

/* ---- asking ---- */

static void tell(void *arg)
{
    struct image_pull *w = arg;

    if (w->done)
        w->done(w->ctx, w->img, w->img ? NULL : &w->err);
    waiter_free(w);
}

static char *key_of(const char *full, const struct image_auth *auths, size_t n)
{
    struct digest_sum sum;
    char digest[DIGEST_MAX];

    digest_start(&sum, NULL);
    for (size_t i = 0; i < n; i++) {
        const char *const parts[] = {auths[i].registry, auths[i].username, auths[i].password};
        for (size_t k = 0; k < ARRAY_LEN(parts); k++)
            digest_add(&sum, parts[k] ? parts[k] : "", parts[k] ? strlen(parts[k]) + 1 : 1);
    }
    digest_end(&sum, digest);
    digest_done(&sum);
    return xasprintf("%s %s", full, digest);
}

static struct image_auth *copy_auths(const struct image_auth *a, size_t n)
{
    struct image_auth *c = xcalloc(n ? n : 1, sizeof(*c));

    for (size_t i = 0; i < n; i++)
        c[i] = (struct image_auth){xstrdup(a[i].registry), xstrdup(a[i].username),
                                   xstrdup(a[i].password)};
    return c;
}

static struct pull *pull_new(struct image_store *s, const struct image_ref *ref, char *key,
                             const struct image_auth *auths, size_t n)
{
    struct pull *p = xnew(struct pull);

    p->s = s;
    p->refs = 2;
    p->key = key;
    p->ref = *ref;
    p->auths = copy_auths(auths, n);
    p->n_auths = n;
    list_init(&p->waiters);
    p->job.work = head_work;
    p->job.done = head_done;
    map_set(s->pulls, key, p);
    job_submit(s, &p->job);
    return p;
}

/* True when there is an answer without pulling. */
static bool answer_at_once(struct image_store *s, struct image_pull *w, enum image_policy policy,
                           struct image_ref *ret_ref, char ret_full[700])
{
    if (image_ref_parse(w->name, ret_ref, &w->err) < 0)
        return true;
    image_ref_format(ret_ref, ret_full, 700);
    bool local = image_ref_is_local(ret_ref);
    if (local)
        policy = IMAGE_NEVER;
    struct image_data *d = policy == IMAGE_ALWAYS ? NULL : store_lookup(s, ret_full);
    if (d)
        w->img = store_image_new(w->name, d);
    else if (local)
        err_set(
            &w->err, -ENOENT,
            "image \"%s\" is not on this machine, and %s is no registry to pull from; bring it in "
            "with `nonagon import`",
            w->name, ret_ref->registry);
    else if (policy == IMAGE_NEVER)
        err_set(&w->err, -ENOENT,
                "image \"%s\" is not on this machine and its pull policy is Never; import it, or "
                "allow pulling "
                "from registry %s",
                w->name, ret_ref->registry);
    return d || policy == IMAGE_NEVER;
}

struct image_pull *
image_pull_start(struct image_store *s, const char *ref, enum image_policy policy,
                 const struct image_auth *auths, size_t n_auths,
                 void (*done)(void *ctx, const struct image *img, const struct err *why), void *ctx)
{
    struct image_pull *w = xnew(struct image_pull);
    struct image_ref r;
    char full[700];

    list_init(&w->node);
    w->name = xstrdup(ref);
    w->done = done;
    w->ctx = ctx;
    if (answer_at_once(s, w, policy, &r, full)) {
        list_push_back(&s->telling, &w->node);
        loop_defer(s->loop, tell, w);
        return w;
    }
    _cleanup_free_ char *key = key_of(full, auths, n_auths);
    struct pull *p = map_get(s->pulls, key);
    if (!p)
        p = pull_new(s, &r, steal(&key), auths, n_auths);
    w->pull = p;
    list_push_back(&p->waiters, &w->node);
    return w;
}

void image_pull_cancel(struct image_pull *w)
{
    if (!w)
        return;
    struct pull *p = w->pull;
    if (!p) {
        w->done = NULL; /* freed when its turn comes */
        return;
    }
    waiter_free(w);
    if (list_empty(&p->waiters))
        pull_end(p);
}

void pulls_cancel_all(struct image_store *s)
{
    const char *key;
    struct pull *p;

    while (!list_empty(&s->telling)) {
        struct image_pull *w = list_entry(s->telling.next, struct image_pull, node);
        list_del(&w->node);
        w->done = NULL;
    }
    for (size_t it = 0; map_next(s->pulls, &it, &key, &p); it = 0) {
        while (!list_empty(&p->waiters))
            waiter_free(list_entry(p->waiters.next, struct image_pull, node));
        pull_end(p);
    }
}
