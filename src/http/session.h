/* One connection of the HTTP server; shared by server.c and session.c only. */
#ifndef NONAGON_HTTP_SESSION_H
#define NONAGON_HTTP_SESSION_H

#include <time.h>

#include "base/buf.h"
#include "base/list.h"
#include "http/h1.h"
#include "http/server.h"

struct http_server {
    struct loop *loop;
    struct http_server_opts o;
    struct listener *listener;
    struct list sessions;
    size_t n_sessions;
    bool stopping, finishing;
    struct timer *grace;
    void (*done)(void *ctx);
    void *done_ctx;
    char date[40];
    int64_t date_second;
};

struct http_session {
    struct list link;
    struct http_server *server;
    struct conn *conn;
    struct h1_parser *parser;
    struct timer *limit;
    struct buf in;              /* received, not yet parsed */
    struct buf body;            /* of the request being received */
    struct buf out;             /* the head, and the whole answer unless it is streamed */
    const struct h1_head *head; /* between on_head and the dispatch */
    bool complete;              /* the request is there as a whole */
    bool parsing, eof, closed;
    int refuse; /* status to refuse the request with */
    /* of the request being answered */
    struct http_exchange *exchange;
    bool busy, streamed, chunked, no_body, keep_alive, old_client;
};

void session_new(struct http_server *s, struct conn *c);
void session_abort(struct http_session *k);
void session_close_if_idle(struct http_session *k);
void http_server_session_gone(struct http_server *s);
const char *http_server_date(struct http_server *s);

#endif
