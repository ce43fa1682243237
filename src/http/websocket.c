/*
 * The states are those of the closing handshake: open; we said goodbye and wait for the peer's;
 * over. What the parser reports is acted upon at once, since the parser stops behind a frame whose
 * handler ended the socket; memory goes only when no handler is on the stack.
 *
 * Written here since the libraries of the set that speak WebSocket (libcurl, libwebsockets) bring
 * connections and event loops of their own, and cannot take over ours.
 */
#include "http/websocket.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/rand.h"
#include "http/limits.h"

#define GOODBYE_MS   5000
#define REASON_MAX   123
#define ACCEPT_LEN   29
#define FLUSH_MS     5000
#define KEY_BYTES    16
#define NO_CODE      1005
#define WITHOUT_WORD 1006

enum ws_state { WS_OPEN, WS_SAID_GOODBYE, WS_OVER };

struct websocket {
    struct conn *conn;
    struct ws_parser parser;
    enum ws_side side;
    enum ws_state state;
    struct websocket_events ev;
    void *ctx;
    struct timer *goodbye;
    unsigned pins; /* handlers on the stack */
    bool freed;
};

static void release(struct websocket *w)
{
    if (!w->freed || w->pins > 0)
        return;
    ws_done(&w->parser);
    free(w);
}

static void set_state(struct websocket *w, enum ws_state to)
{
    assert(to > w->state);
    w->state = to;
    timer_free(w->goodbye);
    w->goodbye = NULL;
}

/* The last thing that the owner hears. */
static void over(struct websocket *w, int code)
{
    if (w->state == WS_OVER)
        return;
    set_state(w, WS_OVER);
    w->pins++;
    if (w->ev.on_close && !w->freed)
        w->ev.on_close(w->ctx, code);
    w->pins--;
    release(w);
}

/* ---- sending ---- */

static ssize_t send_frame(struct websocket *w, enum ws_op op, const struct iovec *parts,
                          int n_parts)
{
    char head[WS_HEAD_MAX];
    unsigned char mask[4];
    size_t n = 0, at = 0;
    struct iovec iov[3];

    for (int i = 0; i < n_parts; i++)
        n += parts[i].iov_len;
    if (w->side == WS_SERVER) {
        iov[0] = (struct iovec){head, ws_head(head, op, n, NULL)};
        memcpy(iov + 1, parts, (size_t)n_parts * sizeof(*parts));
        return conn_write(w->conn, iov, n_parts + 1);
    }
    rand_bytes(mask, sizeof(mask));
    _cleanup_free_ char *masked = xmalloc(n);
    for (int i = 0; i < n_parts; at += parts[i++].iov_len) {
        if (parts[i].iov_len)
            memcpy(masked + at, parts[i].iov_base, parts[i].iov_len);
    }
    ws_mask(masked, n, mask);
    iov[0] = (struct iovec){head, ws_head(head, op, n, mask)};
    iov[1] = (struct iovec){masked, n};
    return conn_write(w->conn, iov, 2);
}

ssize_t websocket_send2(struct websocket *w, bool binary, const void *a, size_t a_n, const void *b,
                        size_t b_n)
{
    const struct iovec parts[2] = {{(void *)a, a_n}, {(void *)b, b_n}};

    return w->state == WS_OPEN ? send_frame(w, binary ? WS_BINARY : WS_TEXT, parts, 2) : -EPIPE;
}

ssize_t websocket_send(struct websocket *w, bool binary, const void *p, size_t n)
{
    return websocket_send2(w, binary, p, n, NULL, 0);
}

ssize_t websocket_ping(struct websocket *w)
{
    return w->state == WS_OPEN ? send_frame(w, WS_PING, NULL, 0) : -EPIPE;
}

static void send_close(struct websocket *w, int code, const char *reason)
{
    char text[2 + REASON_MAX];
    size_t n = reason ? strlen(reason) : 0;

    n = n < REASON_MAX ? n : REASON_MAX;
    while (n > 0 && !ws_utf8_valid(reason, n)) /* not in the middle of a letter */
        n--;
    text[0] = (char)(code >> 8);
    text[1] = (char)code;
    if (n)
        memcpy(text + 2, reason, n);
    send_frame(w, WS_CLOSE, &(struct iovec){text, code == NO_CODE ? 0 : n + 2}, 1);
}

