/*
 * Service with a selector -> Endpoints of the pods it selects. A Service without one, and Endpoints
 * that someone else controls or wrote, are left alone.
 *
 * A pod changes several times on its way to Ready and there may be thousands of Services, so the
 * two find each other through indices: a Service is indexed by one pair of its selector (the
 * longest, which is likely to be the rarest), a pod by each of its labels.
 */
#include <stdio.h>

#include "cluster/workload/workload_internal.h"
#include "kube/selector.h"

#define INDEX_PAIR   "pair"
#define LONGEST_PAIR 512 /* a namespace, a label's key and its value */

/* ---- Services and pods find each other ---- */

static bool selects(yyjson_val *spec)
{
    return yyjson_obj_size(jget(spec, "selector")) > 0 &&
           !streq(jget_str(spec, "type"), "ExternalName");
}

static void pair_key(char key[static LONGEST_PAIR], const char *ns, yyjson_val *k, yyjson_val *v)
{
    snprintf(key, LONGEST_PAIR, "%s/%s=%s", ns, yyjson_get_str(k),
             yyjson_is_str(v) ? yyjson_get_str(v) : "");
}

static bool service_pair(const struct kobj *service, char key[static LONGEST_PAIR])
{
    yyjson_val *spec = jget(kobj_root(service), "spec"), *k, *v;
    size_t i, max, longest = 0;
    bool found = false;

    if (!selects(spec))
        return false;
    yyjson_obj_foreach(jget(spec, "selector"), i, max, k, v)
    {
        if (found && yyjson_get_len(v) <= longest)
            continue;
        longest = yyjson_get_len(v);
        pair_key(key, kobj_namespace(service), k, v);
        found = true;
    }
    return found;
}

static void index_service(const struct kobj *o, void (*emit)(void *to, const char *key), void *to)
{
    char key[LONGEST_PAIR];

    if (service_pair(o, key))
        emit(to, key);
}

static void index_pod(const struct kobj *o, void (*emit)(void *to, const char *key), void *to)
{
    yyjson_val *labels = jget(kobj_root(o), "metadata", "labels"), *k, *v;
    size_t i, max;
    char key[LONGEST_PAIR];

    yyjson_obj_foreach(labels, i, max, k, v)
    {
        pair_key(key, kobj_namespace(o), k, v);
        emit(to, key);
    }
}

void endpoints_add_indices(struct cache *services, struct cache *pods)
{
    cache_add_index(services, INDEX_PAIR, index_service);
    cache_add_index(pods, INDEX_PAIR, index_pod);
}

struct emission {
    const struct kobj *pod;
    void (*emit)(void *to, const char *ns, const char *name);
    void *to;
};

static int emit_if_selected(void *ctx, const struct kobj *service)
{
    struct emission *em = ctx;
    _cleanup_(selector_freep) struct selector *s =
        selector_from_map(jget(kobj_root(service), "spec", "selector"));

    if (selector_matches(s, jget(kobj_root(em->pod), "metadata", "labels")))
        em->emit(em->to, kobj_namespace(service), kobj_name(service));
    return 0;
}

static void services_of_pod(void *ctx, const struct kobj *pod,
                            void (*emit)(void *to, const char *ns, const char *name), void *to)
{
    struct workload *w = ctx;
    struct emission em = {pod, emit, to};
    yyjson_val *labels = jget(kobj_root(pod), "metadata", "labels"), *k, *v;
    size_t i, max;
    char key[LONGEST_PAIR];

    yyjson_obj_foreach(labels, i, max, k, v)
    {
        pair_key(key, kobj_namespace(pod), k, v);
        cache_each_by(manager_cache(w->m, &KR_SERVICE), INDEX_PAIR, key, emit_if_selected, &em);
    }
}

/* ---- pods become addresses ---- */

static bool is_candidate(const struct kobj *pod)
{
    const char *phase = jget_str(kobj_root(pod), "status", "phase"), *ip;

    ip = jget_str(kobj_root(pod), "status", "podIP");
    return ip && *ip && !kobj_deleting(pod) && !streq(phase, "Succeeded") &&
           !streq(phase, "Failed");
}

/* The number behind a targetPort: itself, or that of the container port with this name; 0 when
 * there is none. */
static int64_t target_port(yyjson_val *port, const struct kobj *pod)
{
    yyjson_val *target = jget(port, "targetPort"),
               *containers = jget(kobj_root(pod), "spec", "containers");
    const char *protocol = jget_str(port, "protocol");
    size_t i, max, k, kmax;
    yyjson_val *c, *cp;

    if (!target || (yyjson_is_int(target) && yyjson_get_sint(target) == 0))
        return jget_int(port, 0, "port");
    if (yyjson_is_int(target))
        return yyjson_get_sint(target);
    yyjson_arr_foreach(containers, i, max, c)
    {
        yyjson_arr_foreach(jget(c, "ports"), k, kmax, cp)
        {
            const char *its = jget_str(cp, "protocol");
            if (streq(jget_str(cp, "name"), yyjson_get_str(target)) &&
                streq(its ? its : "TCP", protocol ? protocol : "TCP"))
                return jget_int(cp, 0, "containerPort");
        }
    }
    return 0;
}

static void add_port(struct kmut *m, yyjson_mut_val *ports, yyjson_val *port, int64_t number)
{
    yyjson_mut_val *o = jm_add_obj(m->d, ports);
    const char *protocol = jget_str(port, "protocol");

    if (jget_str(port, "name"))
        jm_set_str(m->d, o, jget_str(port, "name"), "name");
    jm_set_int(m->d, o, number, "port");
    jm_set_str(m->d, o, protocol ? protocol : "TCP", "protocol");
    if (jget_str(port, "appProtocol"))
        jm_set_str(m->d, o, jget_str(port, "appProtocol"), "appProtocol");
}

