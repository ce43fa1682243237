/*
 * One job per Revision, one look-up per distinct image of it. The first error ends the job; it then
 * waits, twice as long after each failure, before it asks anew. Look-ups cannot be taken back: each
 * holds its job, and a job that was forgotten meanwhile just lets the answer go by.
 */
#include "serving/revision/digests.h"

#include <errno.h>

#include "base/clock.h"
#include "base/map.h"
#include "contract/image_ref.h"

#define RETRY_FIRST NS_PER_SEC
#define RETRY_MAX   (1000 * NS_PER_SEC)

struct image {
    char *name; /* as the user wrote it */
    char
        *pinned; /* "repository@digest", the name itself, or "" (keeps its tag); NULL until known */
};

struct job {
    int refs;                 /* the book's and one per look-up under way */
    struct digest_book *book; /* NULL once forgotten */
    char *key, *uid;
    VEC(struct image) images;
    size_t pending;
    unsigned round; /* answers of earlier rounds are late */
    bool started;
    char *failed_image;
    struct err why;
    bool told; /* the failure was handed out */
    int failures;
    int64_t retry_at, started_at;
};

struct lookup {
    struct job *job;
    size_t image;
    unsigned round;
};

struct digest_book {
    struct serving *s;
    struct map *jobs; /* key -> job */
};

static void job_unref(struct job *j)
{
    if (--j->refs)
        return;
    for (size_t i = 0; i < j->images.n; i++) {
        free(j->images.p[i].name);
        free(j->images.p[i].pinned);
    }
    vec_done(&j->images);
    free(j->failed_image);
    free(j->key);
    free(j->uid);
    free(j);
}

static void job_leave(void *value)
{
    struct job *j = value;

    j->book = NULL;
    job_unref(j);
}

struct digest_book *digests_new(struct serving *s)
{
    struct digest_book *b = xnew(struct digest_book);

    b->s = s;
    b->jobs = map_new(job_leave);
    return b;
}

void digests_free(struct digest_book *b)
{
    if (!b)
        return;
    map_free(b->jobs);
    free(b);
}

void digests_forget(struct digest_book *b, const char *key)
{
    map_del(b->jobs, key);
}

/* ---- images ---- */
static struct image *job_image(struct job *j, const char *name)
{
    for (size_t i = 0; i < j->images.n; i++) {
        if (streq(j->images.p[i].name, name))
            return &j->images.p[i];
    }
    return NULL;
}

/* What needs no look-up is answered here; NULL for the rest. */
static char *known_without_asking(const struct contract_config *cfg, const char *name)
{
    if (image_has_digest(name))
        return xstrdup(name);
    _cleanup_free_ char *registry = image_registry(name);
    for (char **skip = cfg->deployment.skip_tag_registries; *skip; skip++) {
        if (streq(*skip, registry))
            return xstrdup("");
    }
    return NULL;
}

static void collect(struct job *j, const struct contract_config *cfg, yyjson_val *containers)
{
    yyjson_val *c;
    size_t i, n;

    yyjson_arr_foreach(containers, i, n, c)
    {
        const char *name = jget_str(c, "image");
        struct image image;
        if (!name || job_image(j, name))
            continue;
        image = (struct image){.name = xstrdup(name), .pinned = known_without_asking(cfg, name)};
        vec_push(&j->images, image);
    }
}

static struct job *job_new(struct digest_book *b, const struct kobj *revision, const char *key)
{
    struct job *j = xnew(struct job);

    j->refs = 1;
    j->book = b;
    j->key = xstrdup(key);
    j->uid = xstrdup(kobj_uid(revision));
    collect(j, b->s->config, jget(kobj_root(revision), "spec", "containers"));
    collect(j, b->s->config, jget(kobj_root(revision), "spec", "initContainers"));
    map_set(b->jobs, key, j);
    return j;
}

/* ---- answers ---- */
static void fail(struct job *j, const char *image, const struct err *why)
{
    int shift = j->failures < 10 ? j->failures : 10;
    int64_t wait = RETRY_FIRST << shift;

    j->failed_image = xstrdup(image);
    j->why = *why;
    j->told = false;
    j->failures++;
    j->round++;
    j->pending = 0;
    j->retry_at = clock_mono_ns() + (wait < RETRY_MAX ? wait : RETRY_MAX);
}

static void settle(struct job *j, struct image *image, const char *digest, const struct err *why)
{
    static const struct err unexplained = {.msg = "the registry gave no digest"};

    j->pending--;
    if (!digest) {
        fail(j, image->name, why && why->msg[0] ? why : &unexplained);
        return;
    }
    _cleanup_free_ char *repository = image_repository(image->name);
    free(image->pinned);
    image->pinned = xasprintf("%s@%s", repository, digest);
}

