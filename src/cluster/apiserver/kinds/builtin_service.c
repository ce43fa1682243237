/*
 * Services. A cluster IP is taken at the last step before the store accepts the write; the pool
 * learns of freed addresses from the store's watch, so an address is free only once the deletion is
 * on disk.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "cluster/apiserver/kinds/builtin.h"
#include "cluster/apiserver/core.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/schema/tree.h"

#define POOL_BASE  0x0a600000u /* 10.96.0.0 */
#define POOL_SIZE  (1u << 20)  /* /12 */
#define POOL_FIRST 256u        /* the first 256 are for those who ask for one */

struct ip_pool {
    struct map *used;
    uint32_t next;
    struct store_watch *watch;
};

/* ---- pool ---- */
static const char *cluster_ip_of(const struct store_obj *o, yyjson_doc **keep)
{
    struct str b = store_obj_bytes(o);

    *keep = json_parse(b.p, b.n, NULL);
    const char *ip = jget_str(yyjson_doc_get_root(*keep), "spec", "clusterIP");

    return ip && *ip && !streq(ip, "None") ? ip : NULL;
}

static int learn(void *ctx, const struct store_obj *o)
{
    struct ip_pool *p = ctx;
    _cleanup_jdoc_ yyjson_doc *d = NULL;
    const char *ip = cluster_ip_of(o, &d);

    if (ip)
        map_set(p->used, ip, p);
    return 0;
}

static void on_change(void *ctx, enum store_event ev, const struct store_obj *o,
                      const struct store_obj *prev)
{
    struct ip_pool *p = ctx;
    _cleanup_jdoc_ yyjson_doc *now = NULL, *then = NULL;
    const char *ip = ev == STORE_DELETED ? NULL : cluster_ip_of(o, &now);
    const char *was = prev || ev == STORE_DELETED ? cluster_ip_of(prev ? prev : o, &then) : NULL;

    if (was && !streq(was, ip))
        map_del(p->used, was);
    if (ip)
        map_set(p->used, ip, p);
}

struct ip_pool *ip_pool_new(struct apiserver *a, struct err *e)
{
    struct ip_pool *p = xnew(struct ip_pool);

    p->used = map_new(NULL);
    p->next = POOL_FIRST;
    store_each(a->store, "/services/", learn, p);
    p->watch = store_watch_start(a->store, "/services/", store_rev(a->store), on_change, p, e);
    if (p->watch)
        return p;
    ip_pool_free(p);
    return NULL;
}

/* No change is learnt any more; addresses of writes in flight can still be given back. */
void ip_pool_stop(struct ip_pool *p)
{
    if (p && p->watch)
        store_watch_stop(steal(&p->watch));
}

void ip_pool_free(struct ip_pool *p)
{
    if (!p)
        return;
    ip_pool_stop(p);
    map_free(p->used);
    free(p);
}

static bool take_next(struct ip_pool *p, char ret[static INET_ADDRSTRLEN])
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

static void take_given(struct ip_pool *p, const char *ip, struct field_errors *errs)
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

static int service_allocate(struct apiserver *a, struct kmut *o, const yyjson_val *old,
                            struct field_errors *errs)
{
    const char *ip = jm_get_str(o->root, "spec", "clusterIP");
    const char *was = jget_str(old, "spec", "clusterIP");
    char fresh[INET_ADDRSTRLEN];

