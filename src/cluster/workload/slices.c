/*
 * EndpointSlices: of the pods that a Service selects, and, for a Service without a selector, of the
 * Endpoints that somebody wrote for it (mirrored as Kubernetes does, so that a reader of slices
 * misses nothing). Slices that others manage are left alone; a Service can have both.
 *
 * Endpoints without a Service are nobody's: they are not mirrored.
 */
#include "kube/slices.h"
#include "cluster/workload/limits.h"
#include "cluster/workload/selection.h"
#include "cluster/workload/slice_set.h"
#include "cluster/workload/workload_internal.h"

#define MANAGER        "endpointslice-controller.k8s.io"
#define MIRROR_MANAGER "endpointslicemirroring-controller.k8s.io"
#define L_SKIP_MIRROR  "endpointslice.kubernetes.io/skip-mirror"
#define A_LEADER       "control-plane.alpha.kubernetes.io/leader"

/* ---- of pods ---- */

static yyjson_mut_val *ports_of(struct slice_set *s, yyjson_val *service_ports,
                                const struct kobj *pod)
{
    yyjson_mut_val *ports = yyjson_mut_arr(slice_set_doc(s));
    size_t i, max;
    yyjson_val *port;

    yyjson_arr_foreach(service_ports, i, max, port)
    {
        int64_t number = target_port(port, pod);
        if (number > 0)
            slice_set_port(s, ports, port, number);
    }
    return ports;
}

static void refer_to(yyjson_mut_doc *d, yyjson_mut_val *endpoint, const struct kobj *pod)
{
    jm_set_str(d, endpoint, "Pod", "targetRef", "kind");
    jm_set_str(d, endpoint, kobj_namespace(pod), "targetRef", "namespace");
    jm_set_str(d, endpoint, kobj_name(pod), "targetRef", "name");
    jm_set_str(d, endpoint, kobj_uid(pod), "targetRef", "uid");
}

static void add_pod(struct slice_set *s, const struct kobj *service, const struct kobj *pod)
{
    yyjson_val *spec = jget(kobj_root(service), "spec"), *mine = jget(kobj_root(pod), "spec");
    yyjson_mut_val *ports = ports_of(s, jget(spec, "ports"), pod);
    bool serving = kobj_condition_is(pod, "Ready", "True"), terminating = kobj_deleting(pod);
    bool named = streq(jget_str(mine, "subdomain"), kobj_name(service));
    struct slice_endpoint_facts f = {
        .ip = jget_str(kobj_root(pod), "status", "podIP"),
        .hostname = named ? jget_str(mine, "hostname") : NULL,
        .node = jget_str(mine, "nodeName"),
        .uid = kobj_uid(pod),
        .ready = jget_bool(spec, false, "publishNotReadyAddresses") || (serving && !terminating),
        .serving = serving,
        .terminating = terminating,
    };

    if (yyjson_arr_size(jget(spec, "ports")) && !yyjson_mut_arr_size(ports))
        return;
    yyjson_mut_val *endpoint = slice_set_add(s, ports, &f);
    if (endpoint)
        refer_to(slice_set_doc(s), endpoint, pod);
}

static void live_slices(const struct reconcile_ctx *rc, kobj_vec *ret)
{
    slices_of_service(manager_cache(rc->m, &KR_ENDPOINTSLICE), rc->ns, rc->name, ret);
}

void slices_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    _cleanup_(slice_set_freep) struct slice_set *s = slice_set_new();
    kobj_vec pods = {0}, live = {0};

    if (!rc->obj || kobj_deleting(rc->obj))
        return;
    yyjson_val *spec = jget(kobj_root(rc->obj), "spec");
    bool selects = service_selects(spec);
    struct slice_owner o = {
        .owner = rc->obj,
        .service = rc->name,
        .manager = MANAGER,
        .labels = jget(kobj_root(rc->obj), "metadata", "labels"),
        .headless = streq(jget_str(spec, "clusterIP"), "None"),
        .placeholder = selects,
    };
    if (selects)
        selected_pods(rc->m, rc->obj, &pods);
    for (size_t i = 0; i < pods.n; i++)
        add_pod(s, rc->obj, pods.p[i]);
    live_slices(rc, &live);
    slice_set_plan(s, &o, &live, p);
    vec_done(&live);
    vec_done(&pods);
}

