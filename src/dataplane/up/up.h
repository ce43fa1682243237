/*
 * Towards the pods: who serves a Service's port, with how many slots; who waits for one; and the
 * connections to pods.
 *
 * Shared by all workers and immutable: settings. Shared and changing: atomic counters of pods and
 * backends. Everything marked "worker" belongs to one worker's thread; shared objects carry an
 * array with one element per worker for it, so nothing needs a look-up or a lock.
 *
 * A slot (a request's place at a pod, counted over all workers) and a connection are different
 * things: a connection carries up to `capacity` exchanges, HTTP/1.1 one.
 */
#ifndef NONAGON_DATAPLANE_UP_H
#define NONAGON_DATAPLANE_UP_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"
#include "dataplane/base/config.h"
#include "dataplane/base/limits.h"
#include "dataplane/base/report.h"
#include "dataplane/head/head.h"
#include "net/conn.h"

#define DP_CACHE_LINE  64
#define DP_MAX_WORKERS 64 /* bits of a backend's waiting mask */

struct trace_sink;
struct dp_up;

/* ---- pods ---- */

struct dp_pod_worker {
    struct list idle; /* struct dp_pconn with room, most recently used first */
    size_t n_idle;
    bool removed; /* no longer an endpoint: connections are not kept */
} __attribute__((aligned(DP_CACHE_LINE)));

struct dp_pod {
    atomic_uint refs;
    char *ip, *name;
    int port;
    /* How long it lets a connection idle, as far as is known. */
    atomic_int_fast64_t idle_limit_ns;
    atomic_uint in_flight __attribute__((aligned(DP_CACHE_LINE)));
    struct dp_pod_worker w[];
};
struct dp_pod *dp_pod_new(const struct dp_endpoint *ep, int workers);
struct dp_pod *dp_pod_ref(struct dp_pod *p);
void dp_pod_unref(struct dp_pod *p);
bool dp_pod_is(const struct dp_pod *p, const struct dp_endpoint *ep);

/* ---- backends ---- */

struct dp_settings { /* of a backend; immutable */
    atomic_uint refs;
    unsigned concurrency;
    uint64_t timeout_ms, response_start_ms, idle_ms;
    size_t n_pods;
    struct dp_pod *pods[];
};
void dp_settings_unref(struct dp_settings *s);

struct dp_back_worker {
    struct dp_up *up;
    struct dp_settings *set; /* NULL: nothing is known of it */
    bool was_set;            /* dp_back.revision may be read */
    struct list waiting;     /* struct dp_waiter, first come first */
    size_t n_waiting;
    struct timer *tick; /* while requests wait */
    struct list busy;   /* in dp_up.busy while there is something to report */
    uint64_t inside, arrivals;
    double area_ns; /* requests inside, integrated over time */
    int64_t changed_ns;
    /* When the first of its waiting ones that could go came; INT64_MAX = none. Read by all. */
    atomic_int_fast64_t oldest_ns;
} __attribute__((aligned(DP_CACHE_LINE)));

struct dp_back {
    atomic_uint refs;
    char *ns, *service;
    int port;
    /* NULL: a plain Service's, or nothing is known yet. Set once, before the first settings are
     * posted: a worker that has settings may read it. */
    char *revision;
    bool was_set; /* control: settings have been given */
    int n_workers;
    struct dp_settings *current; /* control: the last one given out */
    VEC(struct dp_pod *) left;   /* control: removed pods on which requests may still run */
    atomic_uint n_waiting __attribute__((aligned(DP_CACHE_LINE)));
    struct dp_back_worker w[];
};
struct dp_back *dp_back_new(const struct dp_split *key, int workers, struct dp_up *const *ups);
struct dp_back *dp_back_ref(struct dp_back *b);
void dp_back_unref(struct dp_back *b);

/* ---- a worker's share ---- */

struct dp_peers; /* waiting requests by revision and client address, over all workers */
struct dp_peers *dp_peers_new(void);
void dp_peers_free(struct dp_peers *p);

struct dp_up {
    struct loop *loop;
    int index;
    struct dp_up *const *all; /* of all workers, by index */
    void (*on_arrival)(void *ctx, const char *ns, const char *revision);
    void *ctx;
    const struct trace_sink *trace;
    struct dp_peers *peers;
    struct dp_report *report;
    struct h1_opts h1; /* for answers */
    struct map *known; /* revisions' backends by "ns/revision"; NULL without an activator's port */
    struct list conns; /* struct dp_pconn, all of them */
    struct list busy;  /* struct dp_back_worker */
    size_t queued_bytes;
    bool draining;
    struct buf head;      /* a request's head on its way into an output */
    struct dp_output out; /* towards one pod at a time */
};
void dp_up_init(struct dp_up *u); /* after loop and index are set */
void dp_up_done(struct dp_up *u);
/* Ends connections that idled for longer than their pod is known to allow. */
void dp_up_sweep(struct dp_up *u);

/* ---- requests on backends (worker) ---- */

