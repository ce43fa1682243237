/*
 * HTTP/1.x codec on llhttp: bytes in, events out; no I/O. Every lenient flag of llhttp is off;
 * further refused are: both Content-Length and Transfer-Encoding, several differing
 * Content-Lengths, a Transfer-Encoding other than exactly "chunked", a missing or repeated Host in
 * HTTP/1.1 requests, bytes outside of a token in field names, NUL or bare CR/LF in values, a
 * status below 100. Heads are bounded by LIMIT_HTTP_HEAD and LIMIT_HTTP_HEADERS unless the owner
 * says otherwise; trailers and chunk extensions by 16 KiB each per message.
 */
#ifndef NONAGON_HTTP_H1_H
#define NONAGON_HTTP_H1_H

#include "base/buf.h"
#include "base/err.h"
#include "http/message.h"

enum h1_kind { H1_REQUEST, H1_RESPONSE };

struct h1_head {
    struct str method; /* requests */
    struct str target; /* as sent: origin-form, absolute-form, authority-form or "*" */
    int status;        /* responses */
    struct str reason;
    int minor;       /* HTTP/1.minor */
    bool keep_alive; /* what the message allows */
    bool chunked;
    int64_t content_length; /* -1 = not given */
    bool has_body;          /* a body follows (chunked, length > 0, or until close for responses) */
    bool upgrade;           /* Connection: upgrade with an Upgrade field, or CONNECT */
    bool expect_continue;
    /* All fields, as slices into the head's area: valid until on_done has returned, or as long as
     * the area is kept. The array may be changed, but not grown. */
    struct http_header *fields;
    size_t n_fields;
    struct http_headers headers; /* the same; not there in a bare head. Last: bare areas end here */
};

struct h1_events {
    /* Return nonzero to stop: h1_feed then returns at once, with the bytes consumed so far. */
    int (*on_head)(void *ctx, struct h1_head *head);
    int (*on_body)(void *ctx, const char *p, size_t n);
    int (*on_done)(void *ctx); /* end of the message; h1_trailers tells what came after the body */
};

/* Areas of heads that are not being read, kept for the next one. One thread. */
struct h1_pool;
struct h1_pool *h1_pool_new(void);
void h1_pool_free(struct h1_pool *pool);

/* How a proxy reads. Outlives its parsers. */
struct h1_opts {
    size_t head_max, target_max, fields_max; /* bytes, bytes, fields */
    bool bare;                               /* head.headers is not made */
    bool any_method;      /* every token is a method; each message stops the parser at its end */
    bool loose_chunks;    /* blanks behind a chunk's size */
    bool loose_lines;     /* lines that end with a bare LF */
    bool trailers;        /* kept for h1_trailers; otherwise dropped */
    struct h1_pool *pool; /* of areas; these go back at the end of each message */
};

struct h1_parser;
/* ev and o are not copied. */
struct h1_parser *h1_new_with(enum h1_kind kind, const struct h1_opts *o,
                              const struct h1_events *ev, void *ctx);
struct h1_parser *h1_new(enum h1_kind kind, const struct h1_events *ev, void *ctx);
void h1_free(struct h1_parser *p);
void h1_reset(struct h1_parser *p); /* ready for a new connection */
/*
 * Consumes bytes. Returns how many were used: all of them, or fewer after a callback stopped it or
 * an upgrade head was seen (the rest is the tunnel's; feeding it on means that the upgrade was
 * declined and it is HTTP after all). Negative with an error: -EINVAL malformed (answer 400),
 * -E2BIG head too large (answer 431). After an error the parser accepts nothing more until
 * h1_reset.
 */
ssize_t h1_feed(struct h1_parser *p, const char *buf, size_t n, struct err *e);
/* End of stream: completes an until-close response; -EPIPE if a message was cut. */
int h1_eof(struct h1_parser *p, struct err *e);
/* Response parsers: the next response belongs to a HEAD request (no body). Call before its bytes.
 */
void h1_expect_head(struct h1_parser *p);
bool h1_idle(const struct h1_parser *p);     /* between messages */
size_t h1_memory(const struct h1_parser *p); /* bytes that it occupies */
/* Inside on_done: the fields behind a chunked body. */
const struct http_header *h1_trailers(const struct h1_parser *p, size_t *ret_n);

/* In on_head or later: takes the area of the current head (with all its slices) out of the parser;
 * NULL when it has none. */
struct h1_area *h1_take_area(struct h1_parser *p);
void h1_area_give(struct h1_pool *pool, struct h1_area *a); /* NULL accepted */
size_t h1_area_bytes(const struct h1_area *a);

/* ---- writing ---- */
/* "METHOD target HTTP/1.1" and all fields, then an empty line. Refuses CR, LF and NUL in any part
 * (-EINVAL). */
int h1_write_request(struct buf *out, struct str method, struct str target,
                     const struct http_headers *hs);
int h1_write_response(struct buf *out, int status, const struct http_headers *hs);

#endif
