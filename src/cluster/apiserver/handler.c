/*
 * A request passes a table of stages: who asks, whether he may, whether there is room, whether the
 * server has started; then it is carried out. What a stage refuses is answered with its status.
 * Those that need no body are passed when the head is there, so that strangers' bodies are not
 * kept. Decoding, admission and the store are stages of a write (write.c).
 */
#include "cluster/apiserver/boot.h"
#include "cluster/apiserver/discovery/discovery.h"
#include "cluster/apiserver/health.h"
#include "cluster/apiserver/routes.h"
#include "cluster/apiserver/server.h"

struct passage {
    struct apiserver *a;
    struct api_request *r;
    const struct route *route; /* NULL: no resource, or a method that it does not have */
    bool watch;
};

/* ---- the stages ---- */
static int identify(struct passage *p)
{
    struct api_request *r = p->r;

    r->user = authenticate(p->a->authenticators, r->x, &r->st);
    return r->user ? impersonation_refuse(r->x, r->user, &r->st) : -1;
}

static const char *lower(struct str method, char ret[static 16])
{
    size_t n = method.n < 15 ? method.n : 15;

    for (size_t i = 0; i < n; i++)
        ret[i] = (char)(method.p[i] >= 'A' && method.p[i] <= 'Z' ? method.p[i] + 32 : method.p[i]);
    ret[n] = '\0';
    return ret;
}

static int may(struct passage *p)
{
    const struct api_path *path = &p->r->path;
    bool resource = path->kind == PATH_OBJECTS;
    char method[16];
    const struct auth_attributes a = {
        .user = p->r->user,
        .verb = p->route ? p->route->verb : lower(p->r->method, method),
        .group = path->group,
        .version = path->version,
        .resource = resource ? path->plural : "",
        .subresource = path->sub,
        .ns = path->ns,
        .name = path->name,
        .path = http_path(p->r->x),
    };

    return authorize(p->a->authorizer, &a, &p->r->st);
}

static int find_room(struct passage *p)
{
    struct api_request *r = p->r;

    return share_take(r->env->shares, r->user->name, p->watch ? SHARE_WATCH : SHARE_REQUEST,
                      (int64_t)http_body(r->x).n, &r->share, &r->st);
}

static int started(struct passage *p)
{
    if (boot_is_ready(p->a->boot))
        return 0;
    api_fail(&p->r->st, 503, "ServiceUnavailable", "the API server is starting");
    p->r->st.retry_after = 1;
    return -1;
}

typedef int stage_fn(struct passage *p);
static stage_fn *const stages[] = {identify, may, find_room, started};
#define AT_HEAD 2 /* stages that need no body */

/* ---- carrying it out ---- */
static void document(struct api_request *r)
{
    _cleanup_buf_ struct buf b = BUF_INIT(DISCOVERY_ROOM);
    const struct kinds *ks = r->env->core->kinds;
    struct str accept = http_request_header(r->x, "Accept");
    const char *type;

    if (!str_eq(r->method, STR("GET"))) {
        request_not_allowed(r);
        return;
    }
    api_accept_parse(accept, &r->accept, &r->st); /* there is one form for those who want another */
    if (r->path.kind == PATH_OPENAPI2 || r->path.kind == PATH_OPENAPI3 ||
        r->path.kind == PATH_OPENAPI3_GV)
        type = openapi_document(ks, &r->path, accept, &b);
    else
        type = discovery_document(ks, &r->path, &r->accept, &b);
    if (type)
        request_reply(r, 200, type, buf_str(&b));
    else
        request_not_found(r);
}

static bool find_kind(struct api_request *r)
{
    const struct api_path *p = &r->path;
    const struct api_kind *k = kinds_find(r->env->core->kinds, p->group, p->version, p->plural);

    if (!k || (p->sub[0] && !route_has_sub(k, p->sub)) || (p->ns[0] && !k->res.namespaced) ||
        (p->name[0] && !p->ns[0] && k->res.namespaced))
        return false;
    r->kind = api_kind_ref(k);
    return true;
}

static int accepted(struct api_request *r)
{
    return api_accept_parse(http_request_header(r->x, "Accept"), &r->accept, &r->st);
}

static void objects(struct passage *p)
{
    struct api_request *r = p->r;

    if (review_is(&r->path)) {
        verb_review(r);
    } else if (!find_kind(r)) {
        request_not_found(r);
    } else if (!p->route) {
        request_not_allowed(r);
    } else if (api_query_parse(http_query(r->x), &r->q, &r->st) < 0 ||
               (!p->route->raw && accepted(r) < 0)) {
        request_fail(r);
    } else {
        p->route->run(r);
    }
}

static void carry_out(struct passage *p)
{
    switch (p->r->path.kind) {
    case PATH_NONE:
        request_not_found(p->r);
        break;
    case PATH_OBJECTS:
        objects(p);
        break;
    default:
        document(p->r);
    }
}

/* ---- the way through ---- */
static bool asks_to_watch(const struct api_request *r)
{
    _cleanup_free_ char *v = http_query_get(http_query(r->x), "watch");

    return r->path.old_watch || (v && (streq(v, "true") || streq(v, "1") || streq(v, "True")));
}

static struct passage passage_of(struct apiserver *a, struct api_request *r)
{
    struct passage p = {.a = a, .r = r};

    if (r->path.kind == PATH_OBJECTS) {
        p.route = route_find(&r->path, r->method, asks_to_watch(r));
        p.watch = p.route && p.route->run == verb_watch;
    }
    return p;
}

/* False: it was answered, and is gone. */
static bool pass(struct passage *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (stages[i](p) < 0) {
            request_fail(p->r);
            return false;
        }
    return true;
}

/* What everybody may ask is answered here. */
static bool is_open(struct apiserver *a, struct api_request *r)
{
    if (r->path.kind == PATH_VERSION)
        version_reply(a, r);
    else if (r->path.kind == PATH_HEALTH)
        health_reply(a, r);
    else
        return false;
    return true;
}

static void left(void *ctx)
{
    struct api_request *r = ctx;

    r->x = NULL;
    request_free(r);
}

void apiserver_head(void *ctx, struct http_exchange *x)
{
    struct apiserver *a = ctx;
    struct api_request *r = request_new(a->env, x);

    if (is_open(a, r))
        return;
    struct passage p = passage_of(a, r);

    if (!pass(&p, 0, AT_HEAD))
        return;
    http_set_data(x, r);
    http_on_close(x, left, r);
    http_read_body(x);
}

void apiserver_handle(void *ctx, struct http_exchange *x)
{
    struct apiserver *a = ctx;
    struct api_request *r = http_data(x);
    size_t from = r ? AT_HEAD : 0;

    if (!r)
        r = request_new(a->env, x);
    http_on_close(x, NULL, NULL);
    if (!from && is_open(a, r))
        return;
    struct passage p = passage_of(a, r);

    if (pass(&p, from, ARRAY_LEN(stages)))
        carry_out(&p);
}
