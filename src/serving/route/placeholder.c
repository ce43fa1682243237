/*
 * Foreign labels and annotations on a placeholder survive (its visibility label is how a user makes
 * one host cluster-local), the spec is ours alone. The API refuses some changes of a Service in
 * place; those are made by deleting and creating.
 */
#include "serving/route/placeholder.h"

#include <errno.h>

#include "contract/names.h"

#define PORT_NAME "http2"
#define PORT      80
#define H2C       "kubernetes.io/h2c"

static const yyjson_val *lb_entries(const struct kobj *ingress, const char *list)
{
    const yyjson_val *v = jget(kobj_root(ingress), "status", list, "ingress");

    return yyjson_arr_size((yyjson_val *)(uintptr_t)v) ? v : NULL;
}

static const char *nonempty(const yyjson_val *o, const char *key)
{
    const char *s = jget_str(o, key);

    return s && *s ? s : NULL;
}

int load_balancer_of(const struct kobj *ingress, bool local, struct load_balancer *ret,
                     struct err *e)
{
    const yyjson_val *list = lb_entries(ingress, "privateLoadBalancer");

    *ret = (struct load_balancer){0};
    if (!list && !local)
        list = lb_entries(ingress, "publicLoadBalancer");
    if (!list)
        return 0;
    if (yyjson_arr_size((yyjson_val *)(uintptr_t)list) != 1)
        return err_set(e, -EINVAL,
                       "Ingress %s has several load balancers; a Route can point to one only",
                       kobj_name(ingress));
    const yyjson_val *entry = yyjson_arr_get_first((yyjson_val *)(uintptr_t)list);
    const char *ip = nonempty(entry, "ip");
    const char *domain = nonempty(entry, "domainInternal");
    if (!domain)
        domain = nonempty(entry, "domain");
    if (ip)
        *ret = (struct load_balancer){LB_IP, ip};
    else if (domain)
        *ret = (struct load_balancer){LB_DOMAIN, domain};
    else if (jget_bool(entry, false, "meshOnly"))
        *ret = (struct load_balancer){LB_MESH, NULL};
    else
        return err_set(e, -EINVAL, "Ingress %s has a load balancer without an address",
                       kobj_name(ingress));
    return 0;
}

/* ---- builders ---- */
static void set_metadata(struct kmut *m, const struct kobj *route)
{
    yyjson_val *labels = jget(kobj_root(route), "metadata", "labels");
    yyjson_val *annotations = jget(kobj_root(route), "metadata", "annotations");

    if (labels)
        jm_set_copy(KM(m), labels, "metadata", "labels");
    kmut_label(m, L_VISIBILITY, NULL);
    kmut_label(m, L_ROUTE, kobj_name(route));
    if (annotations)
        jm_set_copy(KM(m), annotations, "metadata", "annotations");
    kmut_set_controller(m, route);
}

static void add_port(struct kmut *m, yyjson_mut_val *ports, const char *name, bool with_target)
{
    yyjson_mut_val *port = jm_add_obj(m->d, ports);
    bool h2c = streq(name, PORT_NAME);

    jm_set_str(m->d, port, name, "name");
    if (h2c)
        jm_set_str(m->d, port, H2C, "appProtocol");
    jm_set_int(m->d, port, PORT, "port");
    jm_set_str(m->d, port, "TCP", "protocol");
    if (with_target)
        jm_set_int(m->d, port, PORT, "targetPort");
}

static struct kmut *build_service(const struct kobj *route, const struct route_host *host,
                                  const struct load_balancer *lb)
{
    struct kmut *m = kmut_new(&KR_SERVICE, kobj_namespace(route), host->hostname);
    const char *alias = lb->kind == LB_DOMAIN ? lb->address : host->fqdn;

    set_metadata(m, route);
    if (lb->kind == LB_IP || lb->kind == LB_MESH) {
        jm_set_str(KM(m), "ClusterIP", "spec", "type");
        if (lb->kind == LB_IP)
            jm_set_str(KM(m), "None", "spec", "clusterIP");
    } else {
        jm_set_str(KM(m), "ExternalName", "spec", "type");
        jm_set_str(KM(m), alias, "spec", "externalName");
        jm_set_str(KM(m), "None", "spec", "sessionAffinity");
    }
    add_port(m, jm_arr(KM(m), "spec", "ports"), lb->kind == LB_MESH ? "http" : PORT_NAME, true);
    return m;
}