    if (streq(jm_get_str(o->root, "spec", "type"), "ExternalName"))
        return 0;
    if (ip && *ip && !streq(ip, "None")) {
        if (!streq(ip, was))
            take_given(a->ips, ip, errs);
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
    if (!take_next(a->ips, fresh))
        return -1;
    set_ip(o, fresh);
    return 0;
}

static void service_release(struct apiserver *a, const yyjson_mut_val *o, const yyjson_val *old)
{
    const char *ip = jm_get_str(o, "spec", "clusterIP");

    if (ip && *ip && !streq(ip, "None") && !streq(ip, jget_str(old, "spec", "clusterIP")))
        map_del(a->ips->used, ip);
}

/* ---- defaults ---- */
static void port_defaults(yyjson_mut_doc *d, yyjson_mut_val *p)
{
    yyjson_mut_val *target = jm_get(p, "targetPort");

    if (!yyjson_mut_is_obj(p))
        return;
    tree_default_str(d, p, "protocol", "TCP");
    if (!target || (yyjson_mut_is_int(target) && !yyjson_mut_get_sint(target)) ||
        (yyjson_mut_is_str(target) && !yyjson_mut_get_len(target)))
        jm_set_int(d, p, jm_get_int(p, 0, "port"), "targetPort");
}

static void cluster_defaults(struct kmut *o, yyjson_mut_val *spec, const yyjson_val *old)
{
    const char *ip = jm_get_str(spec, "clusterIP"), *was = jget_str(old, "spec", "clusterIP");

    tree_default_str(o->d, spec, "internalTrafficPolicy", "Cluster");
    tree_default_str(o->d, spec, "ipFamilyPolicy", "SingleStack");
    if (!jm_get(spec, "ipFamilies"))
        jm_add_str(o->d, jm_arr(o->d, spec, "ipFamilies"), "IPv4");
    if ((!ip || !*ip) && was && !streq(jget_str(old, "spec", "type"), "ExternalName"))
        jm_set_str(o->d, spec, was, "clusterIP"); /* an allocated address is kept */
    ip = jm_get_str(spec, "clusterIP");
    if (ip && *ip && !jm_get(spec, "clusterIPs"))
        jm_add_str(o->d, jm_arr(o->d, spec, "clusterIPs"), ip);
    if (!streq(jm_get_str(spec, "type"), "ClusterIP"))
        tree_default_str(o->d, spec, "externalTrafficPolicy", "Cluster");
}

static void service_defaults(struct kmut *o, const yyjson_val *old)
{
    yyjson_mut_val *spec = yyjson_mut_obj_get(o->root, "spec"), *ports = jm_get(spec, "ports");

    if (!yyjson_mut_is_obj(spec))
        return;
    tree_default_str(o->d, spec, "type", "ClusterIP");
    tree_default_str(o->d, spec, "sessionAffinity", "None");
    TREE_EACH(p, ports)
    port_defaults(o->d, p);
    if (!streq(jm_get_str(spec, "type"), "ExternalName")) {
        cluster_defaults(o, spec, old);
    } else {
        static const char *const not_for_names[] = {"clusterIP", "clusterIPs", "ipFamilies",
                                                    "ipFamilyPolicy", "internalTrafficPolicy"};

        /* what was derived for the type before does not follow */
        for (size_t i = 0; old && i < ARRAY_LEN(not_for_names); i++)
            yyjson_mut_obj_remove_key(spec, not_for_names[i]);
    }
    if (!jm_get(o->root, "status"))
        jm_obj(KM(o), "status", "loadBalancer");
}

/* ---- validation ---- */
static void check_port(const yyjson_mut_val *p, bool need_name, struct field_path *path,
                       struct map *names, struct field_errors *errs)
{
    const char *name = jm_get_str(p, "name");
    yyjson_mut_val *target = jm_get(p, "targetPort");
    size_t at = path_key(path, "name");

    if ((!name || !*name) && need_name)
        field_required(errs, path_z(path), NULL);
    else if (name && *name && map_has(names, name))
        field_duplicate(errs, path_z(path), name);
    else if (name && *name)
        map_set(names, name, names);
    path_pop(path, at);
    port_number_validate(p, path, "port", true, errs);
    protocol_validate(p, path, errs);
    if (yyjson_mut_is_int(target))
        port_number_validate(p, path, "targetPort", false, errs);
}

static void check_ports(const yyjson_mut_val *spec, bool headless, struct field_errors *errs)
{
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;
    yyjson_mut_val *ports = jm_get(spec, "ports");
    struct map *names = map_new(NULL);
    size_t i = 0, n = yyjson_mut_arr_size(ports);

    path_key(&path, "spec.ports");
    if (!n && !headless)
        field_required(errs, "spec.ports", NULL);
    TREE_EACH(p, ports)
    {
        size_t mark = path_index(&path, i++);

        check_port(p, n > 1, &path, names, errs);
        path_pop(&path, mark);
    }
    map_free(names);
}

static void check_immutable(const yyjson_mut_val *spec, const yyjson_val *old,
                            struct field_errors *errs)
{
    const char *ip = jm_get_str(spec, "clusterIP"), *was = jget_str(old, "spec", "clusterIP");

    if (!was || !*was || streq(jget_str(old, "spec", "type"), "ExternalName") || streq(ip, was))
        return;
    _cleanup_free_ char *value = xasprintf("[]string{\"%s\"}", ip ? ip : "");

    field_error_add(errs, FE_INVALID, "spec.clusterIPs[0]", value, "may not change once set");
}

static void service_validate(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    static const char *const types[] = {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort",
                                        NULL};
    yyjson_mut_val *spec = yyjson_mut_obj_get(o->root, "spec");
    const char *type = jm_get_str(spec, "type"), *name = jm_get_str(spec, "externalName");
    bool known = false, external = streq(type, "ExternalName");

    if (!yyjson_mut_is_obj(spec)) {
        field_required(errs, "spec", NULL);
        return;
    }
    for (size_t i = 0; types[i]; i++)
        known |= streq(type, types[i]);
    if (!known)
        field_unsupported(errs, "spec.type", type, types);
    if (external && (!name || !*name))
        field_required(errs, "spec.externalName", NULL);
    if (external && jm_get_str(spec, "clusterIP") && *jm_get_str(spec, "clusterIP"))
        field_error_add(errs, FE_FORBIDDEN, "spec.clusterIPs", NULL,
                        "may not be set when `type` is 'ExternalName'");
    check_ports(spec, external || streq(jm_get_str(spec, "clusterIP"), "None"), errs);
    if (!external)
        check_immutable(spec, old, errs);
}

static const char *const service_fields[] = {"spec.clusterIP", "spec.type", NULL};
const struct builtin builtin_service = {
    .defaults = service_defaults,
    .validate = service_validate,
    .allocate = service_allocate,
    .release = service_release,
    .columns = columns_service,
    .name_rule = "dns1035",
    .fields = service_fields,
};
