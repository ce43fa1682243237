/* A connection to a pod, and what a protocol on it provides. Not for others. */
#ifndef NONAGON_DATAPLANE_UP_PCONN_H
#define NONAGON_DATAPLANE_UP_PCONN_H

#include "dataplane/up/impl.h"

struct dp_pconn_ops {
    unsigned capacity; /* exchanges at a time */
    void (*begin)(struct dp_pconn *k, struct dp_exchange *x);
    int (*head)(struct dp_exchange *x, const struct dp_head *h);
    void (*body)(struct dp_exchange *x, const char *p, size_t n, enum dp_framing f);
    void (*end)(struct dp_exchange *x, enum dp_framing f, const struct http_header *t, size_t n);
    void (*free)(struct dp_pconn *k);
};

struct dp_pconn {
    const struct dp_pconn_ops *ops;
    struct list link; /* in dp_up.conns */
    struct list idle; /* in dp_pod_worker.idle */
    struct dp_up *up;
    struct dp_pod *pod;
    struct conn *conn;
    unsigned n_exchanges;
    bool reused;
    bool tunnel;        /* what is unsent goes out before it is closed */
    bool feeding, dead; /* a frame on the stack will look at dead */
    int64_t idle_since_ns;
    /* ---- HTTP/1.1 ---- */
    struct h1_parser *parser;
    struct dp_exchange *x; /* the one; NULL while idle */
    bool keep_alive;       /* of the answer being read */
    bool final_head, complete, switched;
    const char *bad; /* what is wrong with the answer's head */
};

extern const struct dp_pconn_ops dp_pconn_h1;
void dp_pconn_h1_open(struct dp_pconn *k); /* events and parser */

/* An exchange is over: the connection goes back to the idle ones, or ends. */
void dp_pconn_give_back(struct dp_pconn *k, bool reusable);
/* It ended while it lay idle. */
void dp_pconn_idle_end(struct dp_pconn *k);

#endif
