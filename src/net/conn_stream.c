/*
 * TCP and unix stream connections on libuv handles.
 *
 * Writing tries the socket first. What does not fit is copied: one buffer is with the kernel
 * ("flying"), a second collects what comes meanwhile ("next"), so a slow peer costs two buffers
 * however many writes were made. A flushing close sends what is left, half-closes and reads the
 * peer's rest away, since closing with unread input would make the kernel reset the connection and
 * lose the last answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/conn_impl.h"

#define FIN_MS        5000 /* for the peer's half, once it has all of ours */
#define FLUSH_RATE    1024 /* bytes a second that a flushing close must move */
#define KEEP_BUFFER   (32 * 1024)
#define ADDRESS_CHARS 64

struct chunk {
    char *p;
    size_t n, cap;
};

struct stream_conn {
    struct conn base;
    struct loop_owned owned;
    union {
        uv_handle_t any;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } h;
    uv_write_t write_req;
    uv_shutdown_t shutdown_req;
    struct chunk flying, next;
    bool writing;   /* write_req is with libuv */
    bool told_full; /* a write left bytes: the owner waits for on_drain */
    bool want_shutdown, was_shut;
    bool eof; /* the peer's half is over */
    bool told_close;
    bool reading;
    bool lingering;
    int dead;             /* error code after which nothing is written */
    unsigned pins;        /* deferred calls that still point here */
    bool gone;            /* libuv has let go of the handle */
    struct timer *linger; /* only while lingering */
    uint64_t stall_ms;
    int64_t give_up_ns;
    size_t left; /* at the last look of the timer */
    struct conn_count *count;
    enum fd_class fd_class;
    char peer[ADDRESS_CHARS], local[ADDRESS_CHARS];
};

static struct stream_conn *stream_of(struct conn *c)
{
    return container_of(c, struct stream_conn, base);
}

static void chunk_add(struct chunk *k, const void *p, size_t n)
{
    if (k->n + n > k->cap) {
        k->cap = k->n + n < 4096 ? 4096 : (k->n + n) * 2;
        k->p = xrealloc(k->p, k->cap);
    }
    memcpy(k->p + k->n, p, n);
    k->n += n;
}

static void chunk_clear(struct chunk *k)
{
    if (k->cap > KEEP_BUFFER) {
        free(k->p);
        *k = (struct chunk){0};
    }
    k->n = 0;
}

static void stream_free(struct stream_conn *s)
{
    free(s->flying.p);
    free(s->next.p);
    free(s);
}

static void on_gone(uv_handle_t *h)
{
    struct stream_conn *s = container_of(h, struct stream_conn, h.any);

    s->gone = true;
    if (s->pins == 0)
        stream_free(s);
}

static void stream_close(struct conn *c)
{
    struct stream_conn *s = stream_of(c);

    if (uv_is_closing(&s->h.any))
        return;
    s->told_close = true;
    timer_free(s->linger);
    s->linger = NULL;
    uv_close(&s->h.any, on_gone); /* closes the descriptor at once */
    fdbudget_give(s->fd_class);
    conn_count_give(steal(&s->count));
}

static void drop(struct loop_owned *o)
{
    conn_close(&container_of(o, struct stream_conn, owned)->base);
}

static void tell_close(struct stream_conn *s, int code)
{
    if (s->told_close)
        return;
    s->told_close = true;
    uv_read_stop(&s->h.stream);
    if (s->lingering)
        stream_close(&s->base);
    else if (code == UV_EOF)
        conn_tell_close(&s->base, -ECONNRESET, "closed by the peer");
    else
        conn_tell_close(&s->base, code, uv_strerror(code));
}

static void deferred_tell(void *arg)
{
    struct stream_conn *s = arg;

    s->pins--;
    if (s->gone && s->pins == 0)
        stream_free(s);
    else if (!uv_is_closing(&s->h.any))
        tell_close(s, s->dead);
}

