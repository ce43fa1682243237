/*
 * The DNS server of the pods: queries beneath the cluster's domain are answered from the zone, all
 * others are handed to the resolvers of the machine and their answers back. UDP and TCP on one
 * address.
 *
 * While the caches are not complete "no such name" would be a guess that clients remember, so it is
 * SERVFAIL then.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <uv.h>

#include "base/buf.h"
#include "base/limits.h" /* LIMIT_CONN_OUT */
#include "base/list.h"
#include "cluster/dns/dns.h"
#include "cluster/dns/forward.h"
#include "cluster/dns/limits.h"
#include "cluster/dns/subnet.h"
#include "cluster/dns/zone.h"
#include "kube/slices.h"
#include "net/conn.h"

#define UDP_MAX         4096
#define TCP_QUERY_MAX   4096
#define TCP_IDLE_MS     10000
#define FREE_PORT_TRIES 16

struct udp_server { /* outlives the server until libuv has closed it */
    uv_udp_t handle;
    struct dns_server *s;
};

struct dns_server {
    struct loop *loop;
    struct manager *manager;
    struct zone zone;
    struct dns_subnet subnet;
    char *domain, *gateway_ip;
    struct forwarder *forwarder;
    struct udp_server *udp;
    struct listener *listener;
    int port;
    struct list clients, waiting;
    size_t n_clients;
    uint8_t in[DNS_MAX_MESSAGE], out[DNS_MAX_MESSAGE];
};

struct tcp_client {
    struct list node;
    struct dns_server *s;
    struct conn *conn;
    struct timer *idle;
    struct sockaddr_storage peer;
    struct buf in;
};

/* Where an answer goes. */
struct asker {
    struct tcp_client *client;    /* NULL: by UDP to peer */
    struct sockaddr_storage peer; /* by TCP without the port */
};

/* A query that another resolver was asked about. */
struct waiting {
    struct list node;
    struct dns_server *s;
    struct asker asker;
    bool gone; /* the TCP client has left */
    uint8_t *query;
    size_t n;
    /* of a name that leads outside: the answer so far */
    struct zone_reply reply;
    struct dns_answer answer;
};

/* ---- sending ---- */

static void send_answer(struct dns_server *s, const struct asker *to, const uint8_t *p, size_t n)
{
    uv_buf_t b = uv_buf_init((char *)p, (unsigned)n);
    uint8_t length[2];

    if (!to->client) {
        /* A full socket loses the answer, as the network may: the asker repeats. */
        uv_udp_try_send(&s->udp->handle, &b, 1, (const struct sockaddr *)&to->peer);
        return;
    }
    dns_put_u16(length, (unsigned)n);
    struct iovec iov[2] = {{length, 2}, {(void *)p, n}};
    conn_write(to->client->conn, iov, 2);
}

static void send_refusal(struct dns_server *s, const struct asker *to, const struct dns_query *q,
                         int rcode)
{
    uint8_t p[512];

    send_answer(s, to, p, dns_refuse(p, sizeof(p), q, rcode));
}

static size_t limit_of(const struct asker *a, const struct dns_query *q)
{
    if (a->client)
        return DNS_MAX_MESSAGE;
    return q->udp_size < UDP_MAX ? q->udp_size : UDP_MAX;
}

/* ---- other resolvers ---- */

static void waiting_free(struct waiting *w)
{
    list_del(&w->node);
    free(w->answer.p);
    free(w->query);
    free(w);
}

static struct waiting *waiting_new(struct dns_server *s, const struct asker *from, const uint8_t *p,
                                   size_t n)
{
    struct waiting *w = xnew(struct waiting);

    w->s = s;
    w->asker = *from;
    w->query = xmemdup(p, n);
    w->n = n;
    list_push_back(&s->waiting, &w->node);
    return w;
}

static void forwarded(void *ctx, const uint8_t *p, size_t n)
{
    struct waiting *w = ctx;
    struct dns_query q;

    dns_query_read(w->query, w->n, &q);
    if (!w->gone && p)
        send_answer(w->s, &w->asker, p, n);
    else if (!w->gone)
        send_refusal(w->s, &w->asker, &q, DNS_SERVFAIL);
    waiting_free(w);
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;
    const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;

    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET6)
        return memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
    return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
}

/* So that one pod cannot use up what all share. */
static bool has_too_many(const struct dns_server *s, const struct asker *from)
{
    size_t n = 0;

    list_for_each(it, &s->waiting)
    {
        n += same_host(&list_entry(it, struct waiting, node)->asker.peer, &from->peer);
        if (n == LIMIT_DNS_PENDING_OF_ONE)
            return true;
    }
    return false;
}

static void forward_query(struct dns_server *s, const struct asker *from, const struct dns_query *q,
                          const uint8_t *p, size_t n)
{
    struct waiting *w = waiting_new(s, from, p, n);

    if (forward(s->forwarder, from->client != NULL, p, n, forwarded, w) < 0) {
        waiting_free(w);
        send_refusal(s, from, q, DNS_SERVFAIL);
    }
}