static void on_digest(void *to, const char *digest, const struct err *why)
{
    struct lookup *l = to;
    struct job *j = l->job;

    if (j->book && l->round == j->round) {
        settle(j, &j->images.p[l->image], digest, why);
        if (j->pending == 0 && j->book->s->revision) {
            char ns[254];
            const char *name;
            kube_key_split(j->key, ns, &name);
            controller_enqueue(j->book->s->revision, ns, name);
        }
    }
    job_unref(j);
    free(l);
}

static void start(struct job *j, const struct kobj *revision, int64_t mono_ns)
{
    const struct digest_resolver *resolver = &j->book->s->resolver;
    const char *account = jget_str(kobj_root(revision), "spec", "serviceAccountName");
    unsigned round = ++j->round;

    free(j->failed_image);
    j->failed_image = NULL;
    j->started = true;
    j->started_at = mono_ns;
    for (size_t i = 0; i < j->images.n; i++)
        j->pending += j->images.p[i].pinned == NULL;
    j->refs++; /* answers may come at once */
    for (size_t i = 0; i < j->images.n && j->round == round; i++) {
        if (j->images.p[i].pinned)
            continue;
        struct lookup *l = xnew(struct lookup);
        *l = (struct lookup){.job = j, .image = i, .round = round};
        j->refs++;
        resolver->resolve(resolver->ctx, kobj_namespace(revision), j->images.p[i].name,
                          account ? account : "default",
                          jget(kobj_root(revision), "spec", "imagePullSecrets"), on_digest, l);
    }
    job_unref(j);
}

/* ---- asking ---- */
static void fill(const struct job *j, struct kmut *m, yyjson_val *containers, const char *field)
{
    yyjson_val *c;
    size_t i, n;

    yyjson_arr_foreach(containers, i, n, c)
    {
        const char *image = jget_str(c, "image"), *name = jget_str(c, "name");
        const struct image *found = image ? job_image((struct job *)j, image) : NULL;
        yyjson_mut_val *status = jm_add_obj(m->d, jm_arr(KM(m), field));
        jm_set_str(m->d, status, name ? name : "", "name");
        if (found && found->pinned[0])
            jm_set_str(m->d, status, found->pinned, "imageDigest");
    }
}

static struct kmut *statuses_of(const struct job *j, const struct kobj *revision)
{
    struct kmut *m = xnew(struct kmut);

    m->d = yyjson_mut_doc_new(NULL);
    m->root = yyjson_mut_obj(m->d);
    yyjson_mut_doc_set_root(m->d, m->root);
    fill(j, m, jget(kobj_root(revision), "spec", "containers"), "containerStatuses");
    fill(j, m, jget(kobj_root(revision), "spec", "initContainers"), "initContainerStatuses");
    return m;
}

/* A registry that says nothing has failed when the time for one look-up is over; returns what is
 * left. */
static int64_t check_time(struct job *j, int64_t mono_ns)
{
    int64_t limit = j->book->s->config->deployment.digest_timeout_ns;
    int64_t left = j->started_at + limit - mono_ns;
    char text[32];
    struct err why;

    if (j->failed_image || j->pending == 0 || left > 0)
        return left;
    duration_format(limit, text);
    err_set(&why, -ETIMEDOUT, "the registry did not answer within %s", text);
    for (size_t i = 0; i < j->images.n; i++) {
        if (!j->images.p[i].pinned) {
            fail(j, j->images.p[i].name, &why);
            break;
        }
    }
    return 0;
}

void digests_ask(struct digest_book *b, const struct kobj *revision, int64_t mono_ns,
                 struct digest_answer *ret)
{
    _cleanup_free_ char *key = kobj_key(revision);
    struct job *j = map_get(b->jobs, key);

    *ret = (struct digest_answer){.state = DIGESTS_WAITING, .retry_ns = -1};
    if (j && !streq(j->uid, kobj_uid(revision))) {
        digests_forget(b, key);
        j = NULL;
    }
    if (!j)
        j = job_new(b, revision, key);
    if (!j->started || (j->failed_image && j->told && mono_ns >= j->retry_at))
        start(j, revision, mono_ns);
    int64_t wait = check_time(j, mono_ns);
    if (j->failed_image) {
        ret->retry_ns = j->retry_at > mono_ns ? j->retry_at - mono_ns : 1;
        if (j->told)
            return;
        j->told = true;
        ret->state = DIGESTS_FAILED;
        ret->image = xstrdup(j->failed_image);
        ret->why = j->why;
    } else if (j->pending == 0) {
        ret->state = DIGESTS_READY;
        ret->statuses = statuses_of(j, revision);
        digests_forget(b, key);
    } else {
        ret->retry_ns = wait;
    }
}