/* A write failed: the owner hears of it later, since callbacks never run inside conn_write. */
static ssize_t die(struct stream_conn *s, int code)
{
    if (!s->dead) {
        s->dead = code;
        s->pins++;
        loop_defer(s->base.loop, deferred_tell, s);
    }
    return s->dead;
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct stream_conn *s = container_of(h, struct stream_conn, h.any);

    buf->base = s->base.loop->read_buf;
    buf->len = LOOP_READ_BUFFER;
}

static void saw_eof(struct stream_conn *s)
{
    s->eof = true;
    s->reading = false;
    uv_read_stop(&s->h.stream);
    if (s->lingering && s->was_shut)
        stream_close(&s->base);
    else if (!s->lingering && s->base.ev.on_eof)
        s->base.ev.on_eof(s->base.ctx);
    else if (!s->lingering)
        tell_close(s, UV_EOF);
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
    struct stream_conn *s = container_of(h, struct stream_conn, h.stream);

    if (n > 0 && s->base.ev.on_data)
        s->base.ev.on_data(s->base.ctx, buf->base, (size_t)n);
    else if (n == UV_EOF)
        saw_eof(s);
    else if (n < 0)
        tell_close(s, (int)n);
}

static void stream_read_start(struct conn *c)
{
    struct stream_conn *s = stream_of(c);

    if (s->reading || s->eof || s->told_close || uv_is_closing(&s->h.any))
        return;
    s->reading = true;
    uv_read_start(&s->h.stream, on_alloc, on_read);
}

static void stream_read_stop(struct conn *c)
{
    struct stream_conn *s = stream_of(c);

    s->reading = false;
    if (!uv_is_closing(&s->h.any))
        uv_read_stop(&s->h.stream);
}

/* ---- writing ---- */

static void on_written(uv_write_t *req, int status);

static void on_shut(uv_shutdown_t *req, int status)
{
    struct stream_conn *s = container_of(req, struct stream_conn, shutdown_req);

    if (s->lingering && s->eof && !uv_is_closing(&s->h.any))
        stream_close(&s->base);
}

static void shut_if_sent(struct stream_conn *s)
{
    if (!s->want_shutdown || s->was_shut || s->writing || s->next.n > 0)
        return;
    s->was_shut = true;
    if (uv_shutdown(&s->shutdown_req, &s->h.stream, on_shut) < 0 && s->lingering)
        stream_close(&s->base);
}

static void fly(struct stream_conn *s)
{
    struct chunk k = s->flying;

    s->flying = s->next;
    s->next = k;
    chunk_clear(&s->next);
    uv_buf_t b = uv_buf_init(s->flying.p, (unsigned)s->flying.n);
    s->writing = true;
    int r = uv_write(&s->write_req, &s->h.stream, &b, 1, on_written);
    if (r < 0) {
        s->writing = false;
        die(s, r);
    }
}

static void drained(struct stream_conn *s)
{
    shut_if_sent(s);
    if (!s->told_full || uv_is_closing(&s->h.any))
        return;
    s->told_full = false;
    if (s->base.ev.on_drain)
        s->base.ev.on_drain(s->base.ctx);
}

static void on_written(uv_write_t *req, int status)
{
    struct stream_conn *s = container_of(req, struct stream_conn, write_req);

    s->writing = false;
    chunk_clear(&s->flying);
    if (status == UV_ECANCELED || uv_is_closing(&s->h.any))
        return;
    if (status < 0) {
        s->dead = status;
        tell_close(s, status);
    } else if (s->next.n > 0) {
        fly(s);
    } else {
        drained(s);
    }
}

static size_t stream_unsent(const struct conn *c)
{
    const struct stream_conn *s = container_of(c, const struct stream_conn, base);

    return (s->writing ? uv_stream_get_write_queue_size(&s->h.stream) : 0) + s->next.n;
}