static struct kmut *build_endpoints(const struct kobj *route, const struct route_host *host,
                                    const struct load_balancer *lb)
{
    struct kmut *m = kmut_new(&KR_ENDPOINTS, kobj_namespace(route), host->hostname);
    yyjson_mut_val *subset = jm_add_obj(m->d, jm_arr(KM(m), "subsets"));

    set_metadata(m, route);
    jm_set_str(m->d, jm_add_obj(m->d, jm_arr(m->d, subset, "addresses")), lb->address, "ip");
    add_port(m, jm_arr(m->d, subset, "ports"), PORT_NAME, false);
    return m;
}

/* ---- writes ---- */
static bool is_type(const struct kobj *service, const char *type)
{
    const char *have = jget_str(kobj_root(service), "spec", "type");

    return streq(have ? have : "ClusterIP", type);
}

/* Changes that the API does not allow in place. */
static bool must_recreate(const struct kobj *live, const struct load_balancer *lb)
{
    const char *ip = jget_str(kobj_root(live), "spec", "clusterIP");

    if (!ip || !*ip)
        return false;
    return lb->kind == LB_DOMAIN || (lb->kind == LB_IP) != streq(ip, "None");
}

/* An alias that becomes something else may not keep its target: the child is written without it. */
static void turn_alias(struct plan *p, const struct kobj *live, struct kmut *want)
{
    struct kmut *m = kmut_from(live);
    _cleanup_(kobj_unrefp) const struct kobj *w = kmut_freeze(want);

    jm_set_copy(KM(m), jget(kobj_root(w), "spec"), "spec");
    plan_update(p, &KR_SERVICE, m);
    kmut_free(want);
}

static void plan_service(struct plan *p, const struct route_hosts *h, const struct route_host *host,
                         const struct load_balancer *lb, const struct kobj *live)
{
    struct kmut *want = build_service(h->route, host, lb);

    if (!live) {
        plan_create(p, &KR_SERVICE, want);
        plan_event(p, &KR_ROUTE, h->route, "Normal", "Created",
                   "Created placeholder service \"%s\"", host->hostname);
    } else if (must_recreate(live, lb)) {
        plan_delete(p, &KR_SERVICE, kobj_namespace(live), kobj_name(live), kobj_uid(live));
        plan_create(p, &KR_SERVICE, want);
    } else if (is_type(live, "ExternalName") && lb->kind != LB_DOMAIN) {
        turn_alias(p, live, want);
    } else {
        plan_apply_child(p, &KR_SERVICE, h->route, live, want);
    }
}

enum placeholder_result placeholder_plan(struct plan *p, const struct route_hosts *h,
                                         const struct route_host *host,
                                         const struct load_balancer *lb,
                                         const struct placeholder_live *live)
{
    if (live->service && !kobj_controlled_by(live->service, h->route))
        return PLACEHOLDER_FOREIGN_SERVICE;
    if (lb->kind == LB_IP && live->endpoints && !kobj_controlled_by(live->endpoints, h->route))
        return PLACEHOLDER_FOREIGN_ENDPOINTS;
    if (live->service && lb->kind == LB_UNKNOWN)
        return PLACEHOLDER_OK;
    plan_service(p, h, host, lb, live->service);
    if (lb->kind == LB_IP)
        plan_apply_child(p, &KR_ENDPOINTS, h->route, live->endpoints,
                         build_endpoints(h->route, host, lb));
    return PLACEHOLDER_OK;
}

static bool wanted(const route_host_vec *hosts, const char *name)
{
    for (size_t i = 0; i < hosts->n; i++) {
        if (streq(hosts->p[i].hostname, name))
            return true;
    }
    return false;
}

void placeholder_plan_orphans(struct plan *p, const struct kobj *route, const route_host_vec *hosts,
                              const struct cache *services, const struct cache *endpoints)
{
    const char *ns = kobj_namespace(route);
    kobj_vec owned = {0};

    cache_list_by(services, "owner", kobj_uid(route), &owned);
    for (size_t i = 0; i < owned.n; i++) {
        const struct kobj *s = owned.p[i];
        if (!streq(kobj_label(s, L_ROUTE), kobj_name(route)) || wanted(hosts, kobj_name(s)))
            continue;
        const struct kobj *ep = cache_get(endpoints, ns, kobj_name(s));
        plan_delete(p, &KR_SERVICE, ns, kobj_name(s), kobj_uid(s));
        if (ep && kobj_controlled_by(ep, route))
            plan_delete(p, &KR_ENDPOINTS, ns, kobj_name(ep), kobj_uid(ep));
    }
    vec_done(&owned);
}
