/*
 * A head without a protocol: what a request or an answer says, apart from how its connection frames
 * it. Readers take out everything that belongs to one hop; writers derive framing, connection
 * handling and Host from the structure alone. So no field that a client or a pod sends, and no rule
 * about fields, can touch them.
 *
 * Slices point into the area of the parsed head or wherever its owner made them.
 */
#ifndef NONAGON_DATAPLANE_HEAD_H
#define NONAGON_DATAPLANE_HEAD_H

#include <sys/uio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "http/h1.h"

enum dp_framing {
    DP_NO_BODY,
    DP_LENGTH, /* dp_head.length bytes */
    DP_PIECES, /* of unknown length; its end is told, trailers may follow */
    DP_TO_END, /* until the connection ends; answers only */
};

struct dp_head {
    /* requests */
    struct str method, authority; /* where to, with its port if it was given */
    struct str path;              /* with query; or "*" */
    /* answers */
    int status;
    struct str reason;
    bool closes; /* ours, given before the request was read: the rest of that is not */
    /* both */
    struct str protocol; /* that an upgrade is to, or was made to; n = 0: none */
    bool trailers;       /* requests: the client takes trailers in the answer */
    enum dp_framing framing;
    int64_t length; /* of the body; without one what was said of it (HEAD, 304, 0), -1 = nothing */
    struct http_header *f; /* the end-to-end fields */
    size_t n;
};

/*
 * Reads a parsed head; its array of fields becomes that of the result. -EINVAL with why for a
 * request that no proxy may pass on: a target that is none, a Connection that lists too much.
 */
int dp_head_of_request(struct h1_head *h, struct dp_head *ret, const char **why);
int dp_head_of_answer(struct h1_head *h, struct dp_head *ret, const char **why);

/* The first field of that name, or STR_NULL. */
struct str dp_head_get(const struct dp_head *h, const char *name);

/* Whether a name is one that only proxies may set: framing, routing, identity. Also in the spelling
 * with underscores, which CGI and WSGI read as the same. */
bool dp_name_is_ours(struct str name);

/* ---- HTTP/1.1 ---- */
/* -E2BIG beyond the buffer's maximum. */
int dp_h1_put_request(struct buf *b, const struct dp_head *h);

/* How a body goes to an HTTP/1 client. */
struct dp_h1_answer {
    bool old;        /* HTTP/1.0 */
    bool keep_alive; /* in: allowed; out: whether the connection goes on after it */
    bool chunked;    /* out */
};
int dp_h1_put_answer(struct buf *b, const struct dp_head *h, struct dp_h1_answer *how);
/* The end of a chunked body with its trailers; those that no trailer may be are left out. */
int dp_h1_put_end(struct buf *b, const struct http_header *trailers, size_t n);

/* ---- what one turn of a parser produced, written at once ---- */
struct dp_output {
    struct iovec iov[96];
    int n;
    char sizes[32][20]; /* chunk size lines */
    int n_sizes;
};
static inline void dp_output_clear(struct dp_output *o)
{
    o->n = o->n_sizes = 0;
}
static inline void dp_output_add(struct dp_output *o, const void *p, size_t n)
{
    o->iov[o->n++] = (struct iovec){(void *)p, n};
}
/* One piece of a body, as a chunk if chunked. False: no room, flush first. */
bool dp_output_body(struct dp_output *o, const char *p, size_t n, bool chunked);

#endif
