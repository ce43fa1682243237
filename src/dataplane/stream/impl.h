/* The inside of a stream. Not for others. */
#ifndef NONAGON_DATAPLANE_STREAM_IMPL_H
#define NONAGON_DATAPLANE_STREAM_IMPL_H

#include "dataplane/stream/stream.h"

enum dp_stream_state {
    DP_S_NEW,     /* no backend yet */
    DP_S_WAIT,    /* in a backend's queue, or pausing after a failed connect */
    DP_S_CONNECT, /* has a slot, no connection yet */
    DP_S_SENT,    /* has an exchange; no final head of an answer */
    DP_S_ANSWER,  /* the answer is on its way to the client */
    DP_S_TUNNEL,
    DP_S_OVER,
    DP_S_STATES
};

struct dp_stream {
    struct list link; /* in dp_streams.live */
    struct dp_streams *w;
    const struct dp_down_ops *ops;
    void *down;
    const struct dp_client *client;
    enum dp_stream_state state;
    struct dp_head head; /* as it goes to the pod */
    struct h1_area *area;
    struct arena arena;               /* of what was made for the head */
    const struct dp_route_path *path; /* NULL on the activator's port */
    const struct dp_route_split *split;
    struct dp_back *back; /* counted in; NULL before and after */
    struct dp_waiter waiter;
    struct dp_pod *pod; /* a slot is held there */
    struct connecting *connecting;
    struct dp_exchange x;
    /* The body: not sent yet, or kept for a replay. body_lost: it is not the whole any more. */
    struct buf body;
    const struct http_header *trailers; /* of a body that is held */
    size_t n_trailers;
    bool body_lost, request_done, paused; /* paused: the client's reading */
    bool in_turn;                         /* bytes of a read follow; the flush comes behind them */
    bool is_head, idempotent, replayed, want_timing;
    bool answer_paused, bad_answer;
    bool open_ended; /* the answer is of unknown length */
    int64_t started_ns, active_ns, first_failure_ns;
    unsigned attempts;
    struct { /* tunnel */
        bool down_eof, up_eof, spoken;
        struct conn *down, *up;
    } t;
};

/* ---- stream.c: life ---- */
void dp_stream_set(struct dp_stream *s, enum dp_stream_state to); /* the only way to change it */
void dp_stream_let_go(struct dp_stream *s); /* place, slot, connection: everything that it holds */
void dp_stream_over(struct dp_stream *s);   /* ends it with that word */
void dp_stream_cut(struct dp_stream *s);
void dp_stream_close(struct dp_stream *s);

/* ---- reply.c ---- */
struct dp_reply {
    int status;
    struct http_header extra; /* one more field, or nothing */
    bool retry_after;
    const char *text;
};
/* Ends the stream with an answer of ours; if the pod's has begun, by cutting it. */
void dp_stream_reply(struct dp_stream *s, const struct dp_reply *r);
void dp_stream_reply_text(struct dp_stream *s, int status, const char *text);
void dp_stream_refuse(struct dp_stream *s, enum dp_refusal why);

/* ---- find.c ---- */
/* Sets back, path and split; -1: it has answered and the stream is gone. */
int dp_stream_find(struct dp_stream *s);

/* ---- rewrite.c ---- */
void dp_stream_rewrite(struct dp_stream *s);

/* ---- forward.c ---- */
void dp_stream_dispatch(struct dp_stream *s); /* gets a pod and a connection, or waits */
void dp_stream_send(struct dp_stream *s); /* on the exchange that has begun: all that there is */
/* After a connection that ended: sends it once more if that is sure to be right. */
bool dp_stream_again(struct dp_stream *s);

/* ---- answer.c ---- */
extern const struct dp_exchange_events dp_stream_answer_events;

/* ---- tunnel.c ---- */
void dp_stream_tunnel(struct dp_stream *s, const char *rest, size_t n);

#endif