static yyjson_mut_val *ports_of(struct kmut *m, yyjson_val *service_ports, const struct kobj *pod)
{
    yyjson_mut_val *ports = yyjson_mut_arr(m->d);
    size_t i, max;
    yyjson_val *port;

    yyjson_arr_foreach(service_ports, i, max, port)
    {
        int64_t number = target_port(port, pod);
        if (number > 0)
            add_port(m, ports, port, number);
    }
    return ports;
}

static void add_address(struct kmut *m, yyjson_mut_val *list, const struct kobj *pod)
{
    yyjson_mut_val *a = jm_add_obj(m->d, list);
    const char *node = jget_str(kobj_root(pod), "spec", "nodeName");

    jm_set_str(m->d, a, jget_str(kobj_root(pod), "status", "podIP"), "ip");
    if (node)
        jm_set_str(m->d, a, node, "nodeName");
    jm_set_str(m->d, a, "Pod", "targetRef", "kind");
    jm_set_str(m->d, a, kobj_namespace(pod), "targetRef", "namespace");
    jm_set_str(m->d, a, kobj_name(pod), "targetRef", "name");
    jm_set_str(m->d, a, kobj_uid(pod), "targetRef", "uid");
}

/* The subset with these ports: pods can resolve a named port to different numbers. */
static yyjson_mut_val *subset_for(struct kmut *m, yyjson_mut_val *subsets, yyjson_mut_val *ports)
{
    yyjson_mut_val *s;
    size_t i, max;

    yyjson_mut_arr_foreach(subsets, i, max, s)
    {
        yyjson_mut_val *its = jm_get(s, "ports");
        if (its ? yyjson_mut_equals(its, ports) : yyjson_mut_arr_size(ports) == 0)
            return s;
    }
    s = jm_add_obj(m->d, subsets);
    if (yyjson_mut_arr_size(ports))
        jm_set(m->d, s, ports, "ports");
    return s;
}

static int by_ip(const void *a, const void *b)
{
    const struct kobj *x = *(const struct kobj *const *)a, *y = *(const struct kobj *const *)b;
    int r = strcmp(jget_str(kobj_root(x), "status", "podIP"),
                   jget_str(kobj_root(y), "status", "podIP"));

    return r ? r : strcmp(kobj_name(x), kobj_name(y));
}

static void fill_subsets(struct kmut *m, const struct kobj *service, const kobj_vec *pods)
{
    yyjson_val *spec = jget(kobj_root(service), "spec");
    bool all = jget_bool(spec, false, "publishNotReadyAddresses");
    yyjson_mut_val *subsets = jm_arr(KM(m), "subsets");

    for (size_t i = 0; i < pods->n; i++) {
        yyjson_mut_val *ports = ports_of(m, jget(spec, "ports"), pods->p[i]);
        if (yyjson_arr_size(jget(spec, "ports")) && !yyjson_mut_arr_size(ports))
            continue;
        bool ready = all || kobj_condition_is(pods->p[i], "Ready", "True");
        yyjson_mut_val *s = subset_for(m, subsets, ports);
        add_address(m, jm_arr(m->d, s, ready ? "addresses" : "notReadyAddresses"), pods->p[i]);
    }
}

struct collection {
    const struct selector *selector;
    kobj_vec *pods;
};

static int collect(void *ctx, const struct kobj *pod)
{
    struct collection *c = ctx;

    if (is_candidate(pod) &&
        selector_matches(c->selector, jget(kobj_root(pod), "metadata", "labels")))
        vec_push(c->pods, pod);
    return 0;
}

static void selected_pods(const struct reconcile_ctx *rc, kobj_vec *pods)
{
    _cleanup_(selector_freep) struct selector *s =
        selector_from_map(jget(kobj_root(rc->obj), "spec", "selector"));
    char key[LONGEST_PAIR];

    if (service_pair(rc->obj, key))
        cache_each_by(manager_cache(rc->m, &KR_POD), INDEX_PAIR, key, collect,
                      &(struct collection){s, pods});
    if (pods->n)
        qsort(pods->p, pods->n, sizeof(*pods->p), by_ip);
}

void endpoints_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    kobj_vec pods = {0};

    if (!rc->obj || kobj_deleting(rc->obj) || !selects(jget(kobj_root(rc->obj), "spec")))
        return;
    selected_pods(rc, &pods);
    struct kmut *want = kmut_new(&KR_ENDPOINTS, rc->ns, rc->name);
    if (jget(kobj_root(rc->obj), "metadata", "labels"))
        jm_set_copy(KM(want), jget(kobj_root(rc->obj), "metadata", "labels"), "metadata", "labels");
    fill_subsets(want, rc->obj, &pods);
    plan_apply_child(p, &KR_ENDPOINTS, rc->obj,
                     cache_get(manager_cache(rc->m, &KR_ENDPOINTS), rc->ns, rc->name), want);
    vec_done(&pods);
}

void endpoints_controller_register(struct workload *w)
{
    endpoints_add_indices(manager_cache(w->m, &KR_SERVICE), manager_cache(w->m, &KR_POD));
    struct controller *c = controller_new(
        w->m,
        &(struct controller_opts){
            .name = "endpoints", .res = &KR_SERVICE, .reconcile = endpoints_reconcile, .ctx = w});
    controller_watch_owned(c, &KR_ENDPOINTS);
    controller_watch_mapped(c, &KR_POD, services_of_pod, w);
}
