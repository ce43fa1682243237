/*
 * A name is cut into labels from the right. Addresses start at a random place and go round, which
 * spreads the load over clients that take the first.
 */
#include "cluster/dns/zone.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/rand.h"
#include "base/vec.h"
#include "kube/slices.h"

#define MAX_CNAMES    8
#define MAX_ADDRESSES 2000

typedef VEC(struct in_addr) address_vec;

struct lookup {
    const struct zone *z;
    const struct dns_query *q;
    struct dns_answer *a;
    struct zone_reply *reply;
};

/* The part of name before ".DOMAIN", false when it is not beneath it. "" is the domain itself. */
static bool cut_domain(const char *name, const char *domain, struct str *ret)
{
    size_t n = strlen(name), d = strlen(domain);

    if (n < d || strcasecmp(name + n - d, domain) != 0)
        return false;
    if (n > d && name[n - d - 1] != '.')
        return false;
    *ret = (struct str){name, n > d ? n - d - 1 : 0};
    return true;
}

/* Takes the last label off. */
static struct str pop_label(struct str *s)
{
    size_t at = s->n;

    while (at > 0 && s->p[at - 1] != '.')
        at--;
    struct str label = {s->p + at, s->n - at};
    s->n = at ? at - 1 : 0;
    return label;
}

static bool copy_label(struct str s, char ret[static 64])
{
    if (s.n == 0 || s.n > 63)
        return false;
    for (size_t i = 0; i < s.n; i++)
        ret[i] = (char)tolower((unsigned char)s.p[i]);
    ret[s.n] = '\0';
    return true;
}

struct gathering {
    const char *host; /* NULL: any */
    bool all;         /* not-ready ones too */
    address_vec *out;
};

/* Slices of several ports tell an address several times. */
static bool is_there(const address_vec *v, struct in_addr ip)
{
    for (size_t i = 0; i < v->n; i++) {
        if (v->p[i].s_addr == ip.s_addr)
            return true;
    }
    return false;
}

static int gather(void *ctx, const struct slice_endpoint *ep)
{
    const struct gathering *g = ctx;
    struct in_addr ip;

    if ((!ep->ready && !g->all) || (g->host && !streq(ep->hostname, g->host)) ||
        inet_pton(AF_INET, ep->ip, &ip) != 1 || is_there(g->out, ip))
        return 0;
    vec_push(g->out, ip);
    return g->out->n == MAX_ADDRESSES;
}

static void endpoint_addresses(const struct zone *z, const struct kobj *service, const char *host,
                               address_vec *out)
{
    struct gathering g = {
        host, jget_bool(kobj_root(service), false, "spec", "publishNotReadyAddresses"), out};

    slices_each(z->slices, kobj_namespace(service), kobj_name(service), NULL, gather, &g);
}

/* A Service that only has a cluster IP is reached through the gateway; a headless one is its
 * Endpoints. */
static void gateway_address(const struct zone *z, const struct kobj *service, address_vec *out)
{
    struct in_addr ip;

    if (z->gateway_ip && !streq(jget_str(kobj_root(service), "spec", "clusterIP"), "None") &&
        inet_pton(AF_INET, z->gateway_ip, &ip) == 1)
        vec_push(out, ip);
}

static bool wants(const struct lookup *l, int type)
{
    return l->q->type == type || l->q->type == DNS_ANY;
}

static void put_addresses(struct lookup *l, size_t owner, const address_vec *v)
{
    size_t start = v->n ? rand_fast() % v->n : 0;

    for (size_t i = 0; i < v->n; i++)
        dns_answer_a(l->a, owner, ZONE_TTL, v->p[(start + i) % v->n]);
}

/* DNS_NXDOMAIN when there is no such host. */
static int answer_service(struct lookup *l, const struct kobj *service, const char *host,
                          size_t owner)
{
    address_vec v = {0};

    endpoint_addresses(l->z, service, host, &v);
    if (v.n == 0 && !host)
        gateway_address(l->z, service, &v);
    int rcode = v.n == 0 && host ? DNS_NXDOMAIN : DNS_NOERROR;
    if (wants(l, DNS_A))
        put_addresses(l, owner, &v);
    vec_done(&v);
    return rcode;
}

