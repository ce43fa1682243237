/* What names stand for, over caches that are filled by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/dns/zone.h"
#include "kube/slices.h"

struct world {
    struct zone z;
    uint8_t query[600], out[65535];
    struct dns_query q;
    struct dns_answer a;
    struct zone_reply r;
    enum zone_result result;
    char ips[4][INET_ADDRSTRLEN];
    int n_ips;
};

static void put(struct cache *c, const char *text)
{
    struct err e = {0};
    _cleanup_kobj_ const struct kobj *o = kobj_parse(text, strlen(text), &e);

    if (!o)
        fail_msg("%s", e.msg);
    assert_int_equal(cache_put(c, o), CACHE_ADDED);
}

#define META(name)                                                                                 \
    "\"metadata\":{\"namespace\":\"default\",\"name\":\"" name "\",\"uid\":\"u-" name              \
    "\",\"resourceVersion\":\"1\"}"
#define SERVICE(name, spec)                                                                        \
    "{\"apiVersion\":\"v1\",\"kind\":\"Service\"," META(name) ",\"spec\":{" spec "}}"
#define SLICE(name, service, port, endpoints)                                                      \
    "{\"apiVersion\":\"discovery.k8s.io/v1\",\"kind\":\"EndpointSlice\",\"metadata\":{"            \
    "\"namespace\":\"default\",\"name\":\"" name "\",\"uid\":\"u-" name                            \
    "\",\"resourceVersion\":\"1\",\"labels\":{\"kubernetes.io/service-name\":\"" service           \
    "\"}},\"addressType\":\"IPv4\",\"ports\":[{\"name\":\"\",\"port\":" port                       \
    "}],\"endpoints\":[" endpoints "]}"

static int setup(void **state)
{
    struct world *w = xnew(struct world);
    struct cache *s = cache_new(&KR_SERVICE), *e = cache_new(&KR_ENDPOINTSLICE);

    slices_add_index(e);

    w->z = (struct zone){"cluster.local", "10.9.9.9", s, e};
    put(s, SERVICE("hello", "\"clusterIP\":\"10.96.0.1\""));
    put(e,
        SLICE("h1", "hello", "80",
              "{\"addresses\":[\"10.0.0.1\"]},{\"addresses\":[\"10.0.0.2\"],\"hostname\":\"two\"},"
              "{\"addresses\":[\"10.0.0.3\"],\"conditions\":{\"ready\":false}}"));
    /* the same pod under another port */
    put(e, SLICE("h2", "hello", "81", "{\"addresses\":[\"10.0.0.1\"]}"));
    put(s, SERVICE("idle", "\"clusterIP\":\"10.96.0.2\""));
    put(s, SERVICE("headless", "\"clusterIP\":\"None\""));
    put(s, SERVICE("eager", "\"clusterIP\":\"None\",\"publishNotReadyAddresses\":true"));
    put(e, SLICE("e", "eager", "80",
                 "{\"addresses\":[\"10.0.0.4\"],\"conditions\":{\"ready\":false}}"));
    put(s,
        SERVICE("alias",
                "\"type\":\"ExternalName\",\"externalName\":\"hello.default.svc.cluster.local\""));
    put(s, SERVICE("away", "\"type\":\"ExternalName\",\"externalName\":\"example.com.\""));
    put(s,
        SERVICE("loop",
                "\"type\":\"ExternalName\",\"externalName\":\"loop.default.svc.cluster.local\""));
    put(s,
        SERVICE("lost",
                "\"type\":\"ExternalName\",\"externalName\":\"gone.default.svc.cluster.local\""));
    put(s, SERVICE("broken", "\"type\":\"ExternalName\",\"externalName\":\"a..b\""));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    cache_free(w->z.services);
    cache_free(w->z.slices);
    free(w);
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void ask(struct world *w, const char *name, int type)
{
    struct in_addr ips[4];
    size_t n = dns_query_write(w->query, sizeof(w->query), 1, name);

    assert_true(n > 0);
    dns_put_u16(w->query + n - 4, (unsigned)type);
    assert_int_equal(dns_query_read(w->query, n, &w->q), DNS_NOERROR);
    dns_answer_begin(&w->a, w->out, sizeof(w->out), sizeof(w->out), &w->q);
    w->result = zone_answer(&w->z, &w->q, &w->a, &w->r);
    if (w->result == ZONE_FOREIGN)
        return;
    n = dns_answer_end(&w->a, &w->q, w->r.rcode, true);
    w->n_ips = dns_addresses(w->out, n, ips, 4);
    for (int i = 0; i < w->n_ips; i++)
        inet_ntop(AF_INET, &ips[i], w->ips[i], sizeof(w->ips[i]));
    if (w->n_ips > 0)
        qsort(w->ips, (size_t)w->n_ips, sizeof(w->ips[0]), compare);
}

static void assert_reply(struct world *w, int rcode, int ips, int answers, int authorities)
{
    assert_int_equal(w->result, ZONE_ANSWERED);
    assert_int_equal(w->r.rcode, rcode);
    assert_int_equal(w->n_ips, ips);
    assert_int_equal(w->a.answers, answers);
    assert_int_equal(w->a.authorities, authorities);
}

