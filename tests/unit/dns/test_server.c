/*
 * The server over real sockets on loopback: own names, forwarding by UDP and TCP, silent and
 * failing resolvers. The client and the other resolver are threads that block; the server's loop
 * runs until the client has its answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/dns/dns.h"
#include "cluster/dns/limits.h"
#include "cluster/dns/message.h"
#include "cluster/dns/subnet.h"

enum mood { ANSWERS, SILENT, FAILS, LIES };

struct resolver { /* somebody else's, at `port` by UDP and TCP */
    enum mood mood;
    int udp, tcp, port;
    int stop[2];
    atomic_int asked;
    pthread_t thread;
};

struct world {
    struct loop *loop;
    struct kube_client *client;
    struct manager *m;
    struct dns_server *dns;
    struct resolver one, two;
    /* of the client */
    bool tcp;
    uint8_t query[600], reply[65535];
    size_t query_n;
    ssize_t reply_n;
};

/* ---- another resolver ---- */

static size_t reply_to(struct resolver *r, const uint8_t *p, size_t n, uint8_t *out)
{
    struct dns_query q;
    struct dns_answer a;

    atomic_fetch_add(&r->asked, 1);
    if (r->mood == SILENT || dns_query_read(p, n, &q) != DNS_NOERROR)
        return 0;
    if (r->mood == LIES)
        q.id ^= 1;
    dns_answer_begin(&a, out, 512, 512, &q);
    if (r->mood != FAILS)
        dns_answer_a(&a, 0, 60, (struct in_addr){htonl(0x08080808)});
    return dns_answer_end(&a, &q, r->mood == FAILS ? DNS_SERVFAIL : DNS_NOERROR, false);
}

static void serve_udp(struct resolver *r)
{
    struct sockaddr_in from;
    socklen_t from_n = sizeof(from);
    uint8_t in[1024], out[512];
    ssize_t n = recvfrom(r->udp, in, sizeof(in), 0, (struct sockaddr *)&from, &from_n);
    size_t out_n = n > 0 ? reply_to(r, in, (size_t)n, out) : 0;

    if (out_n)
        sendto(r->udp, out, out_n, 0, (struct sockaddr *)&from, from_n);
}

static void serve_tcp(struct resolver *r)
{
    uint8_t in[1026], out[514];
    int fd = accept(r->tcp, NULL, NULL);
    ssize_t n = recv(fd, in, 2, MSG_WAITALL);
    size_t want = n == 2 && dns_u16(in) <= sizeof(in) ? dns_u16(in) : 0;
    n = want ? recv(fd, in, want, MSG_WAITALL) : 0;
    size_t out_n = n > 0 ? reply_to(r, in, (size_t)n, out + 2) : 0;

    dns_put_u16(out, (unsigned)out_n);
    if (out_n)
        send(fd, out, out_n + 2, MSG_NOSIGNAL);
    close(fd);
}

static void *resolver_run(void *arg)
{
    struct resolver *r = arg;
    struct pollfd p[3] = {{r->udp, POLLIN, 0}, {r->tcp, POLLIN, 0}, {r->stop[0], POLLIN, 0}};

    while (poll(p, 3, -1) >= 0 && !p[2].revents) {
        if (p[0].revents)
            serve_udp(r);
        if (p[1].revents)
            serve_tcp(r);
    }
    return NULL;
}

/* One port for both; false when TCP's is taken by somebody else on this machine. */
static bool resolver_bind(struct resolver *r)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(a);
    int on = 1;

    r->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    r->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->udp, (struct sockaddr *)&a, sizeof(a)), 0);
    getsockname(r->udp, (struct sockaddr *)&a, &n);
    r->port = ntohs(a.sin_port);
    setsockopt(r->tcp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(r->tcp, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(r->tcp, 5) == 0)
        return true;
    close(r->udp);
    close(r->tcp);
    return false;
}

static void resolver_start(struct resolver *r)
{
    while (!resolver_bind(r))
        ;
    assert_int_equal(pipe(r->stop), 0);
    assert_int_equal(pthread_create(&r->thread, NULL, resolver_run, r), 0);
}