static bool namespace_has_services(const struct zone *z, const char *ns)
{
    kobj_vec list = {0};

    cache_list_by(z->services, "namespace", ns, &list);
    bool any = list.n > 0;
    vec_done(&list);
    return any;
}

struct target {
    const struct kobj *service; /* NULL: none, see rcode */
    char host[64];
    int rcode;
};

/* rest: the name without the domain. */
static struct target find_target(const struct zone *z, struct str rest)
{
    struct target t = {.rcode = DNS_NOERROR};
    char ns[64], name[64];

    if (rest.n == 0)
        return t;
    t.rcode = DNS_NXDOMAIN;
    if (!str_ieq(pop_label(&rest), STR("svc")))
        return t;
    if (rest.n == 0) {
        t.rcode = DNS_NOERROR;
        return t;
    }
    if (!copy_label(pop_label(&rest), ns))
        return t;
    if (rest.n == 0) {
        t.rcode = namespace_has_services(z, ns) ? DNS_NOERROR : DNS_NXDOMAIN;
        return t;
    }
    if (!copy_label(pop_label(&rest), name))
        return t;
    t.service = cache_get(z->services, ns, name);
    /* At most one label more: the host name of an address. */
    if (rest.n && (memchr(rest.p, '.', rest.n) || !copy_label(rest, t.host)))
        t.service = NULL;
    return t;
}

static int leave_domain(struct lookup *l, size_t owner, const char *target)
{
    if (strlen(target) < DNS_NAME_TEXT && owner) {
        strcpy(l->reply->outside, target);
        l->reply->outside_owner = owner;
    }
    return DNS_NOERROR;
}

static void without_end_dot(char *name)
{
    size_t n = strlen(name);

    if (n && name[n - 1] == '.')
        name[n - 1] = '\0';
}

static int resolve(struct lookup *l, struct str rest, size_t owner, int depth)
{
    struct target t = find_target(l->z, rest);
    const char *external = jget_str(kobj_root(t.service), "spec", "externalName");
    char name[DNS_NAME_TEXT];

    if (!t.service)
        return t.rcode;
    if (!streq(jget_str(kobj_root(t.service), "spec", "type"), "ExternalName"))
        return answer_service(l, t.service, t.host[0] ? t.host : NULL, owner);
    if (!external || t.host[0] || strlen(external) >= sizeof(name))
        return DNS_NXDOMAIN;
    if (depth == MAX_CNAMES)
        return DNS_SERVFAIL;
    strcpy(name, external);
    without_end_dot(name);
    owner = dns_answer_cname(l->a, owner, ZONE_TTL, name);
    if (!wants(l, DNS_A) || !owner)
        return DNS_NOERROR;
    if (!cut_domain(name, l->z->domain, &rest))
        return leave_domain(l, owner, name);
    return resolve(l, rest, owner, depth + 1);
}

enum zone_result zone_answer(const struct zone *z, const struct dns_query *q, struct dns_answer *a,
                             struct zone_reply *ret)
{
    struct lookup l = {z, q, a, ret};
    struct str rest;

    memset(ret, 0, sizeof(*ret));
    if (!cut_domain(q->name, z->domain, &rest))
        return ZONE_FOREIGN;
    if (q->type == DNS_AXFR || q->type == DNS_IXFR || (q->class != 1 && q->class != DNS_ANY)) {
        ret->rcode = DNS_REFUSED;
        return ZONE_ANSWERED;
    }
    ret->rcode = resolve(&l, rest, 0, 0);
    if (rest.n == 0 && wants(&l, DNS_SOA))
        dns_answer_soa(a, z->domain, ZONE_TTL, false);
    else if (a->answers == 0 && !a->truncated &&
             (ret->rcode == DNS_NOERROR || ret->rcode == DNS_NXDOMAIN))
        dns_answer_soa(a, z->domain, ZONE_TTL, true);
    return ret->outside[0] ? ZONE_OUTSIDE : ZONE_ANSWERED;
}
