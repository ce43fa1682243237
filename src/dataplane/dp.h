/*
 * The inside of the data plane: what its files share.
 *
 * Shared by all workers and immutable after they are made: ingress entries, backend settings.
 * Shared and changing: atomic counters of pods and backends. Everything marked "worker" belongs to
 * one worker's thread; shared objects carry an array with one element per worker for it, so nothing
 * needs a look-up or a lock.
 */
#ifndef NONAGON_DATAPLANE_DP_H
#define NONAGON_DATAPLANE_DP_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"
#include "dataplane/dataplane.h"
#include "http/h1.h"
#include "net/conn.h"

#define CACHE_LINE      64
#define MAX_WORKERS     64 /* bits of a backend's waiting mask */
#define DEFAULT_TIMEOUT 300000

struct worker;
struct client;

/* ---- pods ---- */

struct pod_worker {
    struct list idle; /* struct upstream, most recently used first */
    size_t n_idle;
    bool removed; /* no longer an endpoint: connections are not kept */
} __attribute__((aligned(CACHE_LINE)));

struct pod {
    atomic_uint refs;
    char *ip, *name;
    int port;
    atomic_uint in_flight __attribute__((aligned(CACHE_LINE)));
    struct pod_worker w[];
};
struct pod *dp_pod_new(const struct dp_endpoint *ep, int workers);
struct pod *pod_ref(struct pod *p);
void pod_unref(struct pod *p);

/* ---- backends ---- */

struct settings { /* of a backend; immutable */
    atomic_uint refs;
    unsigned concurrency;
    uint64_t timeout_ms, response_start_ms, idle_ms;
    size_t n_pods;
    struct pod *pods[];
};
void settings_unref(struct settings *s);

struct backend_worker {
    struct worker *worker;
    struct settings *set; /* NULL: nothing is known of it */
    bool was_set;         /* backend.revision may be read */
    struct list waiting;  /* struct client */
    size_t n_waiting;
    struct timer *tick; /* while requests wait */
    struct list busy;   /* in worker.busy while there is something to report */
    uint64_t inside, arrivals;
    double area_ns; /* requests inside, integrated over time */
    int64_t changed_ns;
} __attribute__((aligned(CACHE_LINE)));

struct backend {
    atomic_uint refs;
    char *ns, *service;
    int port;
    /* NULL: a plain Service's, or nothing is known yet. Set once, before the first settings are
     * posted: a worker that has settings may read it. */
    char *revision;
    bool was_set; /* control: settings have been given */
    int n_workers;
    struct settings *current; /* control: the last one given out */
    VEC(struct pod *) left;   /* control: removed pods on which requests may still run */
    atomic_uint n_waiting __attribute__((aligned(CACHE_LINE)));
    atomic_uint_fast64_t waiting_mask; /* workers in which requests wait */
    struct backend_worker w[];
};
struct backend *backend_ref(struct backend *b);
void backend_unref(struct backend *b);

/* ---- ingresses ---- */

struct field {
    struct str name, value;
};
struct fields {
    struct field *f;
    size_t n;
};
struct split {
    struct backend *backend;
    unsigned percent;
    struct fields set;
};
struct path {
    struct str prefix;
    struct fields match, set;
    struct str rewrite_host; /* n = 0: keep */
    struct split *splits;
    size_t n_splits;
    unsigned total;
};
struct rule {
    enum dp_visibility visibility;
    bool redirect_https;
    struct path *paths;
    size_t n_paths;
};
struct ingress_host { /* the rules of one ingress for one host */
    char *host;
    VEC(struct rule *) rules;
};
struct ingress {
    atomic_uint refs;
    char *key, *hash;
    struct rule *rules;
    size_t n_rules;
    VEC(struct ingress_host) hosts;
};
/* find returns the backend with a reference. */
struct ingress *ingress_new(const struct dp_ingress *in,
                            struct backend *(*find)(void *ctx, const struct dp_split *key),
                            void *ctx);