/* The addresses of the name outside complete the answer. */
static void outside_found(void *ctx, const uint8_t *p, size_t n)
{
    struct waiting *w = ctx;
    struct in_addr ips[64];
    struct dns_query q;

    dns_query_read(w->query, w->n, &q);
    int found = p ? dns_addresses(p, n, ips, (int)ARRAY_LEN(ips)) : -1;
    for (int i = 0; i < found; i++)
        dns_answer_a(&w->answer, w->reply.outside_owner, ZONE_TTL, ips[i]);
    int rcode = found < 0 ? DNS_SERVFAIL : dns_rcode_of(p, n);
    n = dns_answer_end(&w->answer, &q, rcode, true);
    if (!w->gone)
        send_answer(w->s, &w->asker, w->answer.p, n);
    waiting_free(w);
}

static void look_outside(struct dns_server *s, const struct asker *from, const struct dns_query *q,
                         const uint8_t *p, size_t n, const struct dns_answer *a,
                         const struct zone_reply *r)
{
    uint8_t query[DNS_HEADER + 256 + 4];
    size_t query_n = dns_query_write(query, sizeof(query), 0, r->outside);
    struct waiting *w = waiting_new(s, from, p, n);

    w->reply = *r;
    w->answer = *a;
    w->answer.p = xmalloc(a->max);
    memcpy(w->answer.p, a->p, a->n);
    if (forward(s->forwarder, from->client != NULL, query, query_n, outside_found, w) < 0) {
        waiting_free(w);
        send_refusal(s, from, q, DNS_SERVFAIL);
    }
}

/* ---- one query ---- */

static void answer_query(struct dns_server *s, const struct asker *from, const uint8_t *p, size_t n)
{
    struct dns_answer a;
    struct zone_reply r;
    struct dns_query q;
    int rc = dns_query_read(p, n, &q);

    if (rc < 0)
        return;
    if (rc > 0) {
        send_refusal(s, from, &q, rc);
        return;
    }
    dns_answer_begin(&a, s->out, from->client ? sizeof(s->out) : UDP_MAX, limit_of(from, &q), &q);
    enum zone_result where = zone_answer(&s->zone, &q, &a, &r);
    if (where != ZONE_ANSWERED && has_too_many(s, from))
        send_refusal(s, from, &q, DNS_SERVFAIL);
    else if (where == ZONE_FOREIGN)
        forward_query(s, from, &q, p, n);
    else if (where == ZONE_OUTSIDE)
        look_outside(s, from, &q, p, n, &a, &r);
    if (where != ZONE_ANSWERED)
        return;
    if (r.rcode == DNS_NXDOMAIN && !manager_synced(s->manager))
        send_refusal(s, from, &q, DNS_SERVFAIL);
    else
        send_answer(s, from, s->out, dns_answer_end(&a, &q, r.rcode, r.rcode != DNS_REFUSED));
}

/* ---- UDP ---- */

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *ret)
{
    struct udp_server *u = container_of(h, struct udp_server, handle);

    *ret = u->s ? uv_buf_init((char *)u->s->in, sizeof(u->s->in)) : uv_buf_init(NULL, 0);
}

