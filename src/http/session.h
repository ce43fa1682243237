/* One connection of the HTTP server; shared by server.c, session.c and session_answer.c only. */
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
    /* Those who never identified themselves, and the others; each from the longest idle on. */
    struct list strangers, known;
    size_t n_sessions;
    size_t held; /* bytes that sessions keep: read ahead, heads, bodies */
    bool stopping, finishing;
    struct timer *grace;
    struct trimmer *trimmer;
    void (*done)(void *ctx);
    void *done_ctx;
    char date[40];
    int64_t date_second;
};

enum session_state {
    SESSION_HEAD,   /* waits for a request, or reads its head */
    SESSION_ASKED,  /* the head handler has the exchange */
    SESSION_BODY,   /* the body is being collected */
    SESSION_ANSWER, /* the full handler has the exchange */
    SESSION_DRAIN,  /* answered at the head: the body is read and thrown away */
    SESSION_OVER,   /* closed; freed once parse() has left the stack */
};

struct http_session {
    struct list link;
    struct http_server *server;
    struct conn *conn;
    enum session_state state;
    struct h1_parser *parser; /* only while a request is being read */
    struct timer *limit;
    struct buf in;   /* received, not yet parsed */
    struct buf body; /* of the request being received */
    struct buf out;  /* the head, and the whole answer unless it is streamed */
    size_t held;     /* its part of the server's */
    size_t kept;     /* bytes of the body that the exchange has */
    bool known;      /* somebody identified himself here */
    bool parsing, eof;
    /* what the parser reported during one feed */
    const struct h1_head *head; /* valid until the end of the message */
    bool head_seen, complete;
    int refuse; /* status to refuse the request with */
    /* of the request under way */
    struct http_exchange *exchange;
    int64_t body_begun_ns;
    size_t body_came;
    bool poke; /* the parser may have the end of the message without another byte */
    bool awaits_continue, streamed, chunked, no_body, keep_alive, old_client;
};

extern const struct http_exchange_ops session_answer_ops;

void session_new(struct http_server *s, struct conn *c);
void session_abort(struct http_session *k);
void session_close_if_idle(struct http_session *k);
bool session_is_idle(const struct http_session *k);
/* Between the two sources of a session. */
void session_end(struct http_session *k, void (*close_conn)(struct conn *c));
void session_close(struct conn *c); /* gently, as long as the peer takes what is left */
void session_answered(struct http_session *k);
void session_read_body(struct http_session *k);
/* Takes the connection out, with what was read ahead; the session is over. */
struct conn *session_hand_over(struct http_session *k);

void http_server_session_gone(struct http_server *s);
const char *http_server_date(struct http_server *s);

#endif
