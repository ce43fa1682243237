/*
 * The handler: who asks, what for, which verb. Everything runs on the loop's thread; a request
 * either is answered in its turn or waits for one store write. Requests of anonymous users get 401,
 * of users outside system:masters 403; health and version are for everyone.
 */
#include "cluster/apiserver/apiserver.h"

#include "cluster/apiserver/core.h"

#define MAX_WARNINGS (16 * 1024) /* of one answer */

struct apiserver *apiserver_new(struct loop *l, const struct apiserver_opts *o, struct err *e)
{
    struct apiserver *a = xnew(struct apiserver);

    a->loop = l;
    a->store = o->store;
    a->kinds = kinds_new();
    a->n_admissions = o->n_admissions;
    a->admissions = xcalloc(o->n_admissions + 1, sizeof(*a->admissions));
    if (o->n_admissions)
        memcpy(a->admissions, o->admissions, o->n_admissions * sizeof(*a->admissions));
    a->version = xstrdup(o->version ? o->version : "v1.32.0+nonagon-" NONAGON_VERSION);
    a->pod_log = o->pod_log;
    a->pod_log_ctx = o->pod_log_ctx;
    watchers_init(a);
    a->crds = crd_life_new(a, e);
    a->ips = a->crds ? ip_pool_new(a, e) : NULL;
    a->boot = a->ips ? boot_start(a, o->crds, e) : NULL;
    if (!a->boot) {
        apiserver_free(a);
        return NULL;
    }
    return a;
}

static void release(struct apiserver *a)
{
    if (!a->closing || a->in_flight)
        return;
    ip_pool_free(a->ips);
    kinds_free(a->kinds);
    free(a->admissions);
    free(a->version);
    free(a);
}

void apiserver_free(struct apiserver *a)
{
    if (!a)
        return;
    watchers_stop(a);
    crd_life_free(steal(&a->crds));
    ip_pool_stop(a->ips);
    boot_free(steal(&a->boot));
    a->closing = true;
    release(a);
}

void apiserver_write_ended(struct apiserver *a)
{
    a->in_flight--;
    release(a);
}

void apiserver_set_pod_log(struct apiserver *a, pod_log_fn *fn, void *ctx)
{
    a->pod_log = fn;
    a->pod_log_ctx = ctx;
}

const struct kobj *apiserver_lookup(struct apiserver *a, const struct kube_resource *r,
                                    const char *ns, const char *name)
{
    _cleanup_free_ char *key = kind_key(r, ns, name);
    const struct store_obj *o = store_get(a->store, key);

    return o ? kobj_parse(store_obj_bytes(o).p, store_obj_bytes(o).n, NULL) : NULL;
}

void apiserver_on_ready(struct apiserver *a, void (*fn)(void *ctx, const struct err *why),
                        void *ctx)
{
    boot_on_ready(a->boot, fn, ctx);
}

/* ---- what everyone may ask ---- */
static void reply_version(struct api_request *r)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    const char *v = r->a->version;
    const char *dot = strchr(v, '.');
    int minor = dot ? atoi(dot + 1) : 0;

    buf_addf(&b,
             "{\"major\":\"1\",\"minor\":\"%d\",\"gitVersion\":\"%s\",\"gitCommit\":\"\","
             "\"gitTreeState\":\"clean\",\"buildDate\":\"1970-01-01T00:00:00Z\",\"goVersion\":"
             "\"\",\"compiler\":\"gcc\",\"platform\":\"linux/amd64\"}\n",
             minor, v);
    request_reply(r, 200, "application/json", buf_str(&b));
}

static void reply_health(struct api_request *r)
{
    bool ready = r->a->ready || !str_starts(http_path(r->x), STR("/readyz"));

    request_reply(r, ready ? 200 : 503, "text/plain; charset=utf-8",
                  ready ? STR("ok") : STR("not ready: the built-in objects are being written"));
}

/* ---- verbs ---- */
static void not_found(struct api_request *r)
{
    api_fail(&r->st, 404, "NotFound", "the server could not find the requested resource");
    request_fail(r);
}

static void not_allowed(struct api_request *r)
{
    api_fail(&r->st, 405, "MethodNotAllowed",
             "the server does not allow this method on the requested resource");
    request_fail(r);
}

static void on_collection(struct api_request *r)
{
    bool get = str_eq(r->method, STR("GET"));

    if (get && (r->q.watch || r->path.old_watch))
        verb_watch(r);
    else if (get)
        verb_list(r);
    else if (str_eq(r->method, STR("POST")))
        verb_create(r);
    else if (str_eq(r->method, STR("DELETE")))
        verb_delete_collection(r);
    else
        not_allowed(r);
}