static void resolver_stop(struct resolver *r)
{
    assert_int_equal(write(r->stop[1], "x", 1), 1);
    pthread_join(r->thread, NULL);
    close(r->udp);
    close(r->tcp);
    close(r->stop[0]);
    close(r->stop[1]);
}

/* ---- the client ---- */

static ssize_t exchange_udp(struct world *w, int fd)
{
    if (send(fd, w->query, w->query_n, 0) < 0)
        return -1;
    return recv(fd, w->reply, sizeof(w->reply), 0);
}

static ssize_t exchange_tcp(struct world *w, int fd)
{
    uint8_t length[2];
    size_t got = 0, want;

    /* in pieces, to see them put together */
    dns_put_u16(length, (unsigned)w->query_n);
    if (send(fd, length, 1, 0) < 0 || send(fd, length + 1, 1, 0) < 0 ||
        send(fd, w->query, w->query_n, 0) < 0 || recv(fd, length, 2, MSG_WAITALL) != 2)
        return -1;
    want = dns_u16(length);
    while (got < want) {
        ssize_t n = recv(fd, w->reply + got, want - got, 0);
        if (n <= 0)
            return -1;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static void *client_run(void *arg)
{
    struct world *w = arg;
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr = {htonl(INADDR_LOOPBACK)},
                            .sin_port = htons((uint16_t)dns_server_port(w->dns))};
    int fd = socket(AF_INET, (w->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 20};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    w->reply_n = connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -1
                 : w->tcp                                          ? exchange_tcp(w, fd)
                                                                   : exchange_udp(w, fd);
    close(fd);
    loop_stop(w->loop);
    return NULL;
}

/* Returns the rcode; the reply's id and question are checked. */
static int ask(struct world *w, bool tcp, const char *name)
{
    pthread_t client;

    w->tcp = tcp;
    w->query_n = dns_query_write(w->query, sizeof(w->query), 0x4711, name);
    assert_int_equal(pthread_create(&client, NULL, client_run, w), 0);
    loop_run(w->loop);
    pthread_join(client, NULL);
    assert_true(w->reply_n > 0);
    assert_true(dns_is_answer_to(w->reply, (size_t)w->reply_n, 0x4711, w->query + DNS_HEADER,
                                 w->query_n - DNS_HEADER));
    return dns_rcode_of(w->reply, (size_t)w->reply_n);
}

static void assert_address(struct world *w, const char *want)
{
    struct in_addr ip;
    char text[INET_ADDRSTRLEN];

    assert_int_equal(dns_addresses(w->reply, (size_t)w->reply_n, &ip, 1), 1);
    assert_string_equal(inet_ntop(AF_INET, &ip, text, sizeof(text)), want);
}

static void put(struct world *w, const struct kube_resource *r, const char *text)
{
    _cleanup_kobj_ const struct kobj *o = kobj_parse(text, strlen(text), NULL);

    assert_non_null(o);
    cache_put(manager_cache(w->m, r), o);
}

/* The manager is never started: the caches are filled by hand. */
static void no_request(void *ctx, struct http_exchange *x)
{
    fail_msg("the API was asked");
}

static int setup(void **state)
{
    struct world *w = xnew(struct world);
    struct err e = {0};
    char upstreams[64];

    w->loop = loop_new(&e);
    w->client = kube_client_new(
        w->loop, kube_transport_inproc(w->loop, w->loop, no_request, NULL, "system:test"));
    w->m = manager_new(w->loop, w->client, "test");
    resolver_start(&w->one);
    resolver_start(&w->two);
    snprintf(upstreams, sizeof(upstreams), "127.0.0.1:%d, 127.0.0.1:%d", w->one.port, w->two.port);
    struct dns_opts o = {.ip = "127.0.0.1",
                         .domain = "cluster.local",
                         .manager = w->m,
                         .upstreams = upstreams,
                         .gateway_ip = "10.9.9.9"};
    w->dns = dns_server_new(w->loop, &o, &e);
    if (!w->dns)
        fail_msg("%s", e.msg);
    put(w, &KR_SERVICE,
        "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"namespace\":\"default\","
        "\"name\":\"hello\","
        "\"uid\":\"a\",\"resourceVersion\":\"1\"},\"spec\":{}}");
    put(w, &KR_SERVICE,
        "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"namespace\":\"default\","
        "\"name\":\"away\","
        "\"uid\":\"b\",\"resourceVersion\":\"2\"},\"spec\":{\"type\":\"ExternalName\","
        "\"externalName\":\"example.com\"}}");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    dns_server_free(w->dns);
    manager_free(w->m);
    kube_client_free(w->client);
    loop_free(w->loop);
    resolver_stop(&w->one);
    resolver_stop(&w->two);
    free(w);
    return 0;
}

static void own_names(void **state)
{
    struct world *w = *state;

    for (int tcp = 0; tcp < 2; tcp++) {
        assert_int_equal(ask(w, tcp, "HeLLo.default.svc.cluster.local"), DNS_NOERROR);
        assert_address(w, "10.9.9.9");
    }
    assert_int_equal(w->one.asked + w->two.asked, 0);
}

static void unknown_names_before_the_caches_are_full(void **state)
{
    assert_int_equal(ask(*state, false, "other.default.svc.cluster.local"), DNS_SERVFAIL);
}

static void other_names_are_forwarded(void **state)
{
    struct world *w = *state;

    for (int tcp = 0; tcp < 2; tcp++) {
        assert_int_equal(ask(w, tcp, "eXample.com"), DNS_NOERROR);
        assert_address(w, "8.8.8.8");
    }
    assert_int_equal(w->one.asked, 2);
}

static void names_that_lead_outside(void **state)
{
    struct world *w = *state;

    for (int tcp = 0; tcp < 2; tcp++) {
        assert_int_equal(ask(w, tcp, "away.default.svc.cluster.local"), DNS_NOERROR);
        assert_address(w, "8.8.8.8");
        assert_int_equal(dns_u16(w->reply + 6), 2); /* CNAME and address */
    }
    w->one.mood = w->two.mood = FAILS;
    assert_int_equal(ask(w, false, "away.default.svc.cluster.local"), DNS_SERVFAIL);
}

static void the_next_resolver_is_asked(void **state)
{
    static const enum mood moods[] = {FAILS, SILENT, LIES};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(moods); i++) {
        w->one.mood = moods[i];
        assert_int_equal(ask(w, false, "example.com"), DNS_NOERROR);
        assert_address(w, "8.8.8.8");
        assert_int_equal(w->two.asked, i + 1);
    }
    w->one.mood = FAILS;
    assert_int_equal(ask(w, true, "example.com"), DNS_NOERROR);
}

static void nobody_answers(void **state)
{
    struct world *w = *state;

    w->one.mood = w->two.mood = SILENT;
    assert_int_equal(ask(w, false, "example.com"), DNS_SERVFAIL);
    assert_int_equal(ask(w, true, "example.com"), DNS_SERVFAIL);
}

/* Freed while a query waits: the client never hears, and nothing is left behind. */
static void freed_while_waiting(void **state)
{
    struct world *w = *state;
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr = {htonl(INADDR_LOOPBACK)},
                            .sin_port = htons((uint16_t)dns_server_port(w->dns))};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    w->one.mood = SILENT;
    w->query_n = dns_query_write(w->query, sizeof(w->query), 1, "example.com");
    assert_true(sendto(fd, w->query, w->query_n, 0, (struct sockaddr *)&a, sizeof(a)) > 0);
    w->query_n = dns_query_write(w->query, sizeof(w->query), 2, "hello.default.svc.cluster.local");
    assert_int_equal(ask(w, false, "hello.default.svc.cluster.local"), DNS_NOERROR);
    close(fd);
}

