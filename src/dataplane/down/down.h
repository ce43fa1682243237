/*
 * Client connections: reading requests, one stream for each, in order. HTTP/1.1: one request is
 * under way at a time; what a client sends beyond it waits, so pipelined requests are answered in
 * order.
 */
#ifndef NONAGON_DATAPLANE_DOWN_H
#define NONAGON_DATAPLANE_DOWN_H

#include "dataplane/stream/stream.h"

struct dp_downs { /* of one worker */
    struct loop *loop;
    struct dp_streams *streams;
    struct dp_report *report;
    struct h1_opts h1;   /* for requests */
    struct list idle;    /* struct dp_down between requests, the longest first */
    struct list busy;    /* and the others */
    struct list watched; /* those whose end would go unseen while nothing is read */
    size_t n, max;       /* connections; max 0: bounded by descriptors alone */
    struct timer *watch;
    struct buf head;      /* an answer's head on its way into an output */
    struct dp_output out; /* towards one client at a time */
    bool open;            /* requests are taken */
    bool draining;
    void (*gone)(void *ctx); /* a connection has ended */
    void *ctx;
};
void dp_downs_init(struct dp_downs *w); /* after loop, streams and h1 are set */
void dp_downs_done(struct dp_downs *w);
void dp_downs_open(struct dp_downs *w);  /* requests are taken from now on */
void dp_downs_drain(struct dp_downs *w); /* idle ones end; the others after their request */
/* No more connections can be had: who idles makes room, and a request that ends gives its place. */
bool dp_downs_crowded(const struct dp_downs *w);

/* Takes the connection over. */
void dp_down_new(struct dp_downs *w, struct conn *conn, enum dp_visibility visibility,
                 bool activator);

#endif
