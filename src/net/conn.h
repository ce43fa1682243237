/*
 * A byte-stream connection as a stack of filters (tcp, unix, tls, loopback) behind one interface.
 *
 * Loop-thread only. Callbacks never run inside conn_write; they may call conn_close on their own
 * connection, after which no callback follows. Data passed to on_data is valid during the call.
 */
#ifndef NONAGON_NET_CONN_H
#define NONAGON_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/err.h"
#include "net/fdbudget.h"
#include "net/limits.h"
#include "net/loop.h"

struct conn;

struct conn_events {
    void (*on_data)(void *ctx, const char *p, size_t n);
    void (*on_drain)(void *ctx); /* unsent bytes fell to zero after conn_write said "full" */
    void (*on_eof)(void *ctx);   /* peer closed its half; NULL: treated as close */
    /* Error or peer gone; the owner still has to call conn_close. */
    void (*on_close)(void *ctx, const struct err *why);
};

/* Replaces callbacks and context; takes effect at once (also inside a callback). */
void conn_set_events(struct conn *c, const struct conn_events *ev, void *ctx);

/*
 * Writes all of iov: first directly to the socket, the rest is copied and sent when writable.
 * Returns the count of bytes now waiting (0 = all sent), or negative when the connection is dead.
 * Callers stop producing above LIMIT_CONN_OUT and wait for on_drain.
 */
ssize_t conn_write(struct conn *c, const struct iovec *iov, int n);
ssize_t conn_write1(struct conn *c, const void *p, size_t n);
size_t conn_unsent(const struct conn *c);
void conn_read_stop(struct conn *c);  /* back-pressure */
void conn_read_start(struct conn *c); /* connections start out reading */
void conn_shutdown(struct conn *c);   /* half-close after the unsent bytes */
void conn_close(struct conn *c);      /* drops unsent bytes; frees; no callback follows */
/*
 * No callback follows; sends what is left, waits until the peer has it all, then frees. Gives up
 * when nothing of it moves for stall_ms, or when less than 1 KiB/s moves.
 */
void conn_close_flush_within(struct conn *c, uint64_t stall_ms);
void conn_close_flush(struct conn *c); /* within 5 s: for answers that nobody will miss */
/* While reading is stopped nobody hears of a peer that left: this asks. Costs a system call. */
bool conn_peer_left(struct conn *c);
/* Whether it refused what was written: after its half of the stream has ended nobody says so. Costs
 * a system call; false where it cannot be known. */
bool conn_peer_reset(struct conn *c);

/* "203.0.113.7:4711" style; valid while the connection lives. */
const char *conn_peer(struct conn *c);
const char *conn_local(struct conn *c);
/* The common name of the verified peer certificate, "" when there is none. */
const char *conn_peer_cn(const struct conn *c);
/* Every organization named in it; valid while the connection lives. */
size_t conn_peer_orgs(const struct conn *c, const char *const **ret);
struct loop *conn_loop(const struct conn *c);
bool conn_is_tls(const struct conn *c);
const char *conn_alpn(const struct conn *c); /* the protocol that TLS agreed on, "" = none */

/* ---- listening ---- */
struct listener;
struct tls_server;
struct listen_opts {
    const char *host;       /* numeric address; "" or NULL = all of IPv4 and IPv6 */
    int port;               /* 0 = any free one */
    bool reuse_port;        /* SO_REUSEPORT: several loops share the port */
    int backlog;            /* 0 = 1024 */
    struct tls_server *tls; /* NULL = plain; referenced */
    int fd;      /* if > 0: an already bound socket (systemd's, see activation.h), taken over */
    bool paused; /* bound and listening, so clients wait in the backlog until listener_accept */
    /* Descriptors are taken from this class's share; out of them, accepting stops for 100 ms. */
    enum fd_class fd_class;
    /* Open connections, those in their handshake included; 0 = LIMIT_NET_CONNECTIONS. At the bound
     * accepting stops until one ends. */
    size_t max_connections;
    size_t
        max_handshakes; /* 0 = LIMIT_NET_HANDSHAKES; beyond it the oldest is dropped. 10 s each */
    /* Asked at a bound, with listener_new's ctx: true if it closed a connection of this listener.
     * NULL: nobody is closed for a newcomer's sake. */
    bool (*make_room)(void *ctx);
    /* Clients have to wait: told with listener_new's ctx, at most every ten seconds. May be NULL.
     */
    void (*on_trouble)(void *ctx, const struct err *why);
};
/* -EADDRINUSE names who to look for. Each accepted connection is handed to on_conn (events not yet
 * set). */
struct listener *listener_new(struct loop *l, const struct listen_opts *o,
                              void (*on_conn)(void *ctx, struct conn *c), void *ctx, struct err *e);
int listener_port(const struct listener *ls);
/* Stops accepting (clients wait in the backlog) or goes on. */
void listener_accept(struct listener *ls, bool on);
size_t listener_connections(const struct listener *ls); /* open ones */
void listener_free(struct listener *ls); /* stops accepting; accepted connections live on */

/* ---- connecting ---- */
struct tls_client;
struct connect_opts {
    const char *host; /* numeric address or name (resolved on the thread pool) */
    int port;
    const char *unix_path;   /* instead of host and port */
    struct tls_client *tls;  /* NULL = plain */
    const char *server_name; /* for TLS verification; NULL = host */
    uint64_t timeout_ms;     /* 0 = 10 s; covers resolution, TCP and TLS */
    enum fd_class fd_class;  /* -EMFILE when its share is used up */
};
struct connecting;
/* Exactly one call of done, never from inside conn_connect: c is the caller's, or NULL with the
 * error. */
struct connecting *conn_connect(struct loop *l, const struct connect_opts *o,
                                void (*done)(void *ctx, struct conn *c, const struct err *why),
                                void *ctx);
void connecting_cancel(struct connecting *k); /* done is not called */

/* Two ends joined in memory on one loop, for tests and in-process use. */
void conn_pair(struct loop *l, struct conn *ret_ends[static 2]);

/*
 * Two ends in memory on two loops (which may be one): a connection across threads. Each end is used
 * on its own loop only. Made on any thread.
 */
void conn_pair_across(struct loop *a, struct loop *b, struct conn *ret_ends[static 2]);

/*
 * The connection, before whose bytes the n given ones come (copied; n may be 0). It has no events
 * afterwards; the caller sets its own before it returns to the loop. Takes c over.
 */
struct conn *conn_with_unread(struct conn *c, const void *p, size_t n);

/* A connection over a descriptor that is a connected stream socket; takes it over. */
struct conn *conn_from_fd(struct loop *l, int fd, struct err *e);

#endif
