/*
 * A WebSocket (RFC 6455) over a connection that an upgrade handed over; either side. Loop-thread
 * only. Pings are answered, the closing handshake is kept, masking and fragments are nobody's
 * business above. A message reaches the owner as a whole, up to a maximum.
 */
#ifndef NONAGON_HTTP_WEBSOCKET_H
#define NONAGON_HTTP_WEBSOCKET_H

#include "http/exchange.h"
#include "http/ws_frame.h"
#include "net/conn.h"

struct websocket;

struct websocket_events {
    void (*on_message)(void *ctx, bool binary, const char *p, size_t n);
    void (*on_drain)(void *ctx); /* unsent bytes fell to zero; may be NULL */
    /*
     * The peer closed (with its code; 1005 = it gave none), broke the rules (our code), or is gone
     * without a word (1006). Nothing follows; the owner still has to call websocket_free.
     */
    void (*on_close)(void *ctx, int code);
};

struct websocket_opts {
    /* Subprotocols in the order of our preference, NULL-terminated; NULL = none. A client that
     * offers only others is refused. */
    const char *const *protocols;
    size_t max_message; /* 0 = LIMIT_WS_MESSAGE */
};

/*
 * From a full handler: checks the client's side of the handshake, answers, and takes the
 * connection. NULL with an error when the request is no acceptable handshake: the exchange then
 * waits for an answer; *ret_status is what it should be (400, or 426 with "Sec-WebSocket-Version:
 * 13", which has been set). ret_protocol (may be NULL) gets the agreed one of opts, or NULL.
 */
struct websocket *websocket_accept(struct http_exchange *x, const struct websocket_opts *o,
                                   const struct websocket_events *ev, void *ctx,
                                   const char **ret_protocol, int *ret_status, struct err *e);

/* The client's side of the handshake: fields for the request (the key is random). */
#define WEBSOCKET_KEY_LEN 25
void websocket_key(char ret[static WEBSOCKET_KEY_LEN]);
void websocket_request(struct http_headers *hs, const char *key, const char *protocols);
/* Whether the answer's fields prove that the server understood. */
bool websocket_agreed(const struct http_headers *hs, const char *key);
/* Takes the connection. */
struct websocket *websocket_client(struct conn *c, size_t max_message,
                                   const struct websocket_events *ev, void *ctx);

/* Returns the bytes now waiting, or negative when it is closing or gone. Stop above LIMIT_CONN_OUT
 * until on_drain. */
ssize_t websocket_send(struct websocket *w, bool binary, const void *p, size_t n);
/* The same for a message in two parts, such as a channel's number and its bytes. */
ssize_t websocket_send2(struct websocket *w, bool binary, const void *a, size_t a_n, const void *b,
                        size_t b_n);
ssize_t websocket_ping(struct websocket *w);
void websocket_read_stop(struct websocket *w);
void websocket_read_start(struct websocket *w);
size_t websocket_unsent(const struct websocket *w);
/* Says goodbye once; on_close comes when the peer has answered, or after 5 s. The reason is cut at
 * 123 bytes. */
void websocket_close(struct websocket *w, int code, const char *reason);
/* No callback follows; what is unsent is still sent, with a goodbye (1001) if none was said. */
void websocket_free(struct websocket *w);

#endif
