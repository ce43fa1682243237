/*
 * A UDP query has a socket of its own, connected to the resolver: a random port beside the random
 * id, and only that resolver's packets arrive. An answer must repeat the question to the letter, so
 * mixed case protects too. What arrived by TCP is asked by TCP.
 */
#include "cluster/dns/forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/rand.h"
#include "cluster/dns/limits.h"
#include "net/conn.h"

#define MAX_UPSTREAMS 3
#define TIMEOUT_MS    2000
#define RESOLV_CONF   "/etc/resolv.conf"

struct upstream {
    struct sockaddr_storage address;
    char host[INET6_ADDRSTRLEN + 20];
    int port;
};

struct forwarder {
    struct loop *loop;
    struct upstream upstreams[MAX_UPSTREAMS];
    size_t n_upstreams;
    bool fixed; /* not from the file */
    char own_ip[INET6_ADDRSTRLEN];
    struct timespec file_time;
    int64_t looked_ns;
    struct list asking;
    size_t n_asking;
    uint8_t in[DNS_MAX_MESSAGE];
};

struct asking {
    struct list node;
    struct forwarder *f;
    bool tcp;
    uint8_t *query; /* with our id */
    size_t n, question_n;
    uint16_t id, own_id;
    size_t next; /* upstream to try next */
    struct timer *timer;
    struct udp_socket *socket;
    struct connecting *connecting;
    struct conn *conn;
    struct buf in; /* of the TCP answer */
    void (*done)(void *ctx, const uint8_t *p, size_t n);
    void *ctx;
};

/* Outlives its query until libuv has closed it. */
struct udp_socket {
    uv_udp_t handle;
    struct asking *a;
};

/* ---- whom to ask ---- */

static void add_upstream(struct forwarder *f, struct str text)
{
    struct upstream *u = &f->upstreams[f->n_upstreams];
    uint64_t port = 53;
    size_t colon;

    if (f->n_upstreams == MAX_UPSTREAMS || text.n == 0 || text.n >= sizeof(u->host))
        return;
    /* An IPv4 address may have a port. */
    if (str_find(text, ':', &colon) && !memchr(text.p + colon + 1, ':', text.n - colon - 1)) {
        if (str_u64((struct str){text.p + colon + 1, text.n - colon - 1}, &port) < 0 ||
            port > 65535)
            return;
        text.n = colon;
    }
    memcpy(u->host, text.p, text.n);
    u->host[text.n] = '\0';
    u->port = (int)port;
    if (port == 53 && streq(u->host, f->own_ip))
        return;
    if (uv_ip4_addr(u->host, u->port, (struct sockaddr_in *)&u->address) == 0 ||
        uv_ip6_addr(u->host, u->port, (struct sockaddr_in6 *)&u->address) == 0)
        f->n_upstreams++;
}

static void read_file(struct forwarder *f)
{
    FILE *file = fopen(RESOLV_CONF, "re");
    char line[512];

    f->n_upstreams = 0;
    while (file && fgets(line, sizeof(line), file)) {
        char *at = line + strspn(line, " \t");
        if (strncmp(at, "nameserver", 10) != 0)
            continue;
        at += 10;
        at += strspn(at, " \t");
        add_upstream(f, (struct str){at, strcspn(at, " \t\r\n#;")});
    }
    if (file)
        fclose(file);
}

/* The file changes with the network; it is looked at again after five seconds. */
static void refresh(struct forwarder *f)
{
    int64_t now = loop_now_ns(f->loop);
    struct stat st;

    if (f->fixed || (f->looked_ns && now - f->looked_ns < 5 * NS_PER_SEC))
        return;
    f->looked_ns = now;
    if (stat(RESOLV_CONF, &st) < 0 || memcmp(&st.st_mtim, &f->file_time, sizeof(st.st_mtim)) == 0)
        return;
    f->file_time = st.st_mtim;
    read_file(f);
}

struct forwarder *forwarder_new(struct loop *l, const char *upstreams, const char *own_ip,
                                struct err *e)
{
    struct forwarder *f = xnew(struct forwarder);
    struct str rest = str_of(upstreams), item;

    f->loop = l;
    f->fixed = upstreams != NULL;
    list_init(&f->asking);
    snprintf(f->own_ip, sizeof(f->own_ip), "%s", own_ip);
    while (upstreams && str_split(&rest, ',', &item))
        add_upstream(f, str_trim(item));
    if (upstreams && *upstreams && f->n_upstreams == 0) {
        free(f);
        err_set(e, -EINVAL, "none of the DNS resolvers \"%s\" is an address", upstreams);
        return NULL;
    }
    return f;
}

/* ---- one query ---- */

static void free_socket(uv_handle_t *h)
{
    free(container_of(h, struct udp_socket, handle));
}

static void drop_transport(struct asking *a)
{
    if (a->socket) {
        a->socket->a = NULL;
        uv_close((uv_handle_t *)&a->socket->handle, free_socket);
        a->socket = NULL;
    }
    if (a->connecting)
        connecting_cancel(a->connecting);
    if (a->conn)
        conn_close(a->conn);
    a->connecting = NULL;
    a->conn = NULL;
    buf_clear(&a->in);
}

static void asking_free(struct asking *a)
{
    drop_transport(a);
    timer_free(a->timer);
    list_del(&a->node);
    a->f->n_asking--;
    buf_done(&a->in);
    free(a->query);
    free(a);
}

static void finish(struct asking *a, const uint8_t *p, size_t n)
{
    void (*done)(void *, const uint8_t *, size_t) = a->done;
    void *ctx = a->ctx;
    _cleanup_free_ uint8_t *copy = p ? xmemdup(p, n) : NULL;

    if (copy)
        dns_put_u16(copy, a->id);
    asking_free(a);
    done(ctx, copy, n);
}

