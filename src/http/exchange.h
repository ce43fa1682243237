/*
 * One request and its answer, seen by a handler. HTTP server and in-process transport both produce
 * exchanges, so a handler cannot tell them apart. Loop-thread only (the handler's loop).
 *
 * An exchange passes two handlers. The *head* handler sees method, path, fields and identity, no
 * body: it authenticates, limits and authorizes, so that nothing is buffered for strangers. It
 * answers (the body is then thrown away), or asks for the body with http_read_body, in both cases
 * at once or later. The *full* handler is called when the body is there as a whole. Who installs no
 * head handler gets complete requests only.
 *
 * An answer is given exactly once: http_reply, or http_start + http_chunk... + http_end, or
 * http_upgrade. Between http_read_body and the full handler no answer is given.
 */
#ifndef NONAGON_HTTP_EXCHANGE_H
#define NONAGON_HTTP_EXCHANGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "http/message.h"
#include "http/user.h"

struct http_exchange;
struct loop;
typedef void http_handler_fn(void *ctx, struct http_exchange *x);

/* ---- the request; slices valid until the exchange ends ---- */
struct str http_method(const struct http_exchange *x);
struct str http_path(const struct http_exchange *x);  /* before '?', still escaped */
struct str http_query(const struct http_exchange *x); /* after '?', or empty */
struct str http_body(const struct http_exchange *x);  /* empty until the full handler is called */
struct str http_request_header(const struct http_exchange *x, const char *name);
/* Whether any field's name starts so, in whatever case. */
bool http_request_has_prefix(const struct http_exchange *x, const char *prefix);
/*
 * Who asks, never NULL: from a verified client certificate (name = common name, groups = every
 * organization), from the in-process caller, or what http_set_user put in its place.
 */
const struct user_info *http_user(const struct http_exchange *x);
/* An authenticator's finding, for everybody who looks later; copied. */
void http_set_user(struct http_exchange *x, const struct user_info *u);
const char *http_peer(const struct http_exchange *x);
/* From the head handler: go on to the full one. The exchange may be gone on return (the body was
 * refused: its close callback has run then), and the full handler may have been called inside. */
void http_read_body(struct http_exchange *x);
/* What the head handler found out, for the full one; not owned. */
void http_set_data(struct http_exchange *x, void *data);
void *http_data(const struct http_exchange *x);

/* ---- the answer ---- */
/* Copies the body. */
void http_reply(struct http_exchange *x, int status, const char *content_type, const void *body,
                size_t n);
/* Extra response field, before http_reply or http_start; copied. */
void http_set_header(struct http_exchange *x, const char *name, const char *value);
/* A streamed answer without known length. */
void http_start(struct http_exchange *x, int status, const char *content_type);
/* Returns bytes not yet taken by the peer (drop the peer beyond a bound of your choice), or
 * negative if it is gone. */
ssize_t http_chunk(struct http_exchange *x, const void *p, size_t n);
/*
 * fn is called whenever all of a streamed answer so far has been taken, after http_chunk said that
 * some was not: who makes much waits for it. False: this transport does not tell, do not wait.
 */
bool http_on_drain(struct http_exchange *x, void (*fn)(void *ctx), void *ctx);
void http_end(struct http_exchange *x);   /* the exchange is gone afterwards */
void http_abort(struct http_exchange *x); /* cuts the answer; gone afterwards */
/*
 * From the full handler: answers 101 with "Upgrade: protocol" and the extra fields, and hands over
 * the connection, with what the peer has sent already; the exchange is gone. The caller sets its
 * events before it returns to the loop. NULL with an error if this request cannot be upgraded to
 * that protocol (it did not ask, it is HTTP/1.0): the exchange then waits for an ordinary answer.
 */
struct conn;
struct conn *http_upgrade(struct http_exchange *x, const char *protocol, struct err *e);
/*
 * Called when the peer goes away (or the server shuts down) before the answer ended; the exchange
 * is gone after the callback. Not called after http_reply / http_end.
 */
void http_on_close(struct http_exchange *x, void (*fn)(void *ctx), void *ctx);
struct loop *http_loop(const struct http_exchange *x);

/* ---- for transports: make an exchange ---- */
struct http_exchange_ops {
    void (*start)(void *t, int status, const struct http_headers *hs, bool streamed);
    ssize_t (*chunk)(void *t, const void *p, size_t n);
    void (*end)(void *t);
    void (*abort)(void *t);
    bool drains; /* it calls http_exchange_drained */
    /* The head handler wants the body: http_exchange_body follows, or http_exchange_gone. */
    void (*read_body)(void *t);
    /* Sends the head of the answer and gives the connection away; NULL with an error: not possible,
     * and nothing has happened. May be NULL. */
    struct conn *(*upgrade)(void *t, const struct http_headers *hs, struct err *e);
};
struct http_exchange_init {
    struct loop *loop;
    struct str method, path, query, body; /* copied */
    const struct http_headers *headers;   /* copied */
    const struct user_info *user;         /* copied; NULL = nobody */
    const char *peer;                     /* copied */
    const struct http_exchange_ops *ops;
    void *transport;
};
struct http_exchange *http_exchange_new(const struct http_exchange_init *init);
/* The body, taken over (malloc'ed); before the full handler is called. */
void http_exchange_body(struct http_exchange *x, char *p, size_t n);
/* The peer has taken all that was sent; the exchange may be gone on return. */
void http_exchange_drained(struct http_exchange *x);
/* The transport saw its peer leave: runs the close callback, then frees. */
void http_exchange_gone(struct http_exchange *x);

#endif
