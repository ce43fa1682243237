/*
 * Listening sockets. The socket is made here rather than by libuv, since SO_REUSEPORT has to be set
 * before bind. Accepted connections that speak TLS are handed on once their handshake is complete.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/str.h"
#include "net/conn_impl.h"

#define HANDSHAKE_MS 10000

struct listener {
    struct loop_owned owned;
    union {
        uv_handle_t any;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } h;
    struct loop *loop;
    struct tls_server *tls;
    int port;
    void (*on_conn)(void *ctx, struct conn *c);
    void *ctx;
    struct list shaking; /* struct shaking: handshakes under way */
};

struct shaking {
    struct list link;
    struct listener *ls;
    struct conn *conn;
    struct timer *limit;
};

static void shaking_free(struct shaking *k)
{
    list_del(&k->link);
    timer_free(k->limit);
    free(k);
}

static void shaking_late(void *ctx)
{
    struct shaking *k = ctx;

    conn_close(k->conn);
    shaking_free(k);
}

static void shaking_done(void *ctx, struct conn *c, const struct err *why)
{
    struct shaking *k = ctx;
    struct listener *ls = k->ls;

    shaking_free(k);
    if (c)
        ls->on_conn(ls->ctx, c);
}

static void start_tls(struct listener *ls, struct conn *c)
{
    struct shaking *k = xnew(struct shaking);

    k->ls = ls;
    list_push_back(&ls->shaking, &k->link);
    k->limit = timer_new(ls->loop, shaking_late, k);
    timer_start(k->limit, HANDSHAKE_MS);
    k->conn = tls_accept(c, ls->tls, shaking_done, k);
}

static void on_accept(uv_stream_t *h, int status)
{
    struct listener *ls = container_of(h, struct listener, h.stream);

    if (status < 0)
        return;
    struct stream_conn *s = stream_conn_new(ls->loop, ls->h.any.type == UV_NAMED_PIPE);
    if (uv_accept(h, stream_conn_handle(s)) < 0) {
        stream_conn_discard(s);
        return;
    }
    struct conn *c = stream_conn_open(s);
    if (ls->tls)
        start_tls(ls, c);
    else
        ls->on_conn(ls->ctx, c);
}

/* ---- the socket ---- */

static int bind_error(int errnum, const char *host, int port, struct err *e)
{
    char where[96];

    if (streq(host, "::") || streq(host, "0.0.0.0"))
        snprintf(where, sizeof(where), "port %d", port);
    else
        snprintf(where, sizeof(where), strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
    if (errnum == EADDRINUSE)
        return err_set(e, -EADDRINUSE,
                       "cannot listen on %s: already in use by another program (`ss -ltnp` shows "
                       "which)",
                       where);
    if (errnum == EACCES)
        return err_set(e, -EACCES,
                       "cannot listen on %s: permission denied; ports below 1024 need root or "
                       "the capability CAP_NET_BIND_SERVICE",
                       where);
    return err_sys(e, errnum, "cannot listen on %s", where);
}

static int parse_address(const char *host, int port, struct sockaddr_storage *sa, struct err *e)
{
    if (uv_ip4_addr(host, port, (struct sockaddr_in *)sa) == 0 ||
        uv_ip6_addr(host, port, (struct sockaddr_in6 *)sa) == 0)
        return 0;
    return err_set(e, -EINVAL, "cannot listen on %s:%d: not a numeric IP address", host, port);
}

static int make_socket(const struct listen_opts *o, const char *host, struct err *e)
{
    struct sockaddr_storage sa;
    _cleanup_close_ int fd = -1;
    const int on = 1, off = 0;

    int r = parse_address(host, o->port, &sa, e);
    if (r < 0)
        return r;
    fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return bind_error(errno, host, o->port, e);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (o->reuse_port)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (sa.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    socklen_t len =
        sa.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (bind(fd, (struct sockaddr *)&sa, len) < 0)
        return bind_error(errno, host, o->port, e);
    r = fd;
    fd = -1;
    return r;
}

static int open_socket(const struct listen_opts *o, struct err *e)
{
    if (o->host && o->host[0])
        return make_socket(o, o->host, e);
    int fd = make_socket(o, "::", e);
    /* A kernel without IPv6 still serves IPv4. */
    return fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL ? make_socket(o, "0.0.0.0", e) : fd;
}

static int port_of(int fd)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);

    if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
        return 0;
    if (sa.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
    return sa.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&sa)->sin_port) : 0;
}

static bool is_unix(int fd)
{
    int domain = 0;
    socklen_t len = sizeof(domain);

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

static void listener_drop(struct loop_owned *o)
{
    listener_free(container_of(o, struct listener, owned));
}

static int start_listening(struct listener *ls, int fd, int backlog)
{
    bool pipe = is_unix(fd);

    if (pipe)
        uv_pipe_init(&ls->loop->uv, &ls->h.pipe, 0);
    else
        uv_tcp_init(&ls->loop->uv, &ls->h.tcp);
    ls->h.any.data = &ls->owned;
    int r = pipe ? uv_pipe_open(&ls->h.pipe, fd) : uv_tcp_open(&ls->h.tcp, fd);
    if (r < 0) {
        close(fd);
        return r;
    }
    return uv_listen(&ls->h.stream, backlog ? backlog : 1024, on_accept);
}

struct listener *listener_new(struct loop *l, const struct listen_opts *o,
                              void (*on_conn)(void *ctx, struct conn *c), void *ctx, struct err *e)
{
    int fd = o->fd > 0 ? o->fd : open_socket(o, e);

    if (fd < 0)
        return NULL;
    struct listener *ls = xnew(struct listener);
    ls->owned.drop = listener_drop;
    ls->loop = l;
    ls->tls = o->tls;
    ls->port = port_of(fd);
    ls->on_conn = on_conn;
    ls->ctx = ctx;
    list_init(&ls->shaking);
    int r = start_listening(ls, fd, o->backlog);
    if (r < 0) {
        bind_error(-r, o->host && o->host[0] ? o->host : "*", o->port, e);
        listener_free(ls);
        return NULL;
    }
    return ls;
}

int listener_port(const struct listener *ls)
{
    return ls->port;
}

static void listener_gone(uv_handle_t *h)
{
    free(container_of(h, struct listener, h.any));
}

void listener_free(struct listener *ls)
{
    if (!ls || uv_is_closing(&ls->h.any))
        return;
    list_for_each_safe(it, &ls->shaking) shaking_late(list_entry(it, struct shaking, link));
    uv_close(&ls->h.any, listener_gone);
}