static int client_at(uint32_t ip)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(ip)}};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void send_query(struct world *w, int fd, unsigned id)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr = {htonl(INADDR_LOOPBACK)},
                            .sin_port = htons((uint16_t)dns_server_port(w->dns))};

    w->query_n = dns_query_write(w->query, sizeof(w->query), id, "example.com");
    assert_true(sendto(fd, w->query, w->query_n, 0, (struct sockaddr *)&a, sizeof(a)) > 0);
}

/* What one address asks and nobody answers leaves room for the others. */
static void one_cannot_use_up_what_all_share(void **state)
{
    struct world *w = *state;
    int greedy = client_at(INADDR_LOOPBACK + 4), modest = client_at(INADDR_LOOPBACK + 5);
    uint8_t reply[600];

    w->one.mood = w->two.mood = SILENT;
    for (unsigned i = 0; i < LIMIT_DNS_PENDING_OF_ONE + 20; i++) {
        send_query(w, greedy, i + 1);
        /* each is read before the next is sent: no buffer overflows */
        assert_int_equal(ask(w, false, "hello.default.svc.cluster.local"), DNS_NOERROR);
    }
    for (int i = 0; i < 20; i++) { /* those beyond are refused at once */
        assert_true(recv(greedy, reply, sizeof(reply), 0) > 0);
        assert_int_equal(reply[3] & 15, DNS_SERVFAIL);
    }
    send_query(w, modest, 1);
    assert_int_equal(ask(w, false, "hello.default.svc.cluster.local"), DNS_NOERROR);
    assert_int_equal(recv(modest, reply, sizeof(reply), MSG_DONTWAIT), -1); /* it waits */
    close(greedy);
    close(modest);
}