static void try_next(struct asking *a);

static void failed(void *ctx)
{
    struct asking *a = ctx;

    drop_transport(a);
    try_next(a);
}

/* Takes a message that may be the answer; others are ignored. A resolver that fails is as good as
 * none. */
static void judge(struct asking *a, const uint8_t *p, size_t n)
{
    if (!dns_is_answer_to(p, n, a->own_id, a->query + DNS_HEADER, a->question_n))
        return;
    int rcode = dns_rcode_of(p, n);
    if ((rcode == DNS_SERVFAIL || rcode == DNS_REFUSED) && a->next < a->f->n_upstreams)
        failed(a);
    else
        finish(a, p, n);
}

/* ---- UDP ---- */

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *ret)
{
    struct udp_socket *s = container_of(h, struct udp_socket, handle);

    *ret = s->a ? uv_buf_init((char *)s->a->f->in, sizeof(s->a->f->in)) : uv_buf_init(NULL, 0);
}

static void on_packet(uv_udp_t *h, ssize_t n, const uv_buf_t *b, const struct sockaddr *from,
                      unsigned flags)
{
    struct udp_socket *s = container_of(h, struct udp_socket, handle);

    if (!s->a || (n == 0 && !from))
        return;
    if (n < 0)
        failed(s->a); /* nobody listens there */
    else
        judge(s->a, (const uint8_t *)b->base, (size_t)n);
}

static bool send_udp(struct asking *a, const struct upstream *u)
{
    struct udp_socket *s = xnew(struct udp_socket);
    uv_buf_t b = uv_buf_init((char *)a->query, (unsigned)a->n);

    s->a = a;
    if (uv_udp_init(loop_uv(a->f->loop), &s->handle) < 0) {
        free(s);
        return false;
    }
    a->socket = s;
    return uv_udp_connect(&s->handle, (const struct sockaddr *)&u->address) == 0 &&
           uv_udp_recv_start(&s->handle, on_alloc, on_packet) == 0 &&
           uv_udp_try_send(&s->handle, &b, 1, NULL) >= 0;
}

/* ---- TCP ---- */

static void on_data(void *ctx, const char *p, size_t n)
{
    struct asking *a = ctx;
    size_t want;

    if (buf_add(&a->in, p, n) < 0) {
        failed(a);
        return;
    }
    if (a->in.n < 2 || a->in.n < (want = dns_u16((uint8_t *)a->in.p)) + 2)
        return;
    /* On a connection of its own, anything else than the answer is a fault. */
    _cleanup_free_ uint8_t *message = xmemdup(a->in.p + 2, want);
    if (dns_is_answer_to(message, want, a->own_id, a->query + DNS_HEADER, a->question_n))
        judge(a, message, want);
    else
        failed(a);
}

static void on_close(void *ctx, const struct err *why)
{
    failed(ctx);
}

static void on_connected(void *ctx, struct conn *c, const struct err *why)
{
    static const struct conn_events events = {.on_data = on_data, .on_close = on_close};
    struct asking *a = ctx;
    uint8_t length[2];

    a->connecting = NULL;
    if (!c) {
        failed(a);
        return;
    }
    a->conn = c;
    conn_set_events(c, &events, a);
    dns_put_u16(length, (unsigned)a->n);
    struct iovec iov[2] = {{length, 2}, {a->query, a->n}};
    if (conn_write(c, iov, 2) < 0)
        failed(a);
}

/* ---- one after the other ---- */

static void try_next(struct asking *a)
{
    struct forwarder *f = a->f;

    while (a->next < f->n_upstreams) {
        const struct upstream *u = &f->upstreams[a->next++];
        timer_start(a->timer, TIMEOUT_MS);
        if (a->tcp) {
            struct connect_opts o = {.host = u->host, .port = u->port, .timeout_ms = TIMEOUT_MS};
            a->connecting = conn_connect(f->loop, &o, on_connected, a);
            return;
        }
        if (send_udp(a, u))
            return;
        drop_transport(a);
    }
    finish(a, NULL, 0);
}

/* The timer's first firing begins, each later one means that the resolver had its time. */

int forward(struct forwarder *f, bool tcp, const uint8_t *query, size_t n,
            void (*done)(void *ctx, const uint8_t *p, size_t n), void *ctx)
{
    struct dns_query q;

    if (dns_query_read(query, n, &q) < 0 || !q.question)
        return -EINVAL;
    if (f->n_asking == LIMIT_DNS_PENDING)
        return -EBUSY;
    refresh(f);
    struct asking *a = xnew(struct asking);
    a->f = f;
    a->tcp = tcp;
    a->query = xmemdup(query, n);
    a->n = n;
    a->question_n = q.question_n;
    a->id = q.id;
    rand_bytes(&a->own_id, sizeof(a->own_id));
    dns_put_u16(a->query, a->own_id);
    a->done = done;
    a->ctx = ctx;
    buf_init(&a->in, DNS_MAX_MESSAGE + 2 + 65536);
    list_push_back(&f->asking, &a->node);
    f->n_asking++;
    /* Through a timer, so that done never comes from inside this call. */
    a->timer = timer_new(f->loop, failed, a);
    timer_start(a->timer, 0);
    return 0;
}

void forwarder_free(struct forwarder *f)
{
    if (!f)
        return;
    while (!list_empty(&f->asking))
        asking_free(list_entry(f->asking.next, struct asking, node));
    free(f);
}
