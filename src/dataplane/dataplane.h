/*
 * The proxy engine: gateway, activator and queue as stages of one pipeline, on worker threads that
 * share nothing but immutable route entries and atomic endpoint counters.
 *
 * Configuration is incremental: each change of one ingress or one backend is an immutable,
 * reference-counted entry that every worker swaps into its own table. Calls may come from any
 * thread; changes from one thread are applied in order; `applied` runs on the given loop once every
 * worker serves the new state.
 *
 * Life of a request: host (exact, without port, case-insensitive) and listener visibility -> first
 * path whose prefix and headers match -> weighted split -> backend (a Service's port) -> if no
 * endpoint of its revision is ready the request waits in the revision's bounded queue and
 * on_arrival is told -> an endpoint with a free slot (containerConcurrency per pod, least loaded)
 * -> streaming both ways -> slot freed.
 *
 * Framing, routing and identity are the proxy's own: whatever fields come in, a request goes out
 * with framing that is made anew, one Host, and forwarding fields of this proxy. A request is
 * executed at most once: only an idempotent one (or one with an Idempotency-Key) is sent again,
 * once.
 *
 * A limit of time that passes before the answer has begun is answered 504 "request timeout"; after
 * that an answer of unknown length ends with these words, and any other is cut. A request that
 * found no pod and carries "X-Nonagon-Server-Timing: 1" gets a Server-Timing field: queue is its
 * whole wait, the other spans are its parts. Spoken is HTTP/1.1 on both sides. What goes wrong is
 * logged, at most a line a second of each kind and worker.
 */
#ifndef NONAGON_DATAPLANE_H
#define NONAGON_DATAPLANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "dataplane/base/config.h"
#include "net/loop.h"

struct dataplane;
struct trace_sink;
struct clock;

struct dp_opts {
    const struct dp_listen *listen;
    size_t n_listen;
    int workers; /* 0 = one per CPU */
    /* Where the story of a start from zero is told; may be NULL. Outlives the data plane. */
    const struct trace_sink *trace;
    /* "192.0.2.0/24", "2001:db8::1": peers whose Forwarded and X-Forwarded fields are believed;
     * what anybody else says of itself is overwritten. */
    const char *const *trusted_proxies;
    size_t n_trusted_proxies;
    /* Client connections at a time, all workers together. 0 = derived from RLIMIT_NOFILE: a
     * reserve for the rest of the process is left alone, and each client may need a second
     * descriptor for its pod. At the bound the listeners rest until somebody leaves. */
    size_t max_clients;
    /* Of one head, both ways: 0 = 128 KiB, 1000. */
    size_t max_head_bytes, max_head_fields;
    /* NULL = the system's. For tests that step it; outlives the data plane. */
    const struct clock *clock;
    /* Worker thread: requests began to wait for this revision and no endpoint is there (repeated
     * at most every 100 ms while they wait). */
    void (*on_arrival)(void *ctx, const char *ns, const char *revision);
    void *ctx;
};
/*
 * Binds all listeners, which listen from then on; what connects waits in the kernel's queue until
 * dataplane_accept says that the routes are there. -EADDRINUSE names the port and what to do.
 */
struct dataplane *dataplane_start(const struct dp_opts *o, struct err *e);
/* Connections are accepted from now on. Any thread. */
void dataplane_accept(struct dataplane *dp);
/* Stops accepting, waits up to drain_ms for running requests, joins, frees. */
void dataplane_stop(struct dataplane *dp, uint64_t drain_ms);
int dataplane_port(const struct dataplane *dp, size_t listen_index);

/* ---- configuration: plain structures of base/config.h, copied by the call ---- */
/* applied may be NULL. Host conflicts: the ingress that had the host first keeps it until it lets
 * go. */
void dp_set_ingress(struct dataplane *dp, const struct dp_ingress *in, struct loop *l,
                    void (*applied)(void *), void *ctx);
void dp_remove_ingress(struct dataplane *dp, const char *key, struct loop *l,
                       void (*applied)(void *), void *ctx);
/* An endpoint that disappears takes no new requests; running ones finish. */
void dp_set_backend(struct dataplane *dp, const struct dp_backend *b, struct loop *l,
                    void (*applied)(void *), void *ctx);
void dp_remove_backend(struct dataplane *dp, const char *ns, const char *service, int port);

/* ---- signals ---- */
struct dp_stat { /* one revision since the last collection */
    const char *ns, *revision;
    double concurrency; /* time-weighted average of requests inside (waiting and running) */
    double requests;    /* arrivals */
    uint64_t in_flight; /* now, waiting included */
    uint64_t waiting;   /* now */
    double seconds;     /* length of the period */
};
/* Gathers from all workers, then calls fn(all revisions with anything to say) on the loop. */
void dp_collect(struct dataplane *dp, struct loop *l,
                void (*fn)(void *ctx, const struct dp_stat *stats, size_t n), void *ctx);
/* Requests now running on one endpoint, over all workers (for drain on scale-down). Any thread. */
uint64_t dp_endpoint_in_flight(struct dataplane *dp, const char *ns, const char *revision,
                               const char *ip);

#endif