static void on_object(struct api_request *r)
{
    bool whole = !r->path.sub[0];

    if (str_eq(r->method, STR("GET")) && whole && (r->q.watch || r->path.old_watch))
        verb_watch(r);
    else if (str_eq(r->method, STR("GET")))
        verb_get(r);
    else if (str_eq(r->method, STR("PUT")))
        verb_update(r);
    else if (str_eq(r->method, STR("PATCH")))
        verb_patch(r);
    else if (str_eq(r->method, STR("DELETE")) && whole)
        verb_delete(r);
    else
        not_allowed(r);
}

static bool has_sub(const struct api_kind *k, const char *sub)
{
    return (streq(sub, "status") && k->has_status) || (streq(sub, "scale") && k->has_scale) ||
           (streq(sub, "finalize") && kube_resource_eq(&k->res, &KR_NAMESPACE)) ||
           (streq(sub, "log") && kube_resource_eq(&k->res, &KR_POD));
}

/* A pod's log belongs to the node agent, which takes the exchange over. */
static void verb_log(struct api_request *r)
{
    _cleanup_free_ char *key = kind_key(&r->kind->res, r->path.ns, r->path.name);

    if (!str_eq(r->method, STR("GET"))) {
        not_allowed(r);
        return;
    }
    if (!store_get(r->a->store, key)) {
        api_fail_not_found(&r->st, &r->kind->res, r->path.name);
        request_fail(r);
        return;
    }
    if (!r->a->pod_log) {
        not_found(r);
        return;
    }
    struct http_exchange *x = steal(&r->x);

    r->a->pod_log(r->a->pod_log_ctx, x, r->path.ns, r->path.name);
    request_free(r);
}

static void on_objects(struct api_request *r)
{
    const struct api_path *p = &r->path;

    if (review_reply(r))
        return;
    r->kind = kinds_find(r->a->kinds, p->group, p->version, p->plural);
    if (r->kind)
        api_kind_ref(r->kind);
    if (!r->kind || (p->sub[0] && !has_sub(r->kind, p->sub)) ||
        (p->ns[0] && !r->kind->res.namespaced) ||
        (p->name[0] && !p->ns[0] && r->kind->res.namespaced)) {
        not_found(r);
        return;
    }
    if (api_query_parse(http_query(r->x), &r->q, &r->st) < 0) {
        request_fail(r);
        return;
    }
    api_accept_parse(http_request_header(r->x, "Accept"), &r->accept);
    if (streq(p->sub, "log"))
        verb_log(r);
    else if (streq(p->sub, "scale"))
        verb_scale(r);
    else if (p->name[0])
        on_object(r);
    else
        on_collection(r);
}

static int check_user(struct api_request *r)
{
    if (!r->user[0])
        return api_fail(&r->st, 401, "Unauthorized", "Unauthorized");
    if (user_in_group(http_user(r->x), "system:masters"))
        return 0;
    return api_fail(&r->st, 403, "Forbidden",
                    "forbidden: User \"%s\" cannot " STR_FMT " path \"" STR_FMT "\"", r->user,
                    STR_ARG(r->method), STR_ARG(http_path(r->x)));
}

static void dispatch(struct api_request *r)
{
    switch (r->path.kind) {
    case PATH_NONE:
        not_found(r);
        break;
    case PATH_OPENAPI2:
    case PATH_OPENAPI3:
    case PATH_OPENAPI3_GV:
        openapi_reply(r);
        break;
    case PATH_OBJECTS:
        on_objects(r);
        break;
    default:
        discovery_reply(r);
    }
}

void apiserver_handle(void *ctx, struct http_exchange *x)
{
    struct apiserver *a = ctx;
    struct api_request *r = xnew(struct api_request);

    r->a = a;
    r->x = x;
    r->method = http_method(x);
    r->user = xstrdup(http_user(x)->name);
    r->warnings = BUF_INIT(MAX_WARNINGS);
    api_path_parse(http_path(x), &r->path);
    if (r->path.kind == PATH_VERSION) {
        reply_version(r);
    } else if (r->path.kind == PATH_HEALTH) {
        reply_health(r);
    } else if (check_user(r) < 0) {
        request_fail(r);
    } else if (!a->ready) {
        api_fail(&r->st, 503, "ServiceUnavailable", "the API server is starting");
        r->st.retry_after = 1;
        request_fail(r);
    } else {
        dispatch(r);
    }
}
