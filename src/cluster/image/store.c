/*
 * The store: a map from every known full reference to its image, loaded at open, so that finding
 * one does no I/O. Only a reference that is not in the map is looked for on disk, since another
 * process may have imported it; the names' directory is watched too, so a name that was imported
 * again follows.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/limits.h"
#include "cluster/image/store_impl.h"

/* ---- images ---- */

struct held_image {
    struct image pub;
    atomic_int refs;
    struct image_data *data;
};

struct image *store_image_new(const char *name, struct image_data *d)
{
    struct held_image *h = xnew(struct held_image);

    h->refs = 1;
    h->data = image_data_ref(d);
    h->pub = (struct image){.name = xstrdup(name),
                            .digest = d->digest,
                            .layers = d->layers,
                            .n_layers = d->n_layers,
                            .config = d->config,
                            .bytes = d->bytes};
    return &h->pub;
}

const struct image *image_ref_get(const struct image *i)
{
    if (i)
        atomic_fetch_add(&container_of(i, struct held_image, pub)->refs, 1);
    return i;
}

void image_unref(const struct image *i)
{
    if (!i)
        return;
    struct held_image *h = container_of(i, struct held_image, pub);
    if (atomic_fetch_sub(&h->refs, 1) != 1)
        return;
    free(h->pub.name);
    image_data_unref(h->data);
    free(h);
}

/* ---- names ---- */

static void free_data(void *d)
{
    image_data_unref(d);
}

void image_store_put(struct image_store *s, const char *full, struct image_data *d)
{
    if (map_get(s->names, full) != d)
        map_set(s->names, full, image_data_ref(d));
}

static void add_name(void *ctx, const char *name, const char *digest)
{
    struct image_store *s = ctx;
    struct image_data *d = NULL;
    struct image_data *old = map_get(s->names, name);

    if (old && streq(old->digest, digest))
        return;
    /* An image that is not whole any more is simply not here; it will be pulled again. */
    if (content_load(s->content, digest, &d, NULL) < 0)
        return;
    image_store_put(s, name, d);
    image_data_unref(d);
}

struct image_data *store_lookup(struct image_store *s, const char *full)
{
    struct image_data *d = map_get(s->names, full);
    char digest[DIGEST_MAX];

    if (d || content_get_name(s->content, full, digest, NULL) < 0)
        return d;
    add_name(s, full, digest);
    return map_get(s->names, full);
}

const struct image *image_store_find(struct image_store *s, const char *ref)
{
    struct image_ref r;
    char full[700];

    if (image_ref_parse(ref, &r, NULL) < 0)
        return NULL;
    image_ref_format(&r, full, sizeof(full));
    struct image_data *d = store_lookup(s, full);
    return d ? store_image_new(ref, d) : NULL;
}

struct names_watch {
    uv_fs_event_t handle;
    struct image_store *s;
};

static void on_name(uv_fs_event_t *h, const char *file, int events, int status)
{
    struct names_watch *w = container_of(h, struct names_watch, handle);
    _cleanup_free_ char *name = NULL;
    char digest[DIGEST_MAX];

    if (status == 0 && file && content_read_name(w->s->content, file, &name, digest, NULL) == 0)
        add_name(w->s, name, digest);
}

static void free_watch(uv_handle_t *h)
{
    free(container_of(h, struct names_watch, handle));
}

static int watch_names(struct image_store *s, struct err *e)
{
    struct names_watch *w = xnew(struct names_watch);

    w->s = s;
    s->watch = w;
    uv_fs_event_init(loop_uv(s->loop), &w->handle);
    int rc = uv_fs_event_start(&w->handle, on_name, content_names_dir(s->content), 0);
    if (rc < 0)
        return err_set(e, rc, "cannot watch directory \"%s\": %s", content_names_dir(s->content),
                       uv_strerror(rc));
    uv_unref((uv_handle_t *)&w->handle);
    return 0;
}

/* ---- jobs ---- */

static void store_free(struct image_store *s)
{
    map_free(s->names);
    map_free(s->pulls);
    map_free(s->layers);
    content_close(s->content);
    free(s);
}

static void start_next(struct image_store *s);

static void run_job(void *arg)
{
    struct job *j = arg;

    j->work(j);
}

static void end_job(void *arg)
{
    struct job *j = arg;
    struct image_store *s = j->s;

    j->done(j);
    s->running--;
    start_next(s);
    if (s->closing && s->running == 0 && list_empty(&s->queue))
        store_free(s);
}

static void start_next(struct image_store *s)
{
    while (s->running < LIMIT_IMAGE_JOBS && !list_empty(&s->queue)) {
        struct job *j = list_entry(s->queue.next, struct job, node);
        list_del(&j->node);
        s->running++;
        loop_work(s->loop, run_job, end_job, j);
    }
}

void job_submit(struct image_store *s, struct job *j)
{
    j->s = s;
    list_push_back(&s->queue, &j->node);
    start_next(s);
}

/* ---- opening and closing ---- */

struct image_store *image_store_open(struct loop *l, const char *dir, struct err *e)
{
    struct image_store *s = xnew(struct image_store);

    s->loop = l;
    list_init(&s->queue);
    list_init(&s->telling);
    s->names = map_new(free_data);
    s->pulls = map_new(NULL);
    s->layers = map_new(NULL);
    s->content = content_open(dir, e);
    if (!s->content || content_each_name(s->content, add_name, s, e) < 0 || watch_names(s, e) < 0) {
        image_store_close(s);
        return NULL;
    }
    return s;
}

void image_store_close(struct image_store *s)
{
    if (!s)
        return;
    if (s->watch)
        uv_close((uv_handle_t *)&s->watch->handle, free_watch);
    s->closing = true;
    pulls_cancel_all(s);
    if (s->running == 0 && list_empty(&s->queue))
        store_free(s);
}