static void on_packet(uv_udp_t *h, ssize_t n, const uv_buf_t *b, const struct sockaddr *from,
                      unsigned flags)
{
    struct dns_server *s = container_of(h, struct udp_server, handle)->s;
    struct asker asker = {0};

    if (!s || n <= 0 || !from || flags & UV_UDP_PARTIAL || !dns_subnet_may_ask(&s->subnet, from))
        return;
    memcpy(&asker.peer, from,
           from->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    answer_query(s, &asker, (const uint8_t *)b->base, (size_t)n);
}

static void free_udp(uv_handle_t *h)
{
    free(container_of(h, struct udp_server, handle));
}

static int bind_udp(struct dns_server *s, const char *ip, int port, struct err *e)
{
    struct sockaddr_storage a = {0};
    int n = sizeof(a), rc;

    if (uv_ip4_addr(ip, port, (struct sockaddr_in *)&a) < 0 &&
        uv_ip6_addr(ip, port, (struct sockaddr_in6 *)&a) < 0)
        return err_set(e, -EINVAL, "DNS cannot listen on \"%s\": not an address", ip);
    s->udp = xnew(struct udp_server);
    s->udp->s = s;
    rc = uv_udp_init(loop_uv(s->loop), &s->udp->handle);
    if (rc == 0)
        rc = uv_udp_bind(&s->udp->handle, (const struct sockaddr *)&a, 0);
    if (rc == 0)
        rc = uv_udp_recv_start(&s->udp->handle, on_alloc, on_packet);
    if (rc == 0)
        rc = uv_udp_getsockname(&s->udp->handle, (struct sockaddr *)&a, &n);
    if (rc < 0)
        return err_set(e, rc,
                       "DNS cannot listen on UDP %s:%d: %s; is another DNS server running there?",
                       ip, port, uv_strerror(rc));
    s->port = ntohs(((struct sockaddr_in *)&a)->sin_port);
    return 0;
}

/* ---- TCP ---- */

static void client_free(struct tcp_client *c)
{
    list_for_each(it, &c->s->waiting)
    {
        struct waiting *w = list_entry(it, struct waiting, node);
        if (w->asker.client == c)
            w->gone = true;
    }
    c->s->n_clients--;
    list_del(&c->node);
    timer_free(c->idle);
    conn_close(c->conn);
    buf_done(&c->in);
    free(c);
}

static void on_idle(void *ctx)
{
    client_free(ctx);
}

static void on_client_close(void *ctx, const struct err *why)
{
    client_free(ctx);
}

static void on_client_data(void *ctx, const char *p, size_t n)
{
    struct tcp_client *c = ctx;

    if (buf_add(&c->in, p, n) < 0) {
        client_free(c);
        return;
    }
    timer_start(c->idle, TCP_IDLE_MS);
    while (c->in.n >= 2) {
        struct asker asker = {.client = c, .peer = c->peer};
        size_t want = dns_u16((uint8_t *)c->in.p);
        if (want > TCP_QUERY_MAX || conn_unsent(c->conn) > LIMIT_CONN_OUT) {
            client_free(c);
            return;
        }
        if (c->in.n < want + 2)
            return;
        answer_query(c->s, &asker, (uint8_t *)c->in.p + 2, want);
        buf_consume(&c->in, want + 2);
    }
}

static void on_client(void *ctx, struct conn *conn)
{
    static const struct conn_events events = {.on_data = on_client_data,
                                              .on_close = on_client_close};
    struct dns_server *s = ctx;
    struct sockaddr_storage peer;

    if (s->n_clients == LIMIT_DNS_CLIENTS || !dns_peer_parse(conn_peer(conn), &peer) ||
        !dns_subnet_may_ask(&s->subnet, (const struct sockaddr *)&peer)) {
        conn_close(conn);
        return;
    }
    struct tcp_client *c = xnew(struct tcp_client);
    c->s = s;
    c->conn = conn;
    c->peer = peer;
    c->idle = timer_new(s->loop, on_idle, c);
    buf_init(&c->in, 128 * 1024);
    list_push_back(&s->clients, &c->node);
    s->n_clients++;
    timer_start(c->idle, TCP_IDLE_MS);
    conn_set_events(conn, &events, c);
}

/* ---- life ---- */

int dns_server_port(const struct dns_server *s)
{
    return s->port;
}

static void close_udp(struct dns_server *s)
{
    if (!s->udp)
        return;
    s->udp->s = NULL;
    uv_close((uv_handle_t *)&s->udp->handle, free_udp);
    s->udp = NULL;
}

/* One port for both. A port that is free for UDP may be taken for TCP: with port 0 others are
 * tried.
 */
static void open_port(struct dns_server *s, const struct dns_opts *o, struct err *e)
{
    for (int tries = o->port ? 1 : FREE_PORT_TRIES; tries > 0 && !s->listener; tries--) {
        close_udp(s);
        if (bind_udp(s, o->ip, o->port, e) < 0)
            return;
        struct listen_opts lo = {.host = o->ip, .port = s->port};
        s->listener = listener_new(s->loop, &lo, on_client, s, e);
    }
}

struct dns_server *dns_server_new(struct loop *l, const struct dns_opts *o, struct err *e)
{
    struct dns_server *s = xnew(struct dns_server);

    s->loop = l;
    s->manager = o->manager;
    s->domain = xstrdup(o->domain);
    s->gateway_ip = o->gateway_ip ? xstrdup(o->gateway_ip) : NULL;
    list_init(&s->clients);
    list_init(&s->waiting);
    s->zone = (struct zone){s->domain, s->gateway_ip, manager_cache(o->manager, &KR_SERVICE),
                            manager_cache(o->manager, &KR_ENDPOINTSLICE)};
    slices_add_index(s->zone.slices);
    if (dns_subnet_parse(o->subnet, &s->subnet, e) == 0)
        s->forwarder = forwarder_new(l, o->upstreams, o->ip, e);
    if (s->forwarder)
        open_port(s, o, e);
    if (!s->listener) {
        dns_server_free(s);
        return NULL;
    }
    return s;
}

void dns_server_free(struct dns_server *s)
{
    if (!s)
        return;
    listener_free(s->listener);
    forwarder_free(s->forwarder);
    while (!list_empty(&s->waiting))
        waiting_free(list_entry(s->waiting.next, struct waiting, node));
    while (!list_empty(&s->clients))
        client_free(list_entry(s->clients.next, struct tcp_client, node));
    close_udp(s);
    free(s->domain);
    free(s->gateway_ip);
    free(s);
}
