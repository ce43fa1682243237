/* A worker's birth and end: its doors, its sweep of idle upstream connections. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/clock.h"
#include "dataplane/dp.h"

#define SWEEP_MS     5000
#define IDLE_KEEP_NS (60 * NS_PER_SEC)

static void on_conn(void *ctx, struct conn *conn)
{
    client_new(ctx, conn);
}

static int open_door(struct worker *w, size_t i, struct err *e)
{
    struct dataplane *dp = w->dp;
    struct door *d = &w->doors[i];
    struct listen_opts o = {.host = dp->listen[i].host, .port = dp->ports[i], .reuse_port = true};

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

static void on_sweep(void *ctx)
{
    struct worker *w = ctx;

    upstream_sweep(w, loop_now_ns(w->loop) - IDLE_KEEP_NS);
}

struct backend *worker_find_backend(struct worker *w, struct str ns, struct str revision)
{
    char key[600];
    int n = snprintf(key, sizeof(key), STR_FMT "/" STR_FMT, STR_ARG(ns), STR_ARG(revision));

    return n > 0 && n < (int)sizeof(key) ? map_getn(w->known, key, (size_t)n) : NULL;
}

void worker_open(void *worker)
{
    struct worker *w = worker;

    if (w->open)
        return;
    w->open = true;
    list_for_each(it, &w->clients) conn_read_start(list_entry(it, struct client, link)->conn);
}

int worker_init(struct loop *l, void *ctx, struct err *e)
{
    struct worker *w = ctx;

    w->loop = l;
    w->collected_ns = loop_now_ns(l);
    list_init(&w->clients);
    list_init(&w->upstreams);
    list_init(&w->busy);
    buf_init(&w->head, LIMIT_HTTP_HEAD * 2);
    w->doors = xcalloc(w->dp->o.n_listen, sizeof(struct door));
    for (size_t i = 0; i < w->dp->o.n_listen; i++) {
        if (open_door(w, i, e) < 0) {
            while (i-- > 0)
                listener_free(w->doors[i].listener);
            free(w->doors);
            return -1;
        }
    }
    w->table = table_new();
    for (size_t i = 0; i < w->dp->o.n_listen; i++) {
        if (w->doors[i].activator && !w->known)
            w->known = map_new(NULL);
    }
    w->sweep = timer_new(l, on_sweep, w);
    timer_repeat(w->sweep, SWEEP_MS);
    return 0;
}

void worker_fini(struct loop *l, void *ctx)
{
    struct worker *w = ctx;

    for (size_t i = 0; i < w->dp->o.n_listen; i++)
        listener_free(w->doors[i].listener);
    w->draining = true;
    list_for_each_safe(it, &w->clients) client_cut(list_entry(it, struct client, link));
    while (!list_empty(&w->upstreams))
        upstream_close(list_entry(w->upstreams.next, struct upstream, link));
    while (!list_empty(&w->busy))
        backend_rest(w, list_entry(w->busy.next, struct backend_worker, busy));
    timer_free(w->sweep);
    table_free(w->table);
    map_free(w->known);
    buf_done(&w->head);
    free(w->doors);
}