static ssize_t stream_write(struct conn *c, const struct iovec *iov, int n)
{
    struct stream_conn *s = stream_of(c);
    size_t skip = 0;

    if (s->dead || s->told_close || s->want_shutdown)
        return s->dead ? s->dead : -EPIPE;
    if (!s->writing && s->next.n == 0) {
        /* uv_buf_t is laid out as struct iovec on every Unix. */
        int r = uv_try_write(&s->h.stream, (const uv_buf_t *)iov, (unsigned)n);
        if (r < 0 && r != UV_EAGAIN)
            return die(s, r);
        skip = r > 0 ? (size_t)r : 0;
    }
    for (int i = 0; i < n; i++) {
        size_t sent = skip < iov[i].iov_len ? skip : iov[i].iov_len;
        skip -= sent;
        if (sent < iov[i].iov_len)
            chunk_add(&s->next, (char *)iov[i].iov_base + sent, iov[i].iov_len - sent);
    }
    if (!s->writing && s->next.n > 0)
        fly(s);
    size_t left = stream_unsent(c);
    s->told_full |= left > 0;
    return (ssize_t)left;
}

static void stream_shutdown(struct conn *c)
{
    struct stream_conn *s = stream_of(c);

    s->want_shutdown = true;
    if (!s->dead)
        shut_if_sent(s);
}

/* What the peer has not confirmed yet: with us and with the kernel. */
static size_t undelivered(struct stream_conn *s)
{
    uv_os_fd_t fd;
    int in_kernel = 0;

    if (uv_fileno(&s->h.any, &fd) == 0)
        (void)ioctl(fd, SIOCOUTQ, &in_kernel);
    return stream_unsent(&s->base) + (size_t)in_kernel;
}

/* Looks whether the peer took something since the last time. */
static void linger_tick(void *ctx)
{
    struct stream_conn *s = ctx;
    size_t left = undelivered(s);
    bool moved = left < s->left;
    int64_t now = loop_now_ns(s->base.loop);

    s->left = left;
    if (!moved || now >= s->give_up_ns)
        stream_close(&s->base);
    else
        timer_start(s->linger, left ? s->stall_ms : FIN_MS);
}

static void stream_close_flush(struct conn *c, uint64_t stall_ms)
{
    struct stream_conn *s = stream_of(c);

    if (s->dead || s->told_close || (s->eof && !s->writing && s->next.n == 0)) {
        stream_close(c);
        return;
    }
    s->lingering = true;
    s->stall_ms = stall_ms;
    s->left = undelivered(s);
    s->give_up_ns = loop_now_ns(c->loop) + (int64_t)stall_ms * NS_PER_MS +
                    (int64_t)s->left * NS_PER_SEC / FLUSH_RATE;
    s->linger = timer_new(c->loop, linger_tick, s);
    timer_start(s->linger, s->left ? stall_ms : FIN_MS);
    stream_read_start(c);
    stream_shutdown(c);
}

static bool stream_peer_left(struct conn *c)
{
    struct stream_conn *s = stream_of(c);
    struct pollfd p = {.events = POLLRDHUP};
    uv_os_fd_t fd;

    if (s->eof || s->dead || s->told_close || uv_fileno(&s->h.any, &fd) != 0)
        return true;
    p.fd = fd;
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static bool stream_peer_reset(struct conn *c)
{
    struct stream_conn *s = stream_of(c);
    struct pollfd p = {.events = 0};
    uv_os_fd_t fd;

    if (s->dead || s->told_close || uv_fileno(&s->h.any, &fd) != 0)
        return true;
    p.fd = fd;
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

/* ---- addresses ---- */

void sockaddr_format(const struct sockaddr *sa, char *ret, size_t n)
{
    const struct sockaddr_in *v4 = (const void *)sa;
    const struct sockaddr_in6 *v6 = (const void *)sa;
    char ip[INET6_ADDRSTRLEN];

    if (sa->sa_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof(ip));
        snprintf(ret, n, "%s:%d", ip, ntohs(v4->sin_port));
    } else if (sa->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], ip, sizeof(ip));
        snprintf(ret, n, "%s:%d", ip, ntohs(v6->sin6_port));
    } else if (sa->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof(ip));
        snprintf(ret, n, "[%s]:%d", ip, ntohs(v6->sin6_port));
    } else {
        snprintf(ret, n, "%s", "unix");
    }
}

