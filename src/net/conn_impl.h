/* What a filter provides and what the files of this folder share about connections. Not for others.
 */
#ifndef NONAGON_NET_CONN_IMPL_H
#define NONAGON_NET_CONN_IMPL_H

#include "net/conn.h"
#include "net/loop_impl.h"

struct conn_ops {
    ssize_t (*write)(struct conn *c, const struct iovec *iov, int n);
    size_t (*unsent)(const struct conn *c);
    void (*read_stop)(struct conn *c);
    void (*read_start)(struct conn *c);
    void (*shutdown)(struct conn *c);
    void (*close)(struct conn *c);
    void (*close_flush)(struct conn *c, uint64_t stall_ms);
    bool (*peer_left)(struct conn *c);
    bool (*peer_reset)(struct conn *c); /* NULL: cannot be known */
    const char *(*peer)(struct conn *c);
    const char *(*local)(struct conn *c);
};

/* What a certificate says of its holder. */
struct peer_name {
    char *cn;
    VEC(char *) orgs;
};

/* Filters embed it as their first member. */
struct conn {
    const struct conn_ops *ops;
    struct loop *loop;
    struct conn_events ev;
    void *ctx;
    const struct peer_name *name; /* of the peer's verified certificate; NULL = none */
    const char *alpn;             /* what the handshake agreed on; NULL = nothing */
    bool tls;
};

void conn_init(struct conn *c, const struct conn_ops *ops, struct loop *l);
/* Tells the owner that the stream is over; the caller makes sure that it is said once. */
void conn_tell_close(struct conn *c, int code, const char *why);

/* The open connections of one listener: each gives its place back when its descriptor is closed. On
 * one loop. */
struct conn_count {
    size_t n;
    unsigned refs;
    void (*given)(void *ctx); /* a place became free; NULL once the listener is gone */
    void *ctx;
};
void conn_count_give(struct conn_count *k); /* NULL accepted */
void conn_count_unref(struct conn_count *k);

/* A stream connection whose libuv handle is not yet open: for accept and connect. */
struct stream_conn;
/* Takes a place of the class that was taken before. */
struct stream_conn *stream_conn_new(struct loop *l, bool is_pipe, enum fd_class fd_class);
struct uv_stream_s *stream_conn_handle(struct stream_conn *s);
struct conn *stream_conn_open(struct stream_conn *s); /* the handle is connected: starts reading */
void stream_conn_discard(struct stream_conn *s);
/*
 * Over a socket that has its options already. Takes the descriptor, a reference and place of count
 * (may be NULL), and a place of the class; NULL, with all given back, when libuv refuses.
 */
struct conn *stream_conn_accepted(struct loop *l, int fd, bool is_pipe, struct conn_count *count,
                                  enum fd_class fd_class);
void socket_options(int fd);

/* "1.2.3.4:80", "[::1]:80" or "unix". */
void sockaddr_format(const struct sockaddr *sa, char *ret, size_t n);

/* Puts TLS on a connected connection, which it takes over. done once, never from inside: c NULL
 * with the error after a failed handshake (everything is freed then). Closing the returned one
 * before cancels. */
typedef void tls_done_fn(void *ctx, struct conn *c, const struct err *why);
struct conn *tls_accept(struct conn *lower, struct tls_server *t, tls_done_fn *done, void *ctx);
struct conn *tls_connect(struct conn *lower, struct tls_client *t, const char *name,
                         tls_done_fn *done, void *ctx);

#endif
