/* A worker's birth and end: its doors, its sweep of what is no longer needed. */
#include "dataplane/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>

#include "base/clock.h"
#include "base/log.h"

#define SWEEP_MS     5000
#define TARGET_MAX   (64 * 1024)
#define TRIM_AT_PEAK 256

static void on_report(void *ctx, enum dp_kind kind, const char *text)
{
    log_warn("gateway", "%s", text);
}

static void on_trouble(void *ctx, const struct err *why)
{
    log_warn("gateway", "%s", why->msg);
}

static void on_conn(void *ctx, struct conn *conn)
{
    struct dp_door *d = ctx;

    dp_down_new(&d->worker->downs, conn, d->visibility, d->activator);
}

/* 0 = bounded by descriptors alone. */
static size_t share_of_clients(const struct dataplane *dp)
{
    size_t n = (size_t)dp->n_workers;

    return (dp->o.max_clients + n - 1) / n;
}

static int open_door(struct dp_worker *w, size_t i, struct err *e)
{
    struct dataplane *dp = w->dp;
    struct dp_door *d = &w->doors[i];
    struct listen_opts o = {
        .host = dp->listen[i].host,
        .port = dp->ports[i],
        .reuse_port = true,
        .paused = true,
        .fd_class = FD_CLIENT,
        .max_connections = share_of_clients(dp),
        .on_trouble = on_trouble,
    };

    if (dp->listen[i].fd > 0) { /* all workers accept from the one that we were given */
        o.fd = fcntl(dp->listen[i].fd, F_DUPFD_CLOEXEC, 3);
        if (o.fd < 0)
            return err_sys(e, errno, "cannot use the listening socket %d", dp->listen[i].fd);
    }
    d->worker = w;
    d->visibility = dp->listen[i].visibility;
    d->activator = dp->listen[i].activator;
    d->listener = listener_new(w->loop, &o, on_conn, d, e);
    if (!d->listener)
        return -1;
    dp->ports[i] = listener_port(d->listener); /* workers start one after the other */
    return 0;
}

static int open_doors(struct dp_worker *w, struct err *e)
{
    w->doors = xcalloc(w->dp->o.n_listen, sizeof(struct dp_door));
    for (size_t i = 0; i < w->dp->o.n_listen; i++) {
        if (open_door(w, i, e) < 0) {
            while (i-- > 0)
                listener_free(w->doors[i].listener);
            free(w->doors);
            return -1;
        }
    }
    return 0;
}

/* After a flood the allocator keeps what it had: given back once few of those clients are left. */
static void give_memory_back(struct dp_worker *w)
{
    if (w->downs.n > w->peak)
        w->peak = w->downs.n;
    if (w->peak < TRIM_AT_PEAK || w->downs.n > w->peak / 4)
        return;
    w->peak = w->downs.n;
    malloc_trim(0);
}

static void on_sweep(void *ctx)
{
    struct dp_worker *w = ctx;

    dp_up_sweep(&w->up);
    dp_report_flush(&w->report, loop_now_ns(w->loop));
    give_memory_back(w);
}

static void client_gone(void *ctx)
{
    struct dp_worker *w = ctx;
    struct dataplane *dp = w->dp;

    if (w->downs.n + 1 > w->peak)
        w->peak = w->downs.n + 1;
    if (!w->draining || w->downs.n > 0 || w->drained)
        return;
    w->drained = true;
    pthread_mutex_lock(&dp->drain_lock);
    dp->n_drained++;
    pthread_cond_signal(&dp->drained);
    pthread_mutex_unlock(&dp->drain_lock);
}

static struct h1_opts heads(const struct dp_worker *w)
{
    const struct dp_opts *o = &w->dp->o;
    size_t head = o->max_head_bytes ? o->max_head_bytes : LIMIT_DP_HEAD;

    return (struct h1_opts){
        .head_max = head,
        .target_max = head < TARGET_MAX ? head : TARGET_MAX,
        .fields_max = o->max_head_fields ? o->max_head_fields : LIMIT_DP_HEAD_FIELDS,
        .bare = true,
        .loose_chunks = true,
        .trailers = true,
        .pool = w->pool,
    };
}

static void init_rooms(struct dp_worker *w)
{
    struct dataplane *dp = w->dp;

    w->report = (struct dp_report){.fn = on_report};
    w->pool = h1_pool_new();
    w->up.loop = w->downs.loop = w->loop;
    w->up.index = w->index;
    w->up.all = dp->ups;
    w->up.on_arrival = dp->o.on_arrival;
    w->up.ctx = dp->o.ctx;
    w->up.trace = dp->o.trace;
    w->up.peers = dp->peers;
    w->up.report = w->streams.report = w->downs.report = &w->report;
    w->up.h1 = w->downs.h1 = heads(w);
    w->up.h1.loose_lines = true;
    w->downs.h1.any_method = true;
    for (size_t i = 0; i < dp->o.n_listen; i++) {
        if (dp->listen[i].activator && !w->up.known)
            w->up.known = map_new(NULL);
    }
    dp_up_init(&w->up);
    w->streams.up = &w->up;
    w->streams.trust = dp->trust;
    w->streams.pool = w->pool;
    w->streams.table = dp_table_new();
    dp_streams_init(&w->streams);
    w->downs.streams = &w->streams;
    w->downs.max = share_of_clients(dp);
    w->downs.gone = client_gone;
    w->downs.ctx = w;
    dp_downs_init(&w->downs);
}

int dp_worker_init(struct loop *l, void *ctx, struct err *e)
{
    struct dp_worker *w = ctx;

    w->loop = l;
    loop_set_clock(l, w->dp->o.clock);
    w->collected_ns = loop_now_ns(l);
    if (open_doors(w, e) < 0)
        return -1;
    init_rooms(w);
    w->sweep = timer_new(l, on_sweep, w);
    timer_repeat(w->sweep, SWEEP_MS);
    return 0;
}

void dp_worker_open(void *worker)
{
    struct dp_worker *w = worker;

    dp_downs_open(&w->downs);
    for (size_t i = 0; i < w->dp->o.n_listen; i++) {
        if (w->doors[i].listener)
            listener_accept(w->doors[i].listener, true);
    }
}

static void close_doors(struct dp_worker *w)
{
    for (size_t i = 0; i < w->dp->o.n_listen; i++) {
        listener_free(w->doors[i].listener);
        w->doors[i].listener = NULL;
    }
}

void dp_worker_drain(void *worker)
{
    struct dp_worker *w = worker;

    w->draining = w->up.draining = true;
    close_doors(w);
    w->downs.n++; /* keeps the last one's end from being told of twice */
    dp_downs_drain(&w->downs);
    w->downs.n--;
    client_gone(w);
}

void dp_worker_fini(struct loop *l, void *ctx)
{
    struct dp_worker *w = ctx;

    close_doors(w);
    w->draining = w->up.draining = true;
    dp_downs_done(&w->downs);
    dp_up_done(&w->up);
    dp_streams_done(&w->streams);
    timer_free(w->sweep);
    dp_table_free(w->streams.table);
    h1_pool_free(w->pool);
    free(w->doors);
}