static const char *address(struct stream_conn *s, char *text, bool peer)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);
    uv_os_fd_t fd;

    if (text[0])
        return text;
    if (uv_fileno(&s->h.any, &fd) == 0 &&
        (peer ? getpeername(fd, (struct sockaddr *)&sa, &len)
              : getsockname(fd, (struct sockaddr *)&sa, &len)) == 0)
        sockaddr_format((struct sockaddr *)&sa, text, ADDRESS_CHARS);
    return text[0] ? text : "a peer that left";
}

static const char *stream_peer(struct conn *c)
{
    return address(stream_of(c), stream_of(c)->peer, true);
}

static const char *stream_local(struct conn *c)
{
    return address(stream_of(c), stream_of(c)->local, false);
}

static const struct conn_ops stream_ops = {
    .write = stream_write,
    .unsent = stream_unsent,
    .read_stop = stream_read_stop,
    .read_start = stream_read_start,
    .shutdown = stream_shutdown,
    .close = stream_close,
    .close_flush = stream_close_flush,
    .peer_left = stream_peer_left,
    .peer_reset = stream_peer_reset,
    .peer = stream_peer,
    .local = stream_local,
};

/* ---- making ---- */

struct stream_conn *stream_conn_new(struct loop *l, bool is_pipe, enum fd_class fd_class)
{
    struct stream_conn *s = xnew(struct stream_conn);

    conn_init(&s->base, &stream_ops, l);
    s->owned.drop = drop;
    s->fd_class = fd_class;
    if (is_pipe)
        uv_pipe_init(&l->uv, &s->h.pipe, 0);
    else
        uv_tcp_init(&l->uv, &s->h.tcp);
    s->h.any.data = &s->owned;
    return s;
}

struct uv_stream_s *stream_conn_handle(struct stream_conn *s)
{
    return &s->h.stream;
}

/* A peer whose machine or path died says nothing: the kernel asks after a minute of silence, and
 * the connection ends a minute later. Accepted sockets have all of this from their listening one.
 */
void socket_options(int fd)
{
    const int on = 1, idle_s = 60, every_s = 15, times = 4;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
}

struct conn *stream_conn_open(struct stream_conn *s)
{
    uv_os_fd_t fd;

    if (s->h.any.type == UV_TCP && uv_fileno(&s->h.any, &fd) == 0)
        socket_options(fd);
    stream_read_start(&s->base);
    return &s->base;
}

void stream_conn_discard(struct stream_conn *s)
{
    stream_close(&s->base);
}

struct conn *stream_conn_accepted(struct loop *l, int fd, bool is_pipe, struct conn_count *count,
                                  enum fd_class fd_class)
{
    struct stream_conn *s = stream_conn_new(l, is_pipe, fd_class);

    s->count = count;
    int r = is_pipe ? uv_pipe_open(&s->h.pipe, fd) : uv_tcp_open(&s->h.tcp, fd);

    if (r < 0) {
        close(fd);
        stream_conn_discard(s);
        return NULL;
    }
    stream_read_start(&s->base);
    return &s->base;
}

struct conn *conn_from_fd(struct loop *l, int fd, struct err *e)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);

    if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0) {
        err_sys(e, errno, "descriptor %d is not a socket", fd);
        close(fd);
        return NULL;
    }
    if (sa.ss_family != AF_UNIX)
        socket_options(fd);
    struct conn *c = stream_conn_accepted(l, fd, sa.ss_family == AF_UNIX, NULL, FD_UNCOUNTED);
    if (!c)
        err_set(e, -EBADF, "cannot use descriptor %d as a connection", fd);
    return c;
}