void ingress_unref(struct ingress *in);

struct table; /* worker: which ingress answers for which host */
struct table *table_new(void);
void table_free(struct table *t);
void table_set(struct table *t, struct ingress *in); /* takes a reference */
void table_remove(struct table *t, const char *key);
/* The owner of a host; NULL when nobody answers for it. */
const struct ingress_host *table_find(const struct table *t, struct str host,
                                      const struct ingress **ret_owner);
const struct path *ingress_match(const struct ingress_host *ih, bool local, struct str path,
                                 const struct http_headers *hs, const struct rule **ret_rule);
const struct split *path_choose(const struct path *p);

/* ---- workers ---- */

struct output { /* what one turn of a parser produced, written at once */
    struct iovec iov[96];
    int n;
    char sizes[32][20]; /* chunk size lines */
    int n_sizes;
};

struct door { /* a listener of a worker */
    struct worker *worker;
    struct listener *listener;
    enum dp_visibility visibility;
    bool activator;
};

struct worker {
    struct dataplane *dp;
    int index;
    struct loop_thread *thread;
    struct loop *loop;
    struct door *doors;
    struct table *table;
    struct map *known; /* revisions' backends by "ns/revision"; only with an activator's port */
    struct list clients;
    size_t n_clients;
    struct list upstreams; /* all of them */
    struct list busy;      /* struct backend_worker */
    size_t queued_bytes;
    int64_t collected_ns;
    struct timer *sweep;
    struct buf head; /* an answer's head on its way into an output */
    struct output out;
    bool open, draining, drained;
} __attribute__((aligned(CACHE_LINE)));

struct dataplane {
    struct dp_opts o;
    struct dp_listen *listen;
    int *ports;
    int n_workers;
    struct worker *workers;
    pthread_mutex_t lock; /* guards backends, the control fields, and the order of messages */
    struct map *backends; /* "ns/service:port" -> struct backend */
    bool want_purge;
    pthread_mutex_t drain_lock;
    pthread_cond_t drained;
    int n_drained;
};

int worker_init(struct loop *l, void *ctx, struct err *e);
void worker_fini(struct loop *l, void *ctx);
void worker_client_gone(struct worker *w);
void worker_open(void *worker); /* requests are taken from now on */
/* By name, for the activator's port; NULL when its settings are unknown here. */
struct backend *worker_find_backend(struct worker *w, struct str ns, struct str revision);

/* ---- requests on backends (worker) ---- */

struct backend_worker *backend_at(struct backend *b, const struct worker *w);
struct backend *backend_of(struct backend_worker *bw, const struct worker *w);
void backend_enter(struct worker *w, struct backend *b);        /* a request came */
void backend_leave(struct worker *w, struct backend *b);        /* and is over */
void backend_rest(struct worker *w, struct backend_worker *bw); /* leaves worker.busy */
/* A pod with a slot taken, or NULL. avoid (may be NULL) is taken only when there is no other. */
struct pod *backend_pick(struct worker *w, struct backend *b, const struct pod *avoid);
void backend_release(struct worker *w, struct backend *b, struct pod *p); /* gives the slot on */
/* Puts the client into the queue; false when that is full. */
bool backend_wait(struct worker *w, struct backend *b, struct client *c);
void backend_unwait(struct worker *w, struct client *c);
void backend_apply(struct worker *w, struct backend *b, struct settings *s); /* takes over s */
void backend_serve(struct worker *w, struct backend *b); /* as many waiting ones as fit */
const struct settings *backend_settings(struct backend *b, const struct worker *w);
/* NULL: a plain Service's, or not known. */
const char *backend_revision(struct backend *b, const struct worker *w);

/* ---- client connections (worker) ---- */

enum client_state {
    CLIENT_IDLE,    /* between requests */
    CLIENT_WAIT,    /* in a backend's queue, or pausing after a failed connect */
    CLIENT_CONNECT, /* has a slot, no connection yet */
    CLIENT_ACTIVE,  /* has an upstream connection */
    CLIENT_TUNNEL,
};

