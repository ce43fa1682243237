/*
 * One thread, one mutex, one condition. A turn of the thread is: commit what waits, then remove a
 * few dead rows or check a few living ones; so neither holds a write up for longer than one short
 * transaction. The marker is synced a second after the first commit that it tells of.
 */
#include "cluster/store/writer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "cluster/store/verify.h"

#define COMPACT_ROWS 200 /* removed in one transaction: what a write may have to wait for */
#define VERIFY_ROWS  256 /* read at a time, */
#define VERIFY_BYTES (256 * 1024)
#define VERIFY_NS    (NS_PER_SEC / 2) /* and how often: half a megabyte a second */
#define MARK_NS      NS_PER_SEC
#define NEVER        INT64_MAX

struct writer {
    struct rowlog *log;
    /* The thread's own. */
    int64_t mark_due;
    int64_t verify_every, verify_due, verify_begun;
    struct verifier verifier;
    size_t told; /* of its damages */
    void (*on_done)(void *ctx);
    void *ctx;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    write_vec queue;
    batch_vec finished;
    rev_vec dead; /* rows to remove, from dead_at */
    size_t dead_at;
    cut_vec cuts; /* to be written with the next of them */
    text_vec damage;
    struct err mark_error;
    bool failed; /* no commits until writer_reset */
    bool stop;
};

static int append(struct writer *w, const struct write *wr, struct err *e)
{
    struct row row = {.rev = store_obj_rev(wr->obj),
                      .key = store_obj_key(wr->obj),
                      .deleted = wr->deleted,
                      .bytes = store_obj_bytes(wr->obj),
                      .prev = wr->prev};

    return rowlog_append(w->log, &row, e);
}

static int append_all(struct writer *w, struct batch *b)
{
    int r = 0;

    for (size_t i = 0; i < b->writes.n && r == 0; i++) {
        const struct write *wr = &b->writes.p[i];
        if (wr->settles)
            r = rowlog_settle(w->log, wr->settles, &b->err);
        if (r == 0)
            r = append(w, wr, &b->err);
    }
    return r;
}

static void commit(struct writer *w, struct batch *b)
{
    b->result = rowlog_begin(w->log, &b->err);
    if (b->result < 0)
        return;
    b->result = append_all(w, b);
    if (b->result == 0)
        b->result = rowlog_commit(w->log, &b->err);
    if (b->result < 0)
        rowlog_rollback(w->log);
}

/* ---- compaction ---- */

void cut_vec_done(cut_vec *v)
{
    for (size_t i = 0; i < v->n; i++)
        free(v->p[i].head);
    vec_done(v);
}

/* Where history begins is on disk no later than the first of what it lacks is gone. */
static int remove_rows(struct writer *w, const uint64_t *revs, size_t n, const cut_vec *cuts)
{
    int r = rowlog_begin(w->log, NULL);

    if (r < 0)
        return r;
    for (size_t i = 0; i < cuts->n && r == 0; i++)
        r = rowlog_note_compacted(w->log, cuts->p[i].head, cuts->p[i].rev, NULL);
    if (r == 0)
        r = rowlog_remove(w->log, revs, n, NULL);
    if (r == 0)
        r = rowlog_commit(w->log, NULL);
    if (r < 0)
        rowlog_rollback(w->log);
    return r;
}

/* Called and returns with the lock held. A failure leaves the rows; they are tried again behind the
 * next commit. */
static bool compact_some(struct writer *w)
{
    uint64_t revs[COMPACT_ROWS];
    size_t left = w->dead.n - w->dead_at, n = left < COMPACT_ROWS ? left : COMPACT_ROWS;
    cut_vec cuts = w->cuts; /* nobody adds to them while rows are left */

    memcpy(revs, w->dead.p + w->dead_at, n * sizeof(*revs));
    pthread_mutex_unlock(&w->lock);
    int r = remove_rows(w, revs, n, &cuts);
    pthread_mutex_lock(&w->lock);
    if (r < 0)
        return false;
    cut_vec_done(&w->cuts);
    w->dead_at += n;
    if (w->dead_at == w->dead.n) {
        vec_done(&w->dead);
        w->dead_at = 0;
    }
    return true;
}

/* ---- looking after what is on disk ---- */

/* Takes the text. */
static void tell(struct writer *w, char *text)
{
    pthread_mutex_lock(&w->lock);
    vec_push(&w->damage, text);
    w->on_done(w->ctx);
    pthread_mutex_unlock(&w->lock);
}

static void tell_new(struct writer *w)
{
    for (; w->told < w->verifier.damages.n; w->told++)
        tell(w, damage_text(&w->verifier.damages.p[w->told]));
}

static void verify_some(struct writer *w, int64_t now)
{
    struct err e = {0};

    if (!w->verifier.log) {
        w->verifier = (struct verifier){.log = w->log};
        w->told = 0;
        w->verify_begun = now;
    }
    rowlog_forget_pages(w->log);
    int r = verifier_walk(&w->verifier, VERIFY_ROWS, VERIFY_BYTES, NULL, NULL, &e);
    tell_new(w);
    if (r < 0)
        tell(w, xstrdup(e.msg));
    w->verify_due = now + VERIFY_NS;
    if (r == 1)
        return;
    verifier_done(&w->verifier);
    w->verifier.log = NULL;
    w->verify_due = w->verify_begun + w->verify_every;
}