static void no_goodbye_came(void *ctx)
{
    over(ctx, WITHOUT_WORD);
}

void websocket_close(struct websocket *w, int code, const char *reason)
{
    if (w->state != WS_OPEN)
        return;
    send_close(w, code, reason);
    set_state(w, WS_SAID_GOODBYE);
    w->goodbye = timer_new(conn_loop(w->conn), no_goodbye_came, w);
    timer_start(w->goodbye, GOODBYE_MS);
    conn_read_start(w->conn);
}

/* ---- receiving ---- */

static void peer_closed(struct websocket *w, const char *p, size_t n)
{
    int code = n >= 2 ? (unsigned char)p[0] << 8 | (unsigned char)p[1] : NO_CODE;

    if (w->state == WS_OPEN)
        send_close(w, code, NULL);
    over(w, code);
}

static int on_message(void *ctx, enum ws_op op, const char *p, size_t n)
{
    struct websocket *w = ctx;

    if (op == WS_CLOSE)
        peer_closed(w, p, n);
    else if (op == WS_PING && w->state == WS_OPEN && conn_unsent(w->conn) < LIMIT_CONN_OUT)
        send_frame(w, WS_PONG, &(struct iovec){(void *)p, n}, 1); /* who floods gets fewer */
    else if ((op == WS_TEXT || op == WS_BINARY) && w->state == WS_OPEN && w->ev.on_message)
        w->ev.on_message(w->ctx, op == WS_BINARY, p, n);
    return w->freed || w->state == WS_OVER;
}

static void on_data(void *ctx, const char *p, size_t n)
{
    struct websocket *w = ctx;

    if (w->state == WS_OVER)
        return;
    w->pins++;
    if (ws_feed(&w->parser, p, n) < 0 && !w->freed) {
        if (w->state == WS_OPEN)
            send_close(w, w->parser.code, NULL);
        over(w, w->parser.code);
    }
    w->pins--;
    release(w);
}

static void on_drain(void *ctx)
{
    struct websocket *w = ctx;

    if (w->state == WS_OPEN && w->ev.on_drain)
        w->ev.on_drain(w->ctx);
}

static void on_eof(void *ctx)
{
    over(ctx, WITHOUT_WORD);
}

static void on_close(void *ctx, const struct err *why)
{
    over(ctx, WITHOUT_WORD);
}

static const struct conn_events events = {
    .on_data = on_data, .on_drain = on_drain, .on_eof = on_eof, .on_close = on_close};

void websocket_read_stop(struct websocket *w)
{
    conn_read_stop(w->conn);
}

void websocket_read_start(struct websocket *w)
{
    conn_read_start(w->conn);
}

size_t websocket_unsent(const struct websocket *w)
{
    return conn_unsent(w->conn);
}

void websocket_free(struct websocket *w)
{
    if (!w || w->freed)
        return;
    if (w->state == WS_OPEN)
        send_close(w, 1001, NULL);
    if (w->state != WS_OVER)
        set_state(w, WS_OVER);
    w->freed = true;
    conn_close_flush_within(w->conn, FLUSH_MS);
    release(w);
}

static struct websocket *websocket_new(struct conn *c, enum ws_side side, size_t max_message,
                                       const struct websocket_events *ev, void *ctx)
{
    struct websocket *w = xnew(struct websocket);

    w->conn = c;
    w->side = side;
    w->ev = *ev;
    w->ctx = ctx;
    ws_init(&w->parser, side, max_message ? max_message : LIMIT_WS_MESSAGE, on_message, w);
    conn_set_events(c, &events, w);
    return w;
}

/* ---- the opening handshake ---- */