static void who_may_ask(void **state)
{
    static const struct {
        const char *subnet, *peer;
        bool may;
    } t[] = {
        {"10.222.0.0/16", "10.222.3.4:53", true},
        {"10.222.0.0/16", "10.223.0.1:53", false},
        {"10.222.0.7/16", "10.222.0.1:1", true},
        {"10.222.0.0/16", "127.0.0.53:53", true},
        {"10.222.0.0/16", "192.168.1.1:53", false},
        {"10.222.0.0/16", "[::1]:53", true},
        {"10.222.0.0/16", "[2001:db8::1]:53", false},
        {"10.222.0.0/16", "[::ffff:10.222.0.9]:1", true},
        {"10.222.0.0/16", "[::ffff:10.9.0.9]:1", false},
        {NULL, "10.222.0.1:1", false},
        {NULL, "127.0.0.1:1", true},
        {"0.0.0.0/0", "8.8.8.8:53", true},
        {"10.0.0.1/32", "10.0.0.2:1", false},
        {"10.0.0.1/32", "10.0.0.1:1", true},
    };
    static const char *const bad[] = {"10.0.0.0", "10.0.0.0/33", "x/8", "/8", "10.0.0.0/", "::/8"};
    struct sockaddr_storage a;
    struct dns_subnet s;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        assert_int_equal(dns_subnet_parse(t[i].subnet, &s, &e), 0);
        assert_true(dns_peer_parse(t[i].peer, &a));
        assert_int_equal(dns_subnet_may_ask(&s, (struct sockaddr *)&a), t[i].may);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_true(dns_subnet_parse(bad[i], &s, &e) < 0);
    assert_false(dns_peer_parse("unix", &a));
    assert_false(dns_peer_parse("", &a));
}

static void a_taken_port_is_explained(void **state)
{
    struct world *w = *state;
    struct err e = {0};
    struct dns_opts o = {.ip = "127.0.0.1",
                         .port = dns_server_port(w->dns),
                         .domain = "cluster.local",
                         .manager = w->m};

    assert_null(dns_server_new(w->loop, &o, &e));
    assert_non_null(strstr(e.msg, "another DNS server"));
    o.ip = "nowhere";
    assert_null(dns_server_new(w->loop, &o, &e));
    o.ip = "127.0.0.1";
    o.upstreams = "none";
    assert_null(dns_server_new(w->loop, &o, &e));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(own_names),
        T(unknown_names_before_the_caches_are_full),
        T(other_names_are_forwarded),
        T(names_that_lead_outside),
        T(the_next_resolver_is_asked),
        T(nobody_answers),
        T(freed_while_waiting),
        T(one_cannot_use_up_what_all_share),
        T(a_taken_port_is_explained),
        cmocka_unit_test(who_may_ask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