static void services_are_their_endpoints(void **state)
{
    struct world *w = *state;

    ask(w, "hello.default.svc.cluster.local", DNS_A);
    assert_reply(w, DNS_NOERROR, 2, 2, 0);
    assert_string_equal(w->ips[0], "10.0.0.1");
    assert_string_equal(w->ips[1], "10.0.0.2");
    ask(w, "HELLO.Default.SVC.Cluster.LOCAL", DNS_A);
    assert_reply(w, DNS_NOERROR, 2, 2, 0);
    ask(w, "hello.default.svc.cluster.local", DNS_ANY);
    assert_reply(w, DNS_NOERROR, 2, 2, 0);
    ask(w, "two.hello.default.svc.cluster.local", DNS_A);
    assert_reply(w, DNS_NOERROR, 1, 1, 0);
    assert_string_equal(w->ips[0], "10.0.0.2");
    ask(w, "eager.default.svc.cluster.local", DNS_A);
    assert_reply(w, DNS_NOERROR, 1, 1, 0);
}

static void without_endpoints_the_gateway(void **state)
{
    struct world *w = *state;

    ask(w, "idle.default.svc.cluster.local", DNS_A);
    assert_reply(w, DNS_NOERROR, 1, 1, 0);
    assert_string_equal(w->ips[0], "10.9.9.9");
    ask(w, "headless.default.svc.cluster.local", DNS_A);
    assert_reply(w, DNS_NOERROR, 0, 0, 1);
    w->z.gateway_ip = NULL;
    ask(w, "idle.default.svc.cluster.local", DNS_A);
    assert_reply(w, DNS_NOERROR, 0, 0, 1);
}

static void other_types_are_empty(void **state)
{
    struct world *w = *state;

    ask(w, "hello.default.svc.cluster.local", DNS_AAAA);
    assert_reply(w, DNS_NOERROR, 0, 0, 1);
    ask(w, "hello.default.svc.cluster.local", 33);
    assert_reply(w, DNS_NOERROR, 0, 0, 1);
    ask(w, "cluster.local", DNS_SOA);
    assert_reply(w, DNS_NOERROR, 0, 1, 0);
    ask(w, "svc.cluster.local", DNS_A);
    assert_reply(w, DNS_NOERROR, 0, 0, 1);
    ask(w, "default.svc.cluster.local", DNS_A);
    assert_reply(w, DNS_NOERROR, 0, 0, 1);
    ask(w, "cluster.local", DNS_AXFR);
    assert_reply(w, DNS_REFUSED, 0, 0, 0);
}

static void unknown_names_do_not_exist(void **state)
{
    static const char *const names[] = {
        "none.default.svc.cluster.local",
        "hello.other.svc.cluster.local",
        "other.svc.cluster.local",
        "x.cluster.local",
        "example.com.default.svc.cluster.local",
        "three.hello.default.svc.cluster.local",
        "a.two.hello.default.svc.cluster.local",
        "two.alias.default.svc.cluster.local",
        "he?lo.default.svc.cluster.local",
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        ask(w, names[i], DNS_A);
        if (w->r.rcode != DNS_NXDOMAIN)
            print_error("%s: %d\n", names[i], w->r.rcode);
        assert_reply(w, DNS_NXDOMAIN, 0, 0, 1);
    }
}

static void foreign_names_are_left(void **state)
{
    static const char *const names[] = {"example.com", "local", "xcluster.local",
                                        "cluster.local.com", "hello"};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        ask(w, names[i], DNS_A);
        assert_int_equal(w->result, ZONE_FOREIGN);
    }
}

static void external_names(void **state)
{
    struct world *w = *state;

    ask(w, "alias.default.svc.cluster.local", DNS_A);
    assert_reply(w, DNS_NOERROR, 2, 3, 0);
    ask(w, "alias.default.svc.cluster.local", DNS_CNAME);
    assert_reply(w, DNS_NOERROR, 0, 1, 0);
    ask(w, "alias.default.svc.cluster.local", DNS_AAAA);
    assert_reply(w, DNS_NOERROR, 0, 1, 0);
    ask(w, "away.default.svc.cluster.local", DNS_A);
    assert_int_equal(w->result, ZONE_OUTSIDE);
    assert_string_equal(w->r.outside, "example.com");
    ask(w, "loop.default.svc.cluster.local", DNS_A);
    assert_int_equal(w->r.rcode, DNS_SERVFAIL);
    ask(w, "lost.default.svc.cluster.local", DNS_A);
    assert_int_equal(w->r.rcode, DNS_NXDOMAIN);
    assert_int_equal(w->a.answers, 1);
    ask(w, "broken.default.svc.cluster.local", DNS_A);
    assert_reply(w, DNS_NOERROR, 0, 0, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(services_are_their_endpoints), T(without_endpoints_the_gateway), T(other_types_are_empty),
        T(unknown_names_do_not_exist),   T(foreign_names_are_left),        T(external_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
