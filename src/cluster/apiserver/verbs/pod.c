/*
 * A pod's subresources that the node serves: log, exec, attach, portforward. The options are
 * checked here; the exchange is the kubelet's then. Streams travel over WebSocket, which kubectl
 * has spoken by itself since 1.31 and client libraries for longer; SPDY is refused with a word on
 * that.
 */
#include "cluster/apiserver/verbs/pod_options.h"
#include "cluster/apiserver/verbs/verbs.h"

typedef int read_fn(const struct api_request *r, const struct kobj *pod, struct pod_options *o,
                    struct api_status *st);
typedef void serve_fn(const struct kubelet *k, struct http_exchange *x,
                      const struct pod_options *o);
struct service {
    const char *what;
    bool (*offered)(const struct kubelet_ops *ops);
    read_fn *read;
    serve_fn *serve;
    const char *const *protocols; /* NULL: no streams */
    const char **(*protocol)(struct pod_options *o);
};

/* ---- what is asked for ---- */
static int read_logs(const struct api_request *r, const struct kobj *pod, struct pod_options *o,
                     struct api_status *st)
{
    return pod_options_logs(http_query(r->x), pod, loop_wall_ns(r->env->core->loop), o, st);
}

static int read_exec(const struct api_request *r, const struct kobj *pod, struct pod_options *o,
                     struct api_status *st)
{
    return pod_options_exec(http_query(r->x), pod, o, st);
}

static int read_attach(const struct api_request *r, const struct kobj *pod, struct pod_options *o,
                       struct api_status *st)
{
    return pod_options_attach(http_query(r->x), pod, o, st);
}

static int read_forward(const struct api_request *r, const struct kobj *pod, struct pod_options *o,
                        struct api_status *st)
{
    return pod_options_forward(http_query(r->x), pod, o, st);
}

static bool has_logs(const struct kubelet_ops *ops)
{
    return ops->logs;
}

static bool has_exec(const struct kubelet_ops *ops)
{
    return ops->exec;
}

static bool has_attach(const struct kubelet_ops *ops)
{
    return ops->attach;
}

static bool has_forward(const struct kubelet_ops *ops)
{
    return ops->port_forward;
}

/* ---- who serves it ---- */
static void serve_logs(const struct kubelet *k, struct http_exchange *x,
                       const struct pod_options *o)
{
    k->ops->logs(k->ctx, x, &o->logs);
}

static void serve_exec(const struct kubelet *k, struct http_exchange *x,
                       const struct pod_options *o)
{
    k->ops->exec(k->ctx, x, &o->exec);
}

static void serve_attach(const struct kubelet *k, struct http_exchange *x,
                         const struct pod_options *o)
{
    k->ops->attach(k->ctx, x, &o->attach);
}

static void serve_forward(const struct kubelet *k, struct http_exchange *x,
                          const struct pod_options *o)
{
    k->ops->port_forward(k->ctx, x, &o->forward);
}

static const char **protocol_of_exec(struct pod_options *o)
{
    return &o->exec.streams.protocol;
}

static const char **protocol_of_attach(struct pod_options *o)
{
    return &o->attach.streams.protocol;
}

static const char **protocol_of_forward(struct pod_options *o)
{
    return &o->forward.protocol;
}

static const char *const channels[] = {KUBELET_CHANNEL_V5, KUBELET_CHANNEL_V4, NULL};
static const char *const channels_v4[] = {KUBELET_CHANNEL_V4, NULL};
static const struct service logs = {"log", has_logs, read_logs, serve_logs, NULL, NULL};
static const struct service exec = {"exec",     has_exec, read_exec,
                                    serve_exec, channels, protocol_of_exec};
static const struct service attach = {"attach",     has_attach, read_attach,
                                      serve_attach, channels,   protocol_of_attach};
static const struct service forward = {"portforward", has_forward, read_forward,
                                       serve_forward, channels_v4, protocol_of_forward};

/* ---- the way over ---- */
static int check_upgrade(struct api_request *r, const struct service *s, struct pod_options *o)
{
    struct str upgrade = http_request_header(r->x, "Upgrade");
    struct str offered = http_request_header(r->x, "Sec-WebSocket-Protocol");

    if (!s->protocols)
        return 0;
    if (!upgrade.n)
        return api_fail_bad(&r->st, "Upgrade request required");
    if (!str_ieq(upgrade, STR("websocket")) || !http_request_header(r->x, "Sec-WebSocket-Key").n ||
        !str_eq(http_request_header(r->x, "Sec-WebSocket-Version"), STR("13")))
        return api_fail_bad(&r->st,
                            "the upgrade to \"" STR_FMT "\" is not served: %s is served over "
                            "WebSocket (version 13), which kubectl speaks from 1.31 on",
                            STR_ARG(upgrade), s->what);
    *s->protocol(o) = pod_protocol(offered, s->protocols);
    if (!*s->protocol(o))
        return api_fail_bad(
            &r->st, "none of the subprotocols \"" STR_FMT "\" is served for %s: it is %s%s%s",
            STR_ARG(offered), s->what, s->protocols[0], s->protocols[1] ? " or " : "",
            s->protocols[1] ? s->protocols[1] : "");
    return 0;
}

static int check(struct api_request *r, const struct service *s, const struct kobj *pod,
                 struct pod_options *o)
{
    const struct kubelet *k = &r->env->kubelet;

    if (s->read(r, pod, o, &r->st) < 0)
        return -1;
    if (!k->ops)
        return api_fail(&r->st, 503, "ServiceUnavailable",
                        "the %s of pod \"%s\" cannot be served: no node is running", s->what,
                        r->path.name);
    if (!s->offered(k->ops))
        return api_fail(&r->st, 501, "NotImplemented",
                        "the %s of pod \"%s\" cannot be served: the node does not offer it",
                        s->what, r->path.name);
    return check_upgrade(r, s, o);
}

static const struct kobj *pod_of(struct api_request *r)
{
    _cleanup_free_ char *key = kind_key(&r->kind->res, r->path.ns, r->path.name);
    const struct store_obj *o = store_get(r->env->core->store, key);
    const struct kobj *pod =
        o ? kobj_parse(store_obj_bytes(o).p, store_obj_bytes(o).n, NULL) : NULL;

    if (!pod)
        api_fail_not_found(&r->st, &r->kind->res, r->path.name);
    return pod;
}

static void serve(struct api_request *r, const struct service *s)
{
    struct pod_options o = {0};
    const struct kobj *pod _cleanup_kobj_ = pod_of(r);

    if (!pod || check(r, s, pod, &o) < 0) {
        request_fail(r);
    } else {
        s->serve(&r->env->kubelet, steal(&r->x), &o);
        request_free(r);
    }
    pod_options_done(&o);
}

void verb_log(struct api_request *r)
{
    serve(r, &logs);
}

void verb_exec(struct api_request *r)
{
    serve(r, &exec);
}

void verb_attach(struct api_request *r)
{
    serve(r, &attach);
}

void verb_port_forward(struct api_request *r)
{
    serve(r, &forward);
}
