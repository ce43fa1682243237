/*
 * Connecting: resolve (only names, on the pool), try each address in turn, then TLS. One timer
 * covers all of it. The attempt is freed once nothing of libuv's points at it any more, so
 * cancelling is always possible; `over` says that done was called or is no longer wanted.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/conn_impl.h"

#define CONNECT_MS 10000

struct connecting {
    struct loop *loop;
    char *host, *server_name;
    int port;
    char *unix_path;
    struct tls_client *tls;
    enum fd_class fd_class;
    void (*done)(void *ctx, struct conn *c, const struct err *why);
    void *ctx;
    bool over;
    unsigned pins; /* what still points here: look-up, connect request, deferred call */
    struct timer *limit;
    struct stream_conn *trying;
    struct conn *shaking;
    uv_getaddrinfo_t lookup;
    uv_connect_t req;
    struct addrinfo *found, *at;
    struct sockaddr_storage numeric;
    bool is_numeric;
    struct err why;
};

static void try_next(struct connecting *k);

static void release(struct connecting *k)
{
    if (!k->over || k->pins > 0)
        return;
    if (k->found)
        uv_freeaddrinfo(k->found);
    free(k->host);
    free(k->server_name);
    free(k->unix_path);
    free(k);
}

static void give_up(struct connecting *k)
{
    k->over = true;
    timer_free(k->limit);
    k->limit = NULL;
    if (k->trying)
        stream_conn_discard(k->trying);
    k->trying = NULL;
    conn_close(k->shaking);
    k->shaking = NULL;
}

/* The loop is being freed and has dropped the handles: nobody is told any more. */
static void abandon(struct connecting *k)
{
    k->over = true;
    k->limit = NULL;
    k->trying = NULL;
    release(k);
}

static void finish(struct connecting *k, struct conn *c)
{
    if (k->over)
        return;
    give_up(k);
    k->pins++;
    k->done(k->ctx, c, c ? NULL : &k->why);
    k->pins--;
    release(k);
}

static const char *target(const struct connecting *k, char *text, size_t n)
{
    if (k->unix_path)
        snprintf(text, n, "%s", k->unix_path);
    else
        snprintf(text, n, "%s:%d", k->host, k->port);
    return text;
}

static void fail_with(struct connecting *k, int code, const char *what)
{
    char text[512];

    err_set(&k->why, code, "cannot connect to %s: %s", target(k, text, sizeof(text)), what);
}

static void on_limit(void *ctx)
{
    struct connecting *k = ctx;

    fail_with(k, -ETIMEDOUT, "no answer within the time limit");
    finish(k, NULL);
}

static void on_tls(void *ctx, struct conn *c, const struct err *why)
{
    struct connecting *k = ctx;

    k->shaking = NULL;
    if (!c)
        fail_with(k, why->code, why->msg);
    finish(k, c);
}

static void connected(struct connecting *k)
{
    struct conn *c = stream_conn_open(k->trying);

    k->trying = NULL;
    if (!k->tls)
        finish(k, c);
    else
        k->shaking = tls_connect(c, k->tls, k->server_name ? k->server_name : k->host, on_tls, k);
}

static void on_connect(uv_connect_t *req, int status)
{
    struct connecting *k = container_of(req, struct connecting, req);

    k->pins--;
    if (k->over) {
        release(k);
    } else if (status == UV_ECANCELED) {
        abandon(k);
    } else if (status == 0) {
        connected(k);
    } else {
        fail_with(k, status, uv_strerror(status));
        stream_conn_discard(k->trying);
        k->trying = NULL;
        try_next(k);
    }
}

static bool new_socket(struct connecting *k, bool is_pipe)
{
    if (fdbudget_take(k->fd_class)) {
        k->trying = stream_conn_new(k->loop, is_pipe, k->fd_class);
        return true;
    }
    fail_with(k, -EMFILE, "the process has used up its share of descriptors for this");
    finish(k, NULL);
    return false;
}

static void start_pipe(struct connecting *k)
{
    if (!new_socket(k, true))
        return;
    k->pins++;
    uv_pipe_connect(&k->req, (uv_pipe_t *)stream_conn_handle(k->trying), k->unix_path, on_connect);
}

static void try_address(struct connecting *k, const struct sockaddr *sa)
{
    if (!new_socket(k, false))
        return;
    k->pins++;
    int r = uv_tcp_connect(&k->req, (uv_tcp_t *)stream_conn_handle(k->trying), sa, on_connect);
    if (r == 0)
        return;
    k->pins--;
    stream_conn_discard(k->trying);
    k->trying = NULL;
    fail_with(k, r, uv_strerror(r));
    try_next(k);
}

/* The next address, or the end with what the last one said. */
static void try_next(struct connecting *k)
{
    struct addrinfo *ai = k->at;

    if (!ai) {
        finish(k, NULL);
        return;
    }
    k->at = ai->ai_next;
    try_address(k, ai->ai_addr);
}

static void on_found(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct connecting *k = container_of(req, struct connecting, lookup);

    k->pins--;
    k->found = k->at = res;
    if (k->over) {
        release(k);
    } else if (k->loop->closed) {
        abandon(k);
    } else if (status < 0 || !res) {
        fail_with(k, -EHOSTUNREACH, status < 0 ? uv_strerror(status) : "the name has no address");
        finish(k, NULL);
    } else {
        try_next(k);
    }
}

static void look_up(struct connecting *k)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    char port[16];

    snprintf(port, sizeof(port), "%d", k->port);
    k->pins++;
    int r = uv_getaddrinfo(&k->loop->uv, &k->lookup, on_found, k->host, port, &hints);
    if (r == 0)
        return;
    k->pins--;
    fail_with(k, r, uv_strerror(r));
    finish(k, NULL);
}

/* Runs deferred: whatever fails at once is told from here, never from inside conn_connect. */
static void begin(void *arg)
{
    struct connecting *k = arg;

    k->pins--;
    if (k->over)
        release(k);
    else if (k->loop->closed)
        abandon(k);
    else if (k->unix_path)
        start_pipe(k);
    else if (k->is_numeric)
        try_address(k, (struct sockaddr *)&k->numeric);
    else
        look_up(k);
}

struct connecting *conn_connect(struct loop *l, const struct connect_opts *o,
                                void (*done)(void *ctx, struct conn *c, const struct err *why),
                                void *ctx)
{
    struct connecting *k = xnew(struct connecting);

    k->loop = l;
    k->host = xstrdup(o->host);
    k->port = o->port;
    k->unix_path = o->unix_path ? xstrdup(o->unix_path) : NULL;
    k->server_name = o->server_name ? xstrdup(o->server_name) : NULL;
    k->tls = o->tls;
    k->fd_class = o->fd_class;
    k->done = done;
    k->ctx = ctx;
    k->is_numeric = uv_ip4_addr(k->host, k->port, (struct sockaddr_in *)&k->numeric) == 0 ||
                    uv_ip6_addr(k->host, k->port, (struct sockaddr_in6 *)&k->numeric) == 0;
    k->limit = timer_new(l, on_limit, k);
    timer_start(k->limit, o->timeout_ms ? o->timeout_ms : CONNECT_MS);
    k->pins++;
    loop_defer(l, begin, k);
    return k;
}

void connecting_cancel(struct connecting *k)
{
    if (!k || k->over)
        return;
    give_up(k);
    release(k);
}
