/* HTTP/1.1 client with a keep-alive pool per target. Loop-thread only. */
#ifndef NONAGON_HTTP_CLIENT_H
#define NONAGON_HTTP_CLIENT_H

#include "http/message.h"
#include "net/conn.h"

struct http_client;
struct http_client *http_client_new(struct loop *l);
void http_client_free(struct http_client *c); /* running requests end with an error first */

struct http_call {
    struct connect_opts target;
    struct str method, path;     /* path with query */
    struct http_headers headers; /* Host, Content-Length are added */
    struct str body;
    uint64_t timeout_ms; /* whole call; 0 = none (streams) */
    uint64_t
        quiet_ms; /* without a byte of the answer; 0 = none. For streams that must say something */
    size_t max_body; /* for buffered answers; 0 = LIMIT_HTTP_ANSWER */
    bool no_pool;    /* one connection for this call, closed after it */
};
struct http_call_events {
    /* Optional. Without on_chunk the body is buffered and given to on_done. */
    void (*on_head)(void *ctx, int status, const struct http_headers *hs);
    void (*on_chunk)(void *ctx, const char *p, size_t n);
    /* Exactly once, last: err is NULL on a complete answer. status 0 if there was none. */
    void (*on_done)(void *ctx, const struct err *err, int status, struct str body);
    /*
     * The server answered 101 to a request whose fields asked for an upgrade: c is the caller's,
     * with what has come after the head; events are set before returning. hs is valid during the
     * call. Comes instead of on_done. NULL: such an answer is an error.
     */
    void (*on_upgrade)(void *ctx, struct conn *c, const struct http_headers *hs);
};
struct http_running;
/* Everything in call is copied. Callbacks never run inside this function. A pooled
 * connection is used only if its server has not closed it by then; a request is sent again on a
 * fresh connection only if a pooled one died before any byte of an answer and the method is
 * idempotent. */
struct http_running *http_client_call(struct http_client *c, const struct http_call *call,
                                      const struct http_call_events *ev, void *ctx);
void http_running_cancel(struct http_running *r); /* no callback follows */

#endif
