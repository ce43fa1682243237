/*
 * Service with a selector -> Endpoints of the pods it selects, for readers that know no
 * EndpointSlices. A Service without one, and Endpoints that someone else controls or wrote, are
 * left alone.
 */
#include "cluster/workload/selection.h"
#include "cluster/workload/workload_internal.h"

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

static void fill_subsets(struct kmut *m, const struct kobj *service, const kobj_vec *pods)
{
    yyjson_val *spec = jget(kobj_root(service), "spec");
    bool all = jget_bool(spec, false, "publishNotReadyAddresses");
    yyjson_mut_val *subsets = jm_arr(KM(m), "subsets");

    for (size_t i = 0; i < pods->n; i++) {
        if (kobj_deleting(pods->p[i]))
            continue;
        yyjson_mut_val *ports = ports_of(m, jget(spec, "ports"), pods->p[i]);
        if (yyjson_arr_size(jget(spec, "ports")) && !yyjson_mut_arr_size(ports))
            continue;
        bool ready = all || kobj_condition_is(pods->p[i], "Ready", "True");
        yyjson_mut_val *s = subset_for(m, subsets, ports);
        add_address(m, jm_arr(m->d, s, ready ? "addresses" : "notReadyAddresses"), pods->p[i]);
    }
}

void endpoints_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    kobj_vec pods = {0};

    if (!rc->obj || kobj_deleting(rc->obj) || !service_selects(jget(kobj_root(rc->obj), "spec")))
        return;
    selected_pods(rc->m, rc->obj, &pods);
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
    struct controller *c = controller_new(
        w->m,
        &(struct controller_opts){
            .name = "endpoints", .res = &KR_SERVICE, .reconcile = endpoints_reconcile, .ctx = w});
    controller_watch_owned(c, &KR_ENDPOINTS);
    controller_watch_mapped(c, &KR_POD, services_of_pod, w->m);
}