/* What proves that a server read the key: base64 of SHA-1 of key and a fixed name (§1.3). */
static void accept_value(struct str key, char ret[static ACCEPT_LEN])
{
    static const char name[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    _cleanup_buf_ struct buf in = BUF_INIT(256), out = BUF_INIT(ACCEPT_LEN);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    buf_add(&in, key.p, key.n);
    buf_addz(&in, name);
    if (EVP_Digest(in.p, in.n, digest, &n, EVP_sha1(), NULL) != 1)
        abort(); /* only for want of memory */
    base64_add(&out, digest, n);
    snprintf(ret, ACCEPT_LEN, "%s", buf_z(&out));
}

static bool is_key(struct str key)
{
    size_t n = 0;
    _cleanup_free_ char *bytes =
        key.n == WEBSOCKET_KEY_LEN - 1 ? base64_decode(key.p, key.n, &n) : NULL;

    return bytes && n == KEY_BYTES;
}

/* Ours that the client offers too; NULL if there is none. */
static const char *choose(const char *const *ours, struct str offered)
{
    for (; *ours; ours++) {
        struct str rest = offered, name;
        while (str_split(&rest, ',', &name)) {
            if (str_eq(str_trim(name), str_of(*ours)))
                return *ours;
        }
    }
    return NULL;
}

static int check_request(struct http_exchange *x, const struct websocket_opts *o,
                         const char **ret_protocol, int *ret_status, struct err *e)
{
    struct str offered = http_request_header(x, "Sec-WebSocket-Protocol");

    *ret_protocol = NULL;
    *ret_status = 400;
    if (!str_eq(http_method(x), STR("GET")))
        return err_set(e, -EPROTO, "a WebSocket is asked for with GET");
    if (!str_eq(http_request_header(x, "Sec-WebSocket-Version"), STR("13"))) {
        *ret_status = 426;
        http_set_header(x, "Sec-WebSocket-Version", "13");
        return err_set(e, -EPROTO, "only version 13 of WebSocket is spoken here");
    }
    if (!is_key(http_request_header(x, "Sec-WebSocket-Key")))
        return err_set(e, -EPROTO, "the Sec-WebSocket-Key is not 16 bytes in base64");
    if (o->protocols && offered.p && !(*ret_protocol = choose(o->protocols, offered)))
        return err_set(e, -EPROTO, "none of the subprotocols \"" STR_FMT "\" is spoken here",
                       STR_ARG(offered));
    return 0;
}

struct websocket *websocket_accept(struct http_exchange *x, const struct websocket_opts *o,
                                   const struct websocket_events *ev, void *ctx,
                                   const char **ret_protocol, int *ret_status, struct err *e)
{
    char value[ACCEPT_LEN];
    const char *protocol;

    if (check_request(x, o, &protocol, ret_status, e) < 0)
        return NULL;
    accept_value(http_request_header(x, "Sec-WebSocket-Key"), value);
    http_set_header(x, "Sec-WebSocket-Accept", value);
    if (protocol)
        http_set_header(x, "Sec-WebSocket-Protocol", protocol);
    struct conn *c = http_upgrade(x, "websocket", e);
    if (!c)
        return NULL;
    if (ret_protocol)
        *ret_protocol = protocol;
    return websocket_new(c, WS_SERVER, o->max_message, ev, ctx);
}

void websocket_key(char ret[static WEBSOCKET_KEY_LEN])
{
    unsigned char bytes[KEY_BYTES];
    _cleanup_buf_ struct buf out = BUF_INIT(WEBSOCKET_KEY_LEN);

    rand_bytes(bytes, sizeof(bytes));
    base64_add(&out, bytes, sizeof(bytes));
    snprintf(ret, WEBSOCKET_KEY_LEN, "%s", buf_z(&out));
}

void websocket_request(struct http_headers *hs, const char *key, const char *protocols)
{
    http_add(hs, STR("Connection"), STR("Upgrade"));
    http_add(hs, STR("Upgrade"), STR("websocket"));
    http_add(hs, STR("Sec-WebSocket-Version"), STR("13"));
    http_add(hs, STR("Sec-WebSocket-Key"), str_of(key));
    if (protocols)
        http_add(hs, STR("Sec-WebSocket-Protocol"), str_of(protocols));
}

bool websocket_agreed(const struct http_headers *hs, const char *key)
{
    char want[ACCEPT_LEN];

    accept_value(str_of(key), want);
    return http_has_token(hs, "Upgrade", "websocket") &&
           http_has_token(hs, "Connection", "upgrade") &&
           str_eq(http_get(hs, "Sec-WebSocket-Accept"), str_of(want));
}

struct websocket *websocket_client(struct conn *c, size_t max_message,
                                   const struct websocket_events *ev, void *ctx)
{
    return websocket_new(c, WS_CLIENT, max_message, ev, ctx);
}
