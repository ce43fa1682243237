/*
 * HTTP/1.1 server for handlers: keep-alive, pipelining answered in order, Expect: 100-continue,
 * chunked streamed answers, upgrades. Loop-thread only.
 *
 * What strangers can take is bounded: a head has a time limit (408) and a size (431); a body has a
 * size (413) and must keep a rate (408); all that the server keeps of requests has a sum (503 with
 * Retry-After); what is sent ahead without reading the answers stays with the kernel. At the
 * maximum of connections a newcomer takes the place of whoever was idle longest, those first who
 * never identified themselves. Connections count as FD_CONTROL unless the listener's options say
 * another class. After a flood memory goes back to the kernel (net/trimmer.h).
 */
#ifndef NONAGON_HTTP_SERVER_H
#define NONAGON_HTTP_SERVER_H

#include "base/buf.h"
#include "http/exchange.h"
#include "net/conn.h"

struct http_server_opts {
    struct listen_opts listen;
    size_t max_body;
    size_t max_connections;   /* 0 = LIMIT_HTTP_CONNECTIONS */
    size_t max_held;          /* 0 = LIMIT_HTTP_HELD: all read ahead, heads and bodies together */
    uint64_t head_timeout_ms; /* 0 = 15 s */
    uint64_t idle_timeout_ms; /* 0 = 120 s */
    /* A body may take body_grace_ms (0 = 20 s) and a second more for each body_rate bytes of it
     * that have come (0 = 4096). */
    uint64_t body_grace_ms;
    uint64_t body_rate;
    /* Called when the head is there, see exchange.h; NULL: only complete requests are seen. */
    http_handler_fn *head;
    http_handler_fn *handler;
    void *ctx;
    /*
     * Writes the body of an answer that the server gives by itself (400, 408, 413, 431, 503) and
     * returns its content type. NULL: one line of text.
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
