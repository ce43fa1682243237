/*
 * One entry per revision that has a Revision object or a usable pod. Either may come first: pods
 * without their Revision wait here, since limits and timeouts are the Revision's.
 */
#include "plugin/ingress/gateway/revisions.h"

#include "base/map.h"
#include "base/vec.h"
#include "contract/names.h"

#define USER_PORT "user-port"

struct settings {
    int container_concurrency;
    uint64_t timeout_ms, response_start_ms, idle_ms;
};

struct member {
    char *pod, *ip;
    int port;
};

struct revision {
    char *ns, *revision;
    bool known; /* the Revision exists */
    struct settings settings;
    VEC(struct member) members;
};

struct revisions {
    struct revisions_opts o;
    struct map *by_key;
    bool live; /* what is known is given to the data plane */
};

static void member_done(struct member *m)
{
    free(m->pod);
    free(m->ip);
}

static void revision_free(void *p)
{
    struct revision *x = p;

    for (size_t i = 0; i < x->members.n; i++)
        member_done(&x->members.p[i]);
    vec_done(&x->members);
    free(x->ns);
    free(x->revision);
    free(x);
}

static struct revision *get(struct revisions *all, const char *ns, const char *revision)
{
    _cleanup_free_ char *key = kube_key(ns, revision);
    struct revision *x = map_get(all->by_key, key);

    if (!x) {
        x = xnew(struct revision);
        x->ns = xstrdup(ns);
        x->revision = xstrdup(revision);
        map_set(all->by_key, key, x);
    }
    return x;
}

static void drop_if_empty(struct revisions *all, struct revision *x)
{
    if (x->known || x->members.n)
        return;
    _cleanup_free_ char *key = kube_key(x->ns, x->revision);
    map_del(all->by_key, key);
}

static void push(struct revisions *all, const struct revision *x)
{
    if (!all->live || !x->known)
        return;
    _cleanup_free_ struct dp_endpoint *endpoints = xcalloc(x->members.n + 1, sizeof(*endpoints));
    for (size_t i = 0; i < x->members.n; i++) {
        const struct member *m = &x->members.p[i];
        endpoints[i] = (struct dp_endpoint){m->ip, m->port, m->pod};
    }
    struct dp_backend set = {
        .ns = x->ns,
        .service = x->revision,
        .port = PORT_REVISION,
        .revision = x->revision,
        .container_concurrency = x->settings.container_concurrency,
        .timeout_ms = x->settings.timeout_ms,
        .response_start_timeout_ms = x->settings.response_start_ms,
        .idle_timeout_ms = x->settings.idle_ms,
        .endpoints = endpoints,
        .n_endpoints = x->members.n,
    };
    dp_set_backend(all->o.dataplane, &set, manager_loop(all->o.manager), NULL, NULL);
}

/* ---- Revisions ---- */
static uint64_t seconds(const yyjson_val *spec, const char *key)
{
    int64_t s = jget_int(spec, 0, key);

    return s > 0 ? (uint64_t)s * 1000 : 0;
}

static struct settings settings_of(const struct kobj *revision)
{
    yyjson_val *spec = jget(kobj_root(revision), "spec");
    int64_t limit = jget_int(spec, 0, "containerConcurrency");

    return (struct settings){
        .container_concurrency = limit > 0 && limit <= INT32_MAX ? (int)limit : 0,
        .timeout_ms = seconds(spec, "timeoutSeconds"),
        .response_start_ms = seconds(spec, "responseStartTimeoutSeconds"),
        .idle_ms = seconds(spec, "idleTimeoutSeconds"),
    };
}

static bool same_settings(const struct settings *a, const struct settings *b)
{
    return a->container_concurrency == b->container_concurrency && a->timeout_ms == b->timeout_ms &&
           a->response_start_ms == b->response_start_ms && a->idle_ms == b->idle_ms;
}

static void tell_known(struct revisions *all, const struct kobj *revision)
{
    if (all->live)
        all->o.on_known(all->o.ctx, kobj_namespace(revision), kobj_name(revision));
}

static void revision_gone(struct revisions *all, const struct kobj *revision)
{
    struct revision *x = get(all, kobj_namespace(revision), kobj_name(revision));

    bool was = x->known;

    if (was && all->live)
        dp_remove_backend(all->o.dataplane, x->ns, x->revision, PORT_REVISION);
    x->known = false;
    drop_if_empty(all, x);
    if (was)
        tell_known(all, revision);
}

