/* Addresses are handed out in a circle, so that one that was freed is not met again at once. */
#include "cluster/apiserver/write/cluster_ips.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/map.h"
#include "base/mem.h"

#define POOL_BASE  0x0a600000u /* 10.96.0.0 */
#define POOL_SIZE  (1u << 20)  /* /12 */
#define POOL_FIRST 256u        /* the first 256 are for those who ask for one */

struct cluster_ips {
    struct map *used;
    uint32_t next;
    struct store_watch *watch;
};

static const char *cluster_ip_of(const struct store_obj *o, yyjson_doc **keep)
{
    struct str b = store_obj_bytes(o);

    *keep = json_parse(b.p, b.n, NULL);
    const char *ip = jget_str(yyjson_doc_get_root(*keep), "spec", "clusterIP");

    return ip && *ip && !streq(ip, "None") ? ip : NULL;
}

static int learn(void *ctx, const struct store_obj *o)
{
    struct cluster_ips *p = ctx;
    _cleanup_jdoc_ yyjson_doc *d = NULL;
    const char *ip = cluster_ip_of(o, &d);

    if (ip)
        map_set(p->used, ip, p);
    return 0;
}

static void on_change(void *ctx, enum store_event ev, const struct store_obj *o,
                      const struct store_obj *prev)
{
    struct cluster_ips *p = ctx;
    _cleanup_jdoc_ yyjson_doc *now = NULL, *then = NULL;
    const char *ip = ev == STORE_DELETED ? NULL : cluster_ip_of(o, &now);
    const char *was = prev || ev == STORE_DELETED ? cluster_ip_of(prev ? prev : o, &then) : NULL;

    if (was && !streq(was, ip))
        map_del(p->used, was);
    if (ip)
        map_set(p->used, ip, p);
}

struct cluster_ips *cluster_ips_new(struct store *s, struct err *e)
{
    struct cluster_ips *p = xnew(struct cluster_ips);

    p->used = map_new(NULL);
    p->next = POOL_FIRST;
    store_each(s, "/services/", learn, p);
    p->watch = store_watch_start(s, "/services/", store_rev(s), on_change, p, e);
    if (p->watch)
        return p;
    cluster_ips_free(p);
    return NULL;
}

void cluster_ips_stop(struct cluster_ips *p)
{
    if (p && p->watch)
        store_watch_stop(steal(&p->watch));
}

void cluster_ips_free(struct cluster_ips *p)
{
    if (!p)
        return;
    cluster_ips_stop(p);
    map_free(p->used);
    free(p);
}

static bool take_next(struct cluster_ips *p, char ret[static INET_ADDRSTRLEN])
{
    for (uint32_t tries = 0; tries < POOL_SIZE; tries++) {
        struct in_addr in = {htonl(POOL_BASE + p->next)};

        p->next = p->next + 1 >= POOL_SIZE - 1 ? POOL_FIRST : p->next + 1;
        inet_ntop(AF_INET, &in, ret, INET_ADDRSTRLEN);
        if (map_has(p->used, ret))
            continue;
        map_set(p->used, ret, p);
        return true;
    }
    return false;
}

static void refuse_ip(struct field_errors *errs, const char *ip, const char *why)
{
    _cleanup_free_ char *value = xasprintf("[]string{\"%s\"}", ip);

    field_error_add(errs, FE_INVALID, "spec.clusterIPs", value, "failed to allocate IP %s: %s", ip,
                    why);
}

static void take_given(struct cluster_ips *p, const char *ip, struct field_errors *errs)
{
    struct in_addr in;

    if (inet_pton(AF_INET, ip, &in) != 1)
        field_invalid_str(errs, "spec.clusterIPs[0]", ip,
                          "must be a valid IPv4 address, empty, or None");
    else if (ntohl(in.s_addr) - POOL_BASE >= POOL_SIZE)
        refuse_ip(errs, ip,
                  "the provided IP is not in the valid range. The range of valid IPs is "
                  "10.96.0.0/12");
    else if (map_has(p->used, ip))
        refuse_ip(errs, ip, "provided IP is already allocated");
    else
        map_set(p->used, ip, p);
}

static void set_ip(struct kmut *o, const char *ip)
{
    jm_set_str(KM(o), ip, "spec", "clusterIP");
    jm_set(KM(o), yyjson_mut_arr(o->d), "spec", "clusterIPs");
    jm_add_str(o->d, jm_get(o->root, "spec", "clusterIPs"), ip);
}

int cluster_ips_claim(struct cluster_ips *p, struct kmut *o, const yyjson_val *old,
                      struct field_errors *errs)
{
    const char *ip = jm_get_str(o->root, "spec", "clusterIP");
    const char *was = jget_str(old, "spec", "clusterIP");
    char fresh[INET_ADDRSTRLEN];

    if (streq(jm_get_str(o->root, "spec", "type"), "ExternalName"))
        return 0;
    if (ip && *ip && !streq(ip, "None")) {
        if (!streq(ip, was))
            take_given(p, ip, errs);
        if (!errs->v.n) {
            _cleanup_free_ char *copy = xstrdup(ip);

            set_ip(o, copy);
        }
        return 0;
    }
    if (streq(ip, "None")) {
        set_ip(o, "None");
        return 0;
    }
    if (!take_next(p, fresh))
        return -1;
    set_ip(o, fresh);
    return 0;
}

void cluster_ips_release(struct cluster_ips *p, const yyjson_mut_val *o, const yyjson_val *old)
{
    const char *ip = jm_get_str(o, "spec", "clusterIP");

    if (ip && *ip && !streq(ip, "None") && !streq(ip, jget_str(old, "spec", "clusterIP")))
        map_del(p->used, ip);
}
