/*
 * One entry per revision that has a Revision object or a usable pod. Either may come first: pods
 * without their Revision wait here, since limits and timeouts are the Revision's.
 */
#include "plugin/ingress/gateway/backends.h"

#include "base/map.h"
#include "base/vec.h"
#include "contract/names.h"

#define USER_PORT    "user-port"
#define SERVICE_PORT 80

struct settings {
    int container_concurrency;
    uint64_t timeout_ms, response_start_ms, idle_ms;
};

struct member {
    char *pod, *ip;
    int port;
};

struct backend {
    char *ns, *revision;
    bool known; /* the Revision exists */
    struct settings settings;
    VEC(struct member) members;
};

struct backends {
    struct loop *loop;
    struct dataplane *dp;
    struct map *by_key;
    bool live;
};

static void member_done(struct member *m)
{
    free(m->pod);
    free(m->ip);
}

static void backend_free(void *p)
{
    struct backend *b = p;

    for (size_t i = 0; i < b->members.n; i++)
        member_done(&b->members.p[i]);
    vec_done(&b->members);
    free(b->ns);
    free(b->revision);
    free(b);
}

struct backends *backends_new(struct loop *l, struct dataplane *dp)
{
    struct backends *b = xnew(struct backends);

    b->loop = l;
    b->dp = dp;
    b->by_key = map_new(backend_free);
    return b;
}

void backends_free(struct backends *b)
{
    if (!b)
        return;
    map_free(b->by_key);
    free(b);
}

static struct backend *get(struct backends *b, const char *ns, const char *revision)
{
    _cleanup_free_ char *key = kube_key(ns, revision);
    struct backend *x = map_get(b->by_key, key);

    if (!x) {
        x = xnew(struct backend);
        x->ns = xstrdup(ns);
        x->revision = xstrdup(revision);
        map_set(b->by_key, key, x);
    }
    return x;
}

static void drop_if_empty(struct backends *b, struct backend *x)
{
    if (x->known || x->members.n)
        return;
    _cleanup_free_ char *key = kube_key(x->ns, x->revision);
    map_del(b->by_key, key);
}

static void push(struct backends *b, const struct backend *x)
{
    if (!b->live || !x->known)
        return;
    _cleanup_free_ struct dp_endpoint *endpoints = xcalloc(x->members.n + 1, sizeof(*endpoints));
    for (size_t i = 0; i < x->members.n; i++) {
        const struct member *m = &x->members.p[i];
        endpoints[i] = (struct dp_endpoint){m->ip, m->port, m->pod};
    }
    struct dp_backend set = {
        .ns = x->ns,
        .service = x->revision, /* of the same name, as the serving layer makes it */
        .port = SERVICE_PORT,
        .revision = x->revision,
        .container_concurrency = x->settings.container_concurrency,
        .timeout_ms = x->settings.timeout_ms,
        .response_start_timeout_ms = x->settings.response_start_ms,
        .idle_timeout_ms = x->settings.idle_ms,
        .endpoints = endpoints,
        .n_endpoints = x->members.n,
    };
    dp_set_backend(b->dp, &set, b->loop, NULL, NULL);
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

static void revision_gone(struct backends *b, const struct kobj *revision)
{
    struct backend *x = get(b, kobj_namespace(revision), kobj_name(revision));

    if (x->known && b->live)
        dp_remove_backend(b->dp, x->ns, x->revision, SERVICE_PORT);
    x->known = false;
    drop_if_empty(b, x);
}

void backends_on_revision(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct backends *b = ctx;

    if (!after) {
        revision_gone(b, before);
        return;
    }
    struct settings s = settings_of(after);
    struct backend *x = get(b, kobj_namespace(after), kobj_name(after));
    if (x->known && same_settings(&s, &x->settings))
        return;
    x->known = true;
    x->settings = s;
    push(b, x);
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

static struct member *find(struct backend *x, const char *pod, size_t *ret_at)
{
    for (size_t i = 0; i < x->members.n; i++) {
        if (streq(x->members.p[i].pod, pod)) {
            *ret_at = i;
            return &x->members.p[i];
        }
    }
    return NULL;
}

static bool leave(struct backend *x, const char *pod)
{
    size_t at = 0;
    struct member *m = find(x, pod, &at);

    if (!m)
        return false;
    member_done(m);
    vec_remove(&x->members, at);
    return true;
}

static bool join(struct backend *x, const char *pod, const char *ip, int port)
{
    size_t at = 0;
    struct member *m = find(x, pod, &at);

    if (m && streq(m->ip, ip) && m->port == port)
        return false;
    leave(x, pod);
    vec_push(&x->members, ((struct member){xstrdup(pod), xstrdup(ip), port}));
    return true;
}

static void pod_changed(struct backends *b, const char *revision, const struct kobj *about,
                        const struct kobj *pod)
{
    const char *ip;
    int port;
    struct backend *x = get(b, kobj_namespace(about), revision);
    bool changed =
        usable(pod, &ip, &port) ? join(x, kobj_name(about), ip, port) : leave(x, kobj_name(about));

    if (changed)
        push(b, x);
    drop_if_empty(b, x);
}

void backends_on_pod(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct backends *b = ctx;
    const char *was = kobj_label(before, L_REVISION), *is = kobj_label(after, L_REVISION);

    if (was && !streq(was, is))
        pod_changed(b, was, before, NULL);
    if (is)
        pod_changed(b, is, after, after);
}

void backends_on_synced(void *ctx)
{
    struct backends *b = ctx;
    struct backend *x;

    b->live = true;
    for (size_t it = 0; map_next(b->by_key, &it, NULL, &x);)
        push(b, x);
}
