/* The index narrows down; the whole selector decides. */
#include "cluster/workload/selection.h"

#include <stdio.h>

#include "kube/selector.h"

#define INDEX_PAIR   "pair"
#define LONGEST_PAIR 512 /* a namespace, a label's key and its value */

bool service_selects(yyjson_val *spec)
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

    if (!service_selects(spec))
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

void selection_add_indices(struct cache *services, struct cache *pods)
{
    cache_add_index(services, INDEX_PAIR, index_service);
    cache_add_index(pods, INDEX_PAIR, index_pod);
}

/* ---- from a pod to Services ---- */

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

void services_of_pod(void *ctx, const struct kobj *pod,
                     void (*emit)(void *to, const char *ns, const char *name), void *to)
{
    struct manager *m = ctx;
    struct emission em = {pod, emit, to};
    yyjson_val *labels = jget(kobj_root(pod), "metadata", "labels"), *k, *v;
    size_t i, max;
    char key[LONGEST_PAIR];

    yyjson_obj_foreach(labels, i, max, k, v)
    {
        pair_key(key, kobj_namespace(pod), k, v);
        cache_each_by(manager_cache(m, &KR_SERVICE), INDEX_PAIR, key, emit_if_selected, &em);
    }
}

/* ---- from a Service to pods ---- */

static bool has_address(const struct kobj *pod)
{
    const char *phase = jget_str(kobj_root(pod), "status", "phase");
    const char *ip = jget_str(kobj_root(pod), "status", "podIP");

    return ip && *ip && !streq(phase, "Succeeded") && !streq(phase, "Failed");
}

struct collection {
    const struct selector *selector;
    kobj_vec *pods;
};

static int collect(void *ctx, const struct kobj *pod)
{
    struct collection *c = ctx;

    if (has_address(pod) &&
        selector_matches(c->selector, jget(kobj_root(pod), "metadata", "labels")))
        vec_push(c->pods, pod);
    return 0;
}

static int by_ip(const void *a, const void *b)
{
    const struct kobj *x = *(const struct kobj *const *)a, *y = *(const struct kobj *const *)b;
    int r = strcmp(jget_str(kobj_root(x), "status", "podIP"),
                   jget_str(kobj_root(y), "status", "podIP"));

    return r ? r : strcmp(kobj_name(x), kobj_name(y));
}

void selected_pods(struct manager *m, const struct kobj *service, kobj_vec *ret)
{
    _cleanup_(selector_freep) struct selector *s =
        selector_from_map(jget(kobj_root(service), "spec", "selector"));
    char key[LONGEST_PAIR];

    if (service_pair(service, key))
        cache_each_by(manager_cache(m, &KR_POD), INDEX_PAIR, key, collect,
                      &(struct collection){s, ret});
    if (ret->n)
        qsort(ret->p, ret->n, sizeof(*ret->p), by_ip);
}

/* ---- ports ---- */

static int64_t named_port(const struct kobj *pod, const char *name, const char *protocol)
{
    yyjson_val *c, *port;
    size_t i, max, k, kmax;

    yyjson_arr_foreach(jget(kobj_root(pod), "spec", "containers"), i, max, c)
    {
        yyjson_arr_foreach(jget(c, "ports"), k, kmax, port)
        {
            const char *its = jget_str(port, "protocol");
            if (streq(jget_str(port, "name"), name) && streq(its ? its : "TCP", protocol))
                return jget_int(port, 0, "containerPort");
        }
    }
    return 0;
}

int64_t target_port(yyjson_val *port, const struct kobj *pod)
{
    yyjson_val *target = jget(port, "targetPort");
    const char *protocol = jget_str(port, "protocol");

    if (yyjson_is_str(target))
        return named_port(pod, yyjson_get_str(target), protocol ? protocol : "TCP");
    int64_t number = yyjson_is_int(target) ? yyjson_get_sint(target) : 0;
    return number ? number : jget_int(port, 0, "port");
}