/* One on its way out takes no requests: nothing would start a pod for them. */
void revisions_on_revision(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct revisions *all = ctx;

    if (!after || kobj_deleting(after)) {
        revision_gone(all, after ? after : before);
        return;
    }
    struct settings s = settings_of(after);
    struct revision *x = get(all, kobj_namespace(after), kobj_name(after));
    bool known = x->known;
    if (known && same_settings(&s, &x->settings))
        return;
    x->known = true;
    x->settings = s;
    push(all, x);
    if (!known)
        tell_known(all, after);
}

/* ---- Pods ---- */
static int user_port(const struct kobj *pod)
{
    yyjson_val *container, *port;
    size_t i, max, j, max_port;

    yyjson_arr_foreach(jget(kobj_root(pod), "spec", "containers"), i, max, container)
    {
        yyjson_arr_foreach(jget(container, "ports"), j, max_port, port)
        {
            if (streq(jget_str(port, "name"), USER_PORT))
                return (int)jget_int(port, 0, "containerPort");
        }
    }
    return 0;
}

/* Whether it takes requests; then where. */
static bool usable(const struct kobj *pod, const char **ret_ip, int *ret_port)
{
    if (!pod || kobj_deleting(pod) || !kobj_condition_is(pod, "Ready", "True"))
        return false;
    *ret_ip = jget_str(kobj_root(pod), "status", "podIP");
    *ret_port = user_port(pod);
    return *ret_ip && **ret_ip && *ret_port > 0;
}

static struct member *find(struct revision *x, const char *pod, size_t *ret_at)
{
    for (size_t i = 0; i < x->members.n; i++) {
        if (streq(x->members.p[i].pod, pod)) {
            *ret_at = i;
            return &x->members.p[i];
        }
    }
    return NULL;
}

static bool leave(struct revision *x, const char *pod)
{
    size_t at = 0;
    struct member *m = find(x, pod, &at);

    if (!m)
        return false;
    member_done(m);
    vec_remove(&x->members, at);
    return true;
}

static bool join(struct revision *x, const char *pod, const char *ip, int port)
{
    size_t at = 0;
    struct member *m = find(x, pod, &at);

    if (m && streq(m->ip, ip) && m->port == port)
        return false;
    leave(x, pod);
    vec_push(&x->members, ((struct member){xstrdup(pod), xstrdup(ip), port}));
    return true;
}

static void pod_changed(struct revisions *all, const char *revision, const struct kobj *about,
                        const struct kobj *pod)
{
    const char *ip;
    int port;
    struct revision *x = get(all, kobj_namespace(about), revision);
    bool changed =
        usable(pod, &ip, &port) ? join(x, kobj_name(about), ip, port) : leave(x, kobj_name(about));

    if (changed)
        push(all, x);
    drop_if_empty(all, x);
}

void revisions_on_pod(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct revisions *all = ctx;
    const char *was = kobj_label(before, L_REVISION), *is = kobj_label(after, L_REVISION);

    if (was && !streq(was, is))
        pod_changed(all, was, before, NULL);
    if (is)
        pod_changed(all, is, after, after);
}

void revisions_on_synced(void *ctx)
{
    struct revisions *all = ctx;
    struct revision *x;

    all->live = true;
    for (size_t it = 0; map_next(all->by_key, &it, NULL, &x);)
        push(all, x);
}

/* ---- as a source ---- */
static const char *revision_of(const struct kobj *service)
{
    yyjson_val *owner = kobj_controller(service);

    return streq(jget_str(owner, "kind"), KR_SKS.kind) ? kobj_label(service, L_REVISION) : NULL;
}

static bool owns(void *self, const struct kobj *service)
{
    return revision_of(service) != NULL;
}

static enum backend_state resolve(void *self, const struct kobj *service, yyjson_val *port,
                                  struct backend_key *ret)
{
    const struct revisions *all = self;
    const char *revision = revision_of(service);
    _cleanup_free_ char *key = kube_key(kobj_namespace(service), revision);
    const struct revision *x = map_get(all->by_key, key);

    if (!x || !x->known)
        return BACKEND_NO_REVISION;
    *ret = (struct backend_key){revision, PORT_REVISION};
    return BACKEND_SERVED;
}

const struct endpoint_source revision_source = {
    .name = "revision", .owns = owns, .resolve = resolve};

/* ---- life ---- */
struct revisions *revisions_new(const struct revisions_opts *o)
{
    struct revisions *all = xnew(struct revisions);

    all->o = *o;
    all->by_key = map_new(revision_free);
    manager_on_change(o->manager, &KR_REVISION, revisions_on_revision, all);
    manager_on_change(o->manager, &KR_POD, revisions_on_pod, all);
    manager_on_synced(o->manager, revisions_on_synced, all);
    return all;
}

void revisions_free(struct revisions *all)
{
    if (!all)
        return;
    map_free(all->by_key);
    free(all);
}