/* ---- of Endpoints ---- */

static void add_address(struct slice_set *s, yyjson_mut_val *ports, yyjson_val *address, bool ready)
{
    yyjson_val *target = jget(address, "targetRef");
    struct slice_endpoint_facts f = {
        .ip = jget_str(address, "ip"),
        .hostname = jget_str(address, "hostname"),
        .node = jget_str(address, "nodeName"),
        .uid = jget_str(target, "uid"),
        .ready = ready,
        .serving = ready,
    };
    yyjson_mut_val *endpoint = f.ip && *f.ip ? slice_set_add(s, ports, &f) : NULL;

    if (endpoint && target)
        jm_set_copy(slice_set_doc(s), endpoint, target, "targetRef");
}

static void add_addresses(struct slice_set *s, yyjson_mut_val *ports, yyjson_val *subset,
                          const char *list, bool ready)
{
    yyjson_val *address;
    size_t i, max;

    yyjson_arr_foreach(jget(subset, list), i, max, address)
    {
        if (i < LIMIT_MIRRORED)
            add_address(s, ports, address, ready);
    }
}

static void add_subset(struct slice_set *s, yyjson_val *subset)
{
    yyjson_mut_val *ports = yyjson_mut_arr(slice_set_doc(s));
    yyjson_val *port;
    size_t i, max;

    yyjson_arr_foreach(jget(subset, "ports"), i, max, port)
    {
        slice_set_port(s, ports, port, jget_int(port, 0, "port"));
    }
    add_addresses(s, ports, subset, "addresses", true);
    add_addresses(s, ports, subset, "notReadyAddresses", false);
}

static bool is_mirrored(const struct kobj *service, const struct kobj *endpoints)
{
    yyjson_val *spec = jget(kobj_root(service), "spec");

    return service && yyjson_obj_size(jget(spec, "selector")) == 0 &&
           !streq(jget_str(spec, "type"), "ExternalName") &&
           !streq(kobj_label(endpoints, L_SKIP_MIRROR), "true") &&
           !kobj_annotation(endpoints, A_LEADER);
}

void mirror_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    _cleanup_(slice_set_freep) struct slice_set *s = slice_set_new();
    const struct kobj *service = cache_get(manager_cache(rc->m, &KR_SERVICE), rc->ns, rc->name);
    kobj_vec live = {0};
    yyjson_val *subset;
    size_t i, max;

    if (!rc->obj || kobj_deleting(rc->obj))
        return;
    struct slice_owner o = {
        .owner = rc->obj,
        .service = rc->name,
        .manager = MIRROR_MANAGER,
        .labels = jget(kobj_root(rc->obj), "metadata", "labels"),
        .headless = streq(jget_str(kobj_root(service), "spec", "clusterIP"), "None"),
    };
    if (is_mirrored(service, rc->obj)) {
        yyjson_arr_foreach(jget(kobj_root(rc->obj), "subsets"), i, max, subset)
        {
            add_subset(s, subset);
        }
    }
    live_slices(rc, &live);
    slice_set_plan(s, &o, &live, p);
    vec_done(&live);
}

/* ---- wiring ---- */

static void of_same_name(void *ctx, const struct kobj *o,
                         void (*emit)(void *to, const char *ns, const char *name), void *to)
{
    emit(to, kobj_namespace(o), kobj_name(o));
}

void slices_controllers_register(struct workload *w)
{
    slices_add_index(manager_cache(w->m, &KR_ENDPOINTSLICE));
    struct controller *c = controller_new(
        w->m,
        &(struct controller_opts){
            .name = "endpointslice", .res = &KR_SERVICE, .reconcile = slices_reconcile, .ctx = w});
    controller_watch_owned(c, &KR_ENDPOINTSLICE);
    controller_watch_mapped(c, &KR_POD, services_of_pod, w->m);
    c = controller_new(w->m, &(struct controller_opts){.name = "endpointslice-mirror",
                                                       .res = &KR_ENDPOINTS,
                                                       .reconcile = mirror_reconcile,
                                                       .ctx = w});
    controller_watch_owned(c, &KR_ENDPOINTSLICE);
    controller_watch_mapped(c, &KR_SERVICE, of_same_name, w);
}
