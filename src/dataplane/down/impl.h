/* The inside of a client connection. Not for others. */
#ifndef NONAGON_DATAPLANE_DOWN_IMPL_H
#define NONAGON_DATAPLANE_DOWN_IMPL_H

#include "dataplane/down/down.h"

enum dp_down_state {
    DP_D_IDLE,    /* between requests */
    DP_D_HEAD,    /* a head has begun */
    DP_D_REQUEST, /* its stream lives */
    DP_D_LEFT,    /* the answer is over; the rest of this read may bring the request's end */
    DP_D_TUNNEL,
    DP_D_CLOSED, /* freed once no frame looks at it any more */
};

struct dp_down {
    struct list link;    /* in dp_downs.idle or .busy */
    struct list watched; /* in dp_downs.watched */
    struct dp_downs *w;
    struct conn *conn;
    struct h1_parser *parser;
    struct timer *timer;
    int64_t timer_due_ns; /* what the timer is set to; 0 = not running */
    int64_t mark_ns;      /* since when it idles, or when its head began */
    struct dp_client client;
    enum dp_down_state state;
    struct dp_stream *stream; /* NULL: none */
    struct buf in;            /* received beyond the current request */
    struct dp_h1_answer how;  /* how the current answer goes out */
    const char *refused;      /* why the head just read is not passed on */
    bool feeding, going;      /* frames on the stack that will look at the state */
    bool has_body, request_done;
    bool final, final_sent; /* the final head is collected; has gone out */
    bool paused;            /* by the stream */
    bool full;              /* `in` is */
    bool half_closed;       /* the client sends nothing more */
    unsigned asked;         /* how often in this request, whether it is still there */
    int64_t asked_ns;
};

/* ---- down.c ---- */
void dp_down_set(struct dp_down *d, enum dp_down_state to); /* the only way to change it */
void dp_down_close(struct dp_down *d, void (*close_conn)(struct conn *conn));
void dp_down_free_if_closed(struct dp_down *d); /* at the end of a frame that held it */
void dp_down_linger(struct conn *conn); /* for dp_down_close: all that was written arrives */
void dp_down_arm(struct dp_down *d);
/* An interim answer, which is harmless to a client that listens; the system of one that left
 * refuses it, and that can be seen. */
void dp_down_ask(struct dp_down *d);
void dp_down_watch(struct dp_down *d);   /* looks whether the client is still there */
void dp_down_reading(struct dp_down *d); /* starts or stops it as the flags say */

/* ---- h1.c ---- */
extern const struct h1_events dp_down_h1_events;
extern const struct conn_events dp_down_conn_events;
void dp_down_h1_go_on(struct dp_down *d);        /* takes what had to wait */
void dp_down_h1_request_over(struct dp_down *d); /* both sides done: the next one */

#endif
