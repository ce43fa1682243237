/*
 * Listening sockets. They are made here rather than by libuv, since SO_REUSEPORT has to be set
 * before bind, and what is set on a listening socket is inherited by every accepted one: one call
 * each instead of five for every connection.
 */
#include "net/listen_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/str.h"
#include "net/conn_impl.h"

#define BACKLOG 1024

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

static int new_socket(const struct listen_opts *o, struct err *e)
{
    if (o->host && o->host[0])
        return make_socket(o, o->host, e);
    int fd = make_socket(o, "::", e);
    /* A kernel without IPv6 still serves IPv4. */
    return fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL ? make_socket(o, "0.0.0.0", e) : fd;
}

int listen_socket_port(int fd)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);

    if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
        return 0;
    if (sa.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
    return sa.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&sa)->sin_port) : 0;
}

bool listen_socket_is_unix(int fd)
{
    int domain = 0;
    socklen_t len = sizeof(domain);

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

/* A socket that somebody else made and perhaps listens on: made to behave like one of ours. */
static int adopt_socket(int fd, struct err *e)
{
    int type = 0;
    socklen_t len = sizeof(type);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
        return err_sys(e, errno, "cannot listen on descriptor %d", fd);
    if (type != SOCK_STREAM)
        return err_set(e, -EINVAL, "cannot listen on descriptor %d: not a stream socket", fd);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK | O_RDWR) < 0)
        return err_sys(e, errno, "cannot listen on descriptor %d", fd);
    return fd;
}

int listen_socket(const struct listen_opts *o, struct err *e)
{
    int fd = o->fd > 0 ? adopt_socket(o->fd, e) : new_socket(o, e);

    if (fd < 0)
        return fd;
    if (!listen_socket_is_unix(fd))
        socket_options(fd);
    if (listen(fd, o->backlog ? o->backlog : BACKLOG) == 0)
        return fd;
    int r = bind_error(errno, o->host && o->host[0] ? o->host : "::", o->port, e);
    close(fd);
    return r;
}
