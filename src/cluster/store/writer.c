/*
 * One thread, one mutex, one condition. A turn of the thread is: commit what waits, then remove a
 * few dead rows; so compaction never holds a write up for longer than one short transaction.
 */
#include "cluster/store/writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#define COMPACT_ROWS 200 /* removed in one transaction: what a write may have to wait for */

struct writer {
    struct rowlog *log;
    void (*on_done)(void *ctx);
    void *ctx;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    write_vec queue;
    batch_vec finished;
    rev_vec dead; /* rows to remove, from dead_at */
    size_t dead_at;
    bool failed; /* no commits until writer_reset */
    bool stop;
};

static int append_all(struct writer *w, struct batch *b)
{
    for (size_t i = 0; i < b->writes.n; i++) {
        const struct write *wr = &b->writes.p[i];
        struct row row = {store_obj_rev(wr->obj), store_obj_key(wr->obj), wr->deleted,
                          wr->deleted ? STR("") : store_obj_bytes(wr->obj)};
        int r = rowlog_append(w->log, &row, &b->err);
        if (r < 0)
            return r;
    }
    return 0;
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

static int remove_rows(struct writer *w, const uint64_t *revs, size_t n)
{
    int r = rowlog_begin(w->log, NULL);

    if (r < 0)
        return r;
    for (size_t i = 0; i < n && r == 0; i++)
        r = rowlog_remove(w->log, revs[i], NULL);
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

    memcpy(revs, w->dead.p + w->dead_at, n * sizeof(*revs));
    pthread_mutex_unlock(&w->lock);
    int r = remove_rows(w, revs, n);
    pthread_mutex_lock(&w->lock);
    if (r < 0)
        return false;
    w->dead_at += n;
    if (w->dead_at == w->dead.n) {
        vec_done(&w->dead);
        w->dead_at = 0;
    }
    return true;
}

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
        bool work = (w->queue.n > 0 && !w->failed) || (w->dead.n > 0 && !rest);
        if (!work && !w->stop)
            pthread_cond_wait(&w->wake, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct writer *writer_start(struct rowlog *log, void (*on_done)(void *ctx), void *ctx,
                            struct err *e)
{
    struct writer *w = xnew(struct writer);
    sigset_t all, old;

    *w = (struct writer){.log = log, .on_done = on_done, .ctx = ctx};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
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

void writer_compact(struct writer *w, rev_vec rows)
{
    pthread_mutex_lock(&w->lock);
    if (w->dead.n == 0) {
        w->dead = rows;
        rows = (rev_vec){0};
    }
    for (size_t i = 0; i < rows.n; i++)
        vec_push(&w->dead, rows.p[i]);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    vec_done(&rows);
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
