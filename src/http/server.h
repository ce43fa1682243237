/*
 * HTTP/1.1 server for handlers: keep-alive, pipelining answered in order, request bodies buffered
 * to a limit (413 beyond it), Expect: 100-continue, chunked streamed answers, idle and head time
 * limits (slow heads get 408). Loop-thread only.
 */
#ifndef NONAGON_HTTP_SERVER_H
#define NONAGON_HTTP_SERVER_H

#include "base/buf.h"
#include "http/exchange.h"
#include "net/conn.h"

struct http_server_opts {
    struct listen_opts listen;
    size_t max_body;
    size_t max_connections;   /* 0 = 10000; beyond it new ones are closed */
    uint64_t head_timeout_ms; /* 0 = 15 s */
    uint64_t idle_timeout_ms; /* 0 = 120 s */
    http_handler_fn *handler;
    void *ctx;
    /*
     * Writes the body of an answer that the server gives by itself (400, 408, 413, 431) and returns
     * its content type. NULL: one line of text.
     */
    const char *(*refusal)(int status, const char *why, struct buf *out);
};
struct http_server;
struct http_server *http_server_new(struct loop *l, const struct http_server_opts *o,
                                    struct err *e);
int http_server_port(const struct http_server *s);
/* Serves one connection made elsewhere (loopback pairs in tests). */
void http_server_adopt(struct http_server *s, struct conn *c);
/* Stops accepting, closes idle connections, lets running exchanges finish for up to grace_ms, then
 * frees and calls done. */
void http_server_shutdown(struct http_server *s, uint64_t grace_ms, void (*done)(void *ctx),
                          void *ctx);

#endif
