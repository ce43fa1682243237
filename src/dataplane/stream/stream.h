/*
 * One request and its answer, between a client connection and a pod's.
 *
 * The client's side makes a stream when it has read a head, gives it the body, and implements
 * dp_down_ops; the stream finds the backend, waits, sends, and hands the answer back. Which
 * protocol is spoken on either side it does not know. One worker's thread.
 */
#ifndef NONAGON_DATAPLANE_STREAM_H
#define NONAGON_DATAPLANE_STREAM_H

#include "dataplane/base/trust.h"
#include "dataplane/head/head.h"
#include "dataplane/route/route.h"
#include "dataplane/up/up.h"

struct dp_stream;

/* What a stream asks of the client connection that it came from. */
struct dp_down_ops {
    /* The answer: collected, then sent by flush, which returns what conn_write does. An interim
     * head has a status below 200. -E2BIG: a head that does not fit. */
    int (*head)(void *down, struct dp_head *h);
    void (*body)(void *down, const char *p, size_t n);
    void (*end)(void *down, const struct http_header *trailers, size_t n);
    ssize_t (*flush)(void *down);
    /* Drops what was collected; true if nothing of the final answer has gone out yet. */
    bool (*take_back)(void *down);
    void (*pause)(void *down, bool pause); /* of the request's body */
    void (*arm)(void *down);               /* dp_stream_due has come nearer */
    /* The last words; the stream is gone when they are called. */
    void (*over)(void *down);  /* the answer is complete */
    void (*cut)(void *down);   /* it cannot be completed: the client has to notice */
    void (*close)(void *down); /* a tunnel ended */
    struct conn *(*tunnel)(void *down,
                           struct buf *ret_rest); /* the connection, and bytes read ahead */
};

/* What is known of the client. Outlives the stream. */
struct dp_client {
    enum dp_visibility visibility;
    bool activator, tls;
    char ip[48];
    uint32_t ip_hash;
};

#define DP_STREAMS_KEPT 64

struct dp_streams { /* of one worker */
    struct dp_up *up;
    struct dp_table *table;
    const struct dp_trust *trust;
    struct dp_report *report;
    struct h1_pool *pool; /* of heads */
    struct list live;     /* struct dp_stream */
    size_t n_in[8];       /* by state */
    struct dp_stream *kept[DP_STREAMS_KEPT];
    unsigned n_kept;
    bool draining;
};
void dp_streams_init(struct dp_streams *w);
void dp_streams_done(struct dp_streams *w);

/* The area holds what the head points to; it is taken over. Nothing is called before the start. */
struct dp_stream *dp_stream_new(struct dp_streams *w, const struct dp_down_ops *ops, void *down,
                                const struct dp_client *client, const struct dp_head *head,
                                struct h1_area *area);
/* In each of these the stream may come to its end (over, cut, close are called then). */
void dp_stream_start(struct dp_stream *s);
void dp_stream_body(struct dp_stream *s, const char *p, size_t n);
void dp_stream_end(struct dp_stream *s, const struct http_header *trailers, size_t n);
void dp_stream_flush(struct dp_stream *s); /* the end of a read: sends what it brought */
void dp_stream_room(struct dp_stream *s);  /* the client takes data again */
void dp_stream_fail(struct dp_stream *s, int status, const char *text); /* the request is broken */
void dp_stream_late(struct dp_stream *s); /* dp_stream_due has passed */
/* The client is gone: everything is given back, nothing is called. */
void dp_stream_abort(struct dp_stream *s);

int64_t dp_stream_due(const struct dp_stream *s);    /* 0 = never */
bool dp_stream_answering(const struct dp_stream *s); /* a final head has been handed on */
/* Waits for a pod: a client that left loses its place. */
bool dp_stream_waits(const struct dp_stream *s);

/* An answer of ours without a stream. */
void dp_reply_down(const struct dp_down_ops *ops, void *down, int64_t wall_ns, int status,
                   const char *text);

#endif