const struct dp_settings *dp_back_settings(const struct dp_back *b, const struct dp_up *u);
/* NULL: a plain Service's, or not known. */
const char *dp_back_revision(const struct dp_back *b, const struct dp_up *u);
struct dp_back *dp_back_of(struct dp_back_worker *bw);
/* By revision, for the activator's port; NULL when its settings are unknown here. */
struct dp_back *dp_back_find(struct dp_up *u, struct str ns, struct str revision);
void dp_back_enter(struct dp_up *u, struct dp_back *b);        /* a request came */
void dp_back_leave(struct dp_up *u, struct dp_back *b);        /* and is over */
void dp_back_rest(struct dp_up *u, struct dp_back_worker *bw); /* leaves dp_up.busy */
void dp_back_apply(struct dp_up *u, struct dp_back *b, struct dp_settings *s); /* takes over s */

/* A pod with a slot taken, referenced, or NULL. avoid (may be NULL) is taken only when there is no
 * other. With a limit nobody is given a slot before those that wait. */
struct dp_pod *dp_back_pick(struct dp_up *u, struct dp_back *b, const struct dp_pod *avoid);
/* Gives the slot on, and the reference back. */
void dp_back_release(struct dp_up *u, struct dp_back *b, struct dp_pod *p);

/* ---- waiting (worker) ---- */

enum dp_refusal {
    DP_REFUSED_FULL,   /* too many wait */
    DP_REFUSED_PEER,   /* too many of this client */
    DP_REFUSED_PLAIN,  /* a plain Service without an endpoint: nobody would start one */
    DP_REFUSED_GONE,   /* the backend was removed */
    DP_REFUSED_UNKNOWN /* nothing was ever heard of the backend */
};
struct dp_waiter;
struct dp_waiter_ops {
    /* It is its turn: it has left the queue, and owns the slot and the reference. */
    void (*serve)(struct dp_waiter *k, struct dp_pod *p);
    void (*refuse)(struct dp_waiter *k, enum dp_refusal why); /* it has left the queue */
};
struct dp_waiter {
    const struct dp_waiter_ops *ops;
    struct list link;
    struct dp_back *back; /* NULL: does not wait */
    int64_t since_ns, retry_ns,
        until_ns; /* came; not to be served before; refused after (0: never) */
    size_t bytes;
    uint32_t peer;               /* hash of the client's address */
    const struct dp_pod *failed; /* the last that refused; only compared */
    bool cold;                   /* it has met a time without pods */
};
/* Puts it into the queue and returns 0, or the reason why not as a negative dp_refusal - 1. */
int dp_wait(struct dp_up *u, struct dp_back *b, struct dp_waiter *k);
void dp_wait_more(struct dp_up *u, struct dp_waiter *k, size_t bytes); /* it grew, waiting or not */
void dp_unwait(struct dp_up *u, struct dp_waiter *k); /* nothing if it does not wait */
void dp_serve(struct dp_up *u, struct dp_back *b);    /* as many waiting ones as fit */

/* ---- exchanges (worker): one request and its answer on a connection to a pod ---- */

struct dp_exchange;
struct dp_exchange_events {
    void (*on_head)(struct dp_exchange *x, struct dp_head *h); /* interim ones too */
    void (*on_body)(struct dp_exchange *x, const char *p, size_t n);
    /* The answer is complete; the slices live until it returns. */
    void (*on_end)(struct dp_exchange *x, const struct http_header *trailers, size_t n);
    /* All of one read has been told. complete: the exchange is over and its connection given back.
     */
    void (*on_turn)(struct dp_exchange *x, bool complete);
    /* After a 101: rest came behind it. The connection is the caller's to carry on. */
    void (*on_switched)(struct dp_exchange *x, const char *rest, size_t n);
    /* It ended before its answer: the exchange is over. */
    void (*on_lost)(struct dp_exchange *x, const char *why);
    void (*on_room)(struct dp_exchange *x); /* the pod takes data again */
};

struct dp_pconn;
struct dp_exchange {
    const struct dp_exchange_events *ev;
    struct dp_pconn *conn; /* NULL: none */
    bool is_head, upgrade; /* what was asked */
    bool reused;           /* the connection had served before */
    bool got_bytes;        /* of an answer */
    bool written;          /* bytes of the request were handed to the kernel */
    bool request_done;
};

/* An idle connection to the pod, or NULL. sure: one that has been looked at and idled briefly, for
 * requests that must not be sent twice. */
struct dp_pconn *dp_pconn_take(struct dp_up *u, struct dp_pod *p, bool sure);
/* A connection that was made. */
struct dp_pconn *dp_pconn_new(struct dp_up *u, struct dp_pod *p, struct conn *c);
void dp_exchange_start(struct dp_exchange *x, struct dp_pconn *k);
/* Collected until the flush, which returns what conn_write does. */
int dp_exchange_head(struct dp_exchange *x, const struct dp_head *h);
void dp_exchange_body(struct dp_exchange *x, const char *p, size_t n, enum dp_framing f);
void dp_exchange_end(struct dp_exchange *x, enum dp_framing f, const struct http_header *t,
                     size_t n);
ssize_t dp_exchange_flush(struct dp_exchange *x);
void dp_exchange_pause(struct dp_exchange *x, bool pause); /* of the answer */
void dp_exchange_abort(struct dp_exchange *x); /* closes the connection; NULL conn accepted */
struct conn *dp_exchange_conn(struct dp_exchange *x); /* for a tunnel */

#endif