static void sync_mark(struct writer *w, int64_t now)
{
    struct err e = {0};
    int r = rowlog_sync_mark(w->log, &e);

    pthread_mutex_lock(&w->lock);
    w->mark_error = e;
    pthread_mutex_unlock(&w->lock);
    w->mark_due = r < 0 ? now + MARK_NS : NEVER;
}

/* Called and returns with the lock held; when there is something to do next. */
static int64_t look_after(struct writer *w)
{
    int64_t now = clock_mono_ns();

    if (w->mark_due == NEVER && rowlog_mark_unsynced(w->log))
        w->mark_due = now + MARK_NS;
    bool mark = now >= w->mark_due, verify = now >= w->verify_due && w->queue.n == 0;
    if (mark || verify) {
        pthread_mutex_unlock(&w->lock);
        if (mark)
            sync_mark(w, now);
        if (verify)
            verify_some(w, now);
        pthread_mutex_lock(&w->lock);
    }
    return w->mark_due < w->verify_due ? w->mark_due : w->verify_due;
}

/* ---- the thread ---- */

/* Called and returns with the lock held. */
static void commit_queue(struct writer *w)
{
    struct batch *b = xnew(struct batch);

    b->writes = w->queue;
    w->queue = (write_vec){0};
    pthread_mutex_unlock(&w->lock);
    commit(w, b);
    pthread_mutex_lock(&w->lock);
    w->failed = b->result < 0;
    vec_push(&w->finished, b);
    w->on_done(w->ctx);
}

static void wait_until(struct writer *w, int64_t ns)
{
    struct timespec t = {.tv_sec = ns / NS_PER_SEC, .tv_nsec = ns % NS_PER_SEC};

    if (ns == NEVER)
        pthread_cond_wait(&w->wake, &w->lock);
    else
        pthread_cond_timedwait(&w->wake, &w->lock, &t);
}

static void *thread_main(void *arg)
{
    struct writer *w = arg;
    bool rest = false; /* compaction failed: wait for a commit */

    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        if (w->queue.n > 0 && !w->failed) {
            commit_queue(w);
            rest = w->failed;
        }
        if (w->dead.n > 0 && !rest && !w->stop)
            rest = !compact_some(w);
        int64_t due = look_after(w);
        bool work = (w->queue.n > 0 && !w->failed) || (w->dead.n > 0 && !rest);
        if (!work && !w->stop)
            wait_until(w, due);
    }
    pthread_mutex_unlock(&w->lock);
    verifier_done(&w->verifier);
    return NULL;
}

static void init(struct writer *w, int64_t verify_ms)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    w->mark_due = w->verify_due = NEVER;
    if (verify_ms < 0)
        return;
    w->verify_every = verify_ms * NS_PER_MS;
    w->verify_due = clock_mono_ns() + w->verify_every;
}

struct writer *writer_start(struct rowlog *log, int64_t verify_ms, void (*on_done)(void *ctx),
                            void *ctx, struct err *e)
{
    struct writer *w = xnew(struct writer);
    sigset_t all, old;

    *w = (struct writer){.log = log, .on_done = on_done, .ctx = ctx};
    init(w, verify_ms);
    /* Signals are for the loops; and a file size limit shows as EFBIG instead of ending the
     * process. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = pthread_create(&w->thread, NULL, thread_main, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r == 0) {
        pthread_setname_np(w->thread, "store-writer");
        return w;
    }
    err_sys(e, r, "cannot start the store's writer thread");
    writer_free(w);
    return NULL;
}

void writer_stop(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
}

void writer_free(struct writer *w)
{
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    vec_done(&w->queue);
    vec_done(&w->finished);
    vec_done(&w->dead);
    cut_vec_done(&w->cuts);
    for (size_t i = 0; i < w->damage.n; i++)
        free(w->damage.p[i]);
    vec_done(&w->damage);
    free(w);
}

void writer_submit(struct writer *w, const struct write *wr)
{
    pthread_mutex_lock(&w->lock);
    vec_push(&w->queue, *wr);
    if (w->queue.n == 1)
        pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

batch_vec writer_take_finished(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    batch_vec out = w->finished;
    w->finished = (batch_vec){0};
    pthread_mutex_unlock(&w->lock);
    return out;
}

write_vec writer_reset(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    write_vec out = w->queue;
    w->queue = (write_vec){0};
    w->failed = false;
    pthread_mutex_unlock(&w->lock);
    return out;
}

void writer_compact(struct writer *w, rev_vec rows, cut_vec cuts)
{
    pthread_mutex_lock(&w->lock);
    assert(w->dead.n == 0 && w->cuts.n == 0);
    w->dead = rows;
    w->cuts = cuts;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

text_vec writer_take_damage(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    text_vec out = w->damage;
    w->damage = (text_vec){0};
    pthread_mutex_unlock(&w->lock);
    return out;
}

int writer_marker_error(struct writer *w, struct err *e)
{
    pthread_mutex_lock(&w->lock);
    struct err why = w->mark_error;
    pthread_mutex_unlock(&w->lock);
    if (e && why.code)
        *e = why;
    return why.code;
}

bool writer_compacted(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    bool done = w->dead.n == 0;
    pthread_mutex_unlock(&w->lock);
    return done;
}

void batch_free(struct batch *b)
{
    for (size_t i = 0; i < b->writes.n; i++)
        store_obj_unref(b->writes.p[i].obj);
    vec_done(&b->writes);
    free(b);
}