struct client {
    struct list link; /* in worker.clients */
    struct worker *worker;
    struct door *door;
    struct conn *conn;
    struct h1_parser *parser;
    struct timer *timer;
    int64_t timer_due_ns; /* what the timer is set to; 0 = not running */
    char peer_ip[48];
    enum client_state state;
    bool feeding, going, closed; /* frames on the stack that will look at closed */
    struct buf in;               /* received beyond the current request */
    /* ---- the current request ---- */
    struct backend *backend;
    struct list waiting; /* in backend_worker.waiting */
    bool in_queue;       /* counted as waiting */
    size_t queued_bytes;
    struct pod *pod;        /* slot held */
    struct pod *failed_pod; /* the last that refused; only compared */
    struct upstream *up;
    struct connecting *connecting;
    struct buf up_head; /* the request head as it goes upstream */
    struct buf up_body; /* body bytes in wire form: not yet sent, or kept for a replay */
    bool head_unsent;   /* up_head goes out before anything else */
    bool body_lost;     /* up_body is not the whole of what was sent */
    bool has_body, request_done, response_started, response_done;
    bool is_head, upgrade, chunked_up, chunked_down, keep_alive, old, want_timing, waited;
    bool reading_paused, up_paused; /* back-pressure from upstream; from this client */
    int64_t started_ns, active_ns, retry_ns, first_failure_ns;
    unsigned attempts;
    bool eof, up_eof; /* tunnel halves */
};

void client_new(struct door *d, struct conn *conn);
void client_dispatch(struct client *c); /* gets a pod and a connection, or waits */
void client_activate(struct client *c, struct upstream *u);
void client_connect_failed(struct client *c, const struct err *why);
void client_reply(struct client *c, int status, const char *extra_fields, const char *body);
void client_request_over(struct client *c); /* both sides done: the next one */
void client_cut(struct client *c);          /* closes it without another word; ends its request */
void client_close(struct client *c, void (*close_conn)(struct conn *conn));
void client_end_request(struct client *c); /* gives back queue place, slot and connection */
void client_resume(struct client *c);      /* the upstream takes data again */
void client_drain(struct client *c);       /* closes it if idle */
void client_arm(struct client *c);
void client_on_timer(void *ctx);
void client_flush_up(struct client *c); /* worker.out to the upstream */

/* ---- upstream connections (worker) ---- */

struct upstream {
    struct list link; /* in worker.upstreams */
    struct list idle; /* in pod_worker.idle */
    struct worker *worker;
    struct pod *pod;
    struct conn *conn;
    struct h1_parser *parser;
    struct client *client; /* NULL while idle */
    bool reused, keep_alive, got_bytes;
    bool tunnel;                         /* what is unsent goes out before it is closed */
    bool final_head, complete, switched; /* of the answer being read */
    int64_t idle_since_ns;
};

struct upstream *upstream_take(struct worker *w, struct pod *p); /* an idle one or NULL */
void upstream_connect(struct client *c);
void upstream_close(struct upstream *u);
void upstream_sweep(struct worker *w, int64_t idle_before_ns);
void tunnel_start(struct client *c, const char *rest, size_t n);

/* ---- heads ---- */

struct route {
    struct str host; /* as given, with port */
    struct str path;
    const struct path *rule_path; /* NULL on the activator's port */
    const struct split *split;
};
int head_write_request(struct client *c, const struct h1_head *head, const struct route *r);
int head_write_response(struct client *c, const struct h1_head *head, struct buf *out);

/* ---- output ---- */
static inline void output_add(struct output *o, const void *p, size_t n)
{
    o->iov[o->n++] = (struct iovec){(void *)p, n};
}
/* Adds one piece of a body, as a chunk if chunked. False: no room, flush first. */
bool output_body(struct output *o, const char *p, size_t n, bool chunked);

#endif
