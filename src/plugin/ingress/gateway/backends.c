/*
 * A target is one Service's port as splits name it; claims tie Ingresses and targets to each other.
 * Targets hang under their Service, since that is what events are about: a Service, its slices or
 * its revision changed, so all its targets are resolved again, and who claims one that turned out
 * different is told.
 */
#include "plugin/ingress/gateway/backends.h"

#include <assert.h>

#include "base/map.h"
#include "base/vec.h"
#include "contract/names.h"
#include "kube/names.h"
#include "kube/slices.h"
#include "plugin/ingress/gateway/revisions.h"
#include "plugin/ingress/gateway/services.h"

struct claim;

struct service {
    char *ns, *name;
    VEC(struct target *) targets;
};

struct target {
    struct service *of;
    char *port; /* as text */
    bool named;
    VEC(struct claim *) claims;
    /* resolved: */
    const struct endpoint_source *source; /* NULL: none */
    void *self;
    char *key_service;
    int key_port;
    enum backend_state state;
};

struct use {
    struct target *target;
    bool counts; /* gets requests */
};

struct claim {
    char *ingress;
    VEC(struct use) uses;
    struct claim *former; /* what the data plane still routes to, until the new one is settled */
};

struct backends {
    struct backends_opts o;
    struct map *services; /* by "NAMESPACE/NAME" */
    struct map *claims;   /* by Ingress */
    struct revisions *revisions;
    struct services *plain;
};

/* ---- resolving ---- */

static bool port_is(yyjson_val *port, const struct target *t)
{
    const char *name = jget_str(port, "name");

    if (t->named)
        return name && streq(name, t->port);
    return jget_int(port, 0, "port") == strtoll(t->port, NULL, 10);
}

static yyjson_val *port_of(const struct kobj *service, const struct target *t)
{
    yyjson_val *port;
    size_t i, max;

    yyjson_arr_foreach(jget(kobj_root(service), "spec", "ports"), i, max, port)
    {
        const char *protocol = jget_str(port, "protocol");
        if (port_is(port, t) && streq(protocol ? protocol : "TCP", "TCP"))
            return port;
    }
    return NULL;
}

static const struct endpoint_source *source_of(struct backends *b, const struct kobj *service,
                                               void **ret_self)
{
    *ret_self = b->revisions;
    if (revision_source.owns(b->revisions, service))
        return &revision_source;
    *ret_self = b->plain;
    return service_source.owns(b->plain, service) ? &service_source : NULL;
}

static const struct kobj *cached_service(const struct backends *b, const struct service *s)
{
    return cache_get(manager_cache(b->o.manager, &KR_SERVICE), s->ns, s->name);
}

struct resolution {
    const struct endpoint_source *source;
    void *self;
    struct backend_key key;
    enum backend_state state;
};

static struct resolution look(struct backends *b, const struct target *t)
{
    const struct kobj *service = cached_service(b, t->of);
    yyjson_val *port = port_of(service, t);
    struct resolution r = {.key = {t->of->name, PORT_NOTHING}, .state = BACKEND_NO_SERVICE};

    if (!service || kobj_deleting(service))
        return r;
    r.source = source_of(b, service, &r.self);
    if (!r.source)
        r.state = BACKEND_EXTERNAL_NAME;
    else if (!port)
        r.state = BACKEND_NO_PORT;
    else
        r.state = r.source->resolve(r.self, service, port, &r.key);
    if (r.key.port == PORT_NOTHING)
        r.source = NULL;
    return r;
}

/* Whether another target of the Service stands for the same backend. */
static bool has_twin(const struct target *t)
{
    for (size_t i = 0; i < t->of->targets.n; i++) {
        const struct target *other = t->of->targets.p[i];
        if (other != t && other->key_port == t->key_port &&
            streq(other->key_service, t->key_service))
            return true;
    }
    return false;
}

static void set_nothing(struct backends *b, const struct target *t)
{
    struct dp_backend set = {.ns = t->of->ns, .service = t->of->name, .port = PORT_NOTHING};

    dp_set_backend(b->o.dataplane, &set, manager_loop(b->o.manager), NULL, NULL);
}

static void let_go_of_key(struct backends *b, struct target *t)
{
    struct backend_key key = {t->key_service, t->key_port};

    if (!t->key_service || has_twin(t))
        return;
    if (t->key_port == PORT_NOTHING)
        dp_remove_backend(b->o.dataplane, t->of->ns, t->key_service, PORT_NOTHING);
    else if (t->source && t->source->let_go)
        t->source->let_go(t->self, t->of->ns, &key);
}

/* True if it is not what it was. */
static bool resolve(struct backends *b, struct target *t)
{
    struct resolution r = look(b, t);
    bool same_key =
        t->key_service && t->key_port == r.key.port && streq(t->key_service, r.key.service);
    bool changed = !same_key || t->state != r.state;

    if (!same_key) {
        let_go_of_key(b, t);
        free(t->key_service);
        t->key_service = xstrdup(r.key.service);
        t->key_port = r.key.port;
        if (r.key.port == PORT_NOTHING)
            set_nothing(b, t);
    }
    t->source = r.source;
    t->self = r.self;
    t->state = r.state;
    return changed;
}

/* ---- what events are about ---- */

static void service_changed(void *ctx, const char *ns, const char *name)
{
    struct backends *b = ctx;
    _cleanup_free_ char *key = kube_key(ns, name);
    struct service *s = map_get(b->services, key);

    for (size_t i = 0; s && i < s->targets.n; i++) {
        struct target *t = s->targets.p[i];
        if (!resolve(b, t))
            continue;
        for (size_t j = 0; j < t->claims.n; j++)
            b->o.on_change(b->o.ctx, t->claims.p[j]->ingress);
    }
}

static void on_service(void *ctx, const struct kobj *before, const struct kobj *after)
{
    const struct kobj *o = after ? after : before;

    service_changed(ctx, kobj_namespace(o), kobj_name(o));
}

static void on_slice(void *ctx, const struct kobj *before, const struct kobj *after)
{
    const char *was = kobj_label(before, L_SLICE_SERVICE), *is = kobj_label(after, L_SLICE_SERVICE);

    if (is)
        service_changed(ctx, kobj_namespace(after), is);
    if (was && !streq(was, is))
        service_changed(ctx, kobj_namespace(before), was);
}

/* A revision's Services have its name, and that name with an ending. */
static void on_revision(void *ctx, const char *ns, const char *revision)
{
    char private[NAME_MAX_LABEL + 1];

    child_name(revision, "-private", private);
    service_changed(ctx, ns, revision);
    service_changed(ctx, ns, private);
}

/* ---- targets ---- */

static bool same_port(const struct target *t, const yyjson_val *port, const char *text)
{
    return t->named == yyjson_is_str((yyjson_val *)(uintptr_t)port) && streq(t->port, text);
}

static char *port_text(const yyjson_val *port)
{
    yyjson_val *p = (yyjson_val *)(uintptr_t)port;

    if (yyjson_is_str(p))
        return xstrdup(yyjson_get_str(p));
    return xasprintf("%lld", (long long)(yyjson_is_int(p) ? yyjson_get_sint(p) : 0));
}

static struct target *find_in(const struct service *s, const yyjson_val *port)
{
    _cleanup_free_ char *text = port_text(port);

    for (size_t i = 0; s && i < s->targets.n; i++) {
        if (same_port(s->targets.p[i], port, text))
            return s->targets.p[i];
    }
    return NULL;
}

static struct target *find(const struct backends *b, const char *ns, const char *service,
                           const yyjson_val *port)
{
    _cleanup_free_ char *key = kube_key(ns, service);

    return find_in(map_get(b->services, key), port);
}

static struct service *get_service(struct backends *b, const char *ns, const char *name)
{
    _cleanup_free_ char *key = kube_key(ns, name);
    struct service *s = map_get(b->services, key);

    if (!s) {
        s = xnew(struct service);
        s->ns = xstrdup(ns);
        s->name = xstrdup(name);
        map_set(b->services, key, s);
    }
    return s;
}

static struct target *get(struct backends *b, const char *ns, const char *service,
                          const yyjson_val *port)
{
    struct service *s = get_service(b, ns, service);
    struct target *t = find_in(s, port);

    if (t)
        return t;
    t = xnew(struct target);
    t->of = s;
    t->port = port_text(port);
    t->named = yyjson_is_str((yyjson_val *)(uintptr_t)port);
    vec_push(&s->targets, t);
    resolve(b, t);
    return t;
}

static void target_free(struct target *t)
{
    vec_done(&t->claims);
    free(t->key_service);
    free(t->port);
    free(t);
}

static void service_free(void *p)
{
    struct service *s = p;

    for (size_t i = 0; i < s->targets.n; i++)
        target_free(s->targets.p[i]);
    vec_done(&s->targets);
    free(s->ns);
    free(s->name);
    free(s);
}

static void forget(struct backends *b, struct target *t)
{
    struct service *s = t->of;

    let_go_of_key(b, t);
    for (size_t i = 0; i < s->targets.n; i++) {
        if (s->targets.p[i] == t) {
            vec_remove(&s->targets, i);
            break;
        }
    }
    target_free(t);
    if (s->targets.n)
        return;
    _cleanup_free_ char *key = kube_key(s->ns, s->name);
    map_del(b->services, key);
}

/* ---- claims ---- */

static void use(struct claim *c, struct target *t, bool counts)
{
    for (size_t i = 0; i < c->uses.n; i++) {
        if (c->uses.p[i].target == t) {
            c->uses.p[i].counts |= counts;
            return;
        }
    }
    vec_push(&c->uses, ((struct use){t, counts}));
    vec_push(&t->claims, c);
}

static void use_splits(struct backends *b, struct claim *c, const char *default_ns,
                       yyjson_val *splits)
{
    yyjson_val *split;
    size_t i, max;

    yyjson_arr_foreach(splits, i, max, split)
    {
        const char *ns = jget_str(split, "serviceNamespace"), *name;
        name = jget_str(split, "serviceName");
        if (name && *name)
            use(c, get(b, ns && *ns ? ns : default_ns, name, jget(split, "servicePort")),
                jget_int(split, 0, "percent") > 0 || yyjson_arr_size(splits) == 1);
    }
}

static void use_all(struct backends *b, struct claim *c, const struct kobj *ingress)
{
    yyjson_val *rule, *path;
    size_t i, max, j, n;

    yyjson_arr_foreach(jget(kobj_root(ingress), "spec", "rules"), i, max, rule)
    {
        yyjson_arr_foreach(jget(rule, "http", "paths"), j, n, path)
        {
            use_splits(b, c, kobj_namespace(ingress), jget(path, "splits"));
        }
    }
}

static void claim_free(void *p)
{
    struct claim *c = p;

    vec_done(&c->uses);
    free(c->ingress);
    free(c);
}

static void release(struct backends *b, struct claim *c)
{
    for (size_t i = 0; c && i < c->uses.n; i++) {
        struct target *t = c->uses.p[i].target;
        size_t at = 0;
        while (at < t->claims.n && t->claims.p[at] != c)
            at++;
        assert(at < t->claims.n);
        vec_remove(&t->claims, at);
        if (t->claims.n == 0)
            forget(b, t);
    }
    if (c)
        claim_free(c);
}

void backends_claim(struct backends *b, const char *ingress, const struct kobj *spec_of)
{
    struct claim *c = xnew(struct claim);

    c->former = map_take(b->claims, ingress);
    assert(!c->former || !c->former->former);
    c->ingress = xstrdup(ingress);
    use_all(b, c, spec_of);
    map_set(b->claims, ingress, c);
}

void backends_settle(struct backends *b, const char *ingress, bool taken)
{
    struct claim *c = map_get(b->claims, ingress), *former = c ? steal(&c->former) : NULL;

    if (c && !taken)
        map_take(b->claims, ingress);
    if (former && !taken)
        map_set(b->claims, ingress, former);
    release(b, taken ? former : c);
}

void backends_let_go(struct backends *b, const char *ingress)
{
    struct claim *c = map_take(b->claims, ingress);

    assert(!c || !c->former);
    release(b, c);
}

/* ---- looking up ---- */

struct backend_key backends_find(const struct backends *b, const char *ns, const char *service,
                                 const yyjson_val *port)
{
    const struct target *t = find(b, ns, service, port);

    assert(t);
    return (struct backend_key){t->key_service, t->key_port};
}

char *backends_keys(const struct backends *b, const char *ingress)
{
    const struct claim *c = map_get(b->claims, ingress);
    char *text = xstrdup("");

    for (size_t i = 0; c && i < c->uses.n; i++) {
        const struct target *t = c->uses.p[i].target;
        char *longer = xasprintf("%s%s/%s:%d ", text, t->of->ns, t->key_service, t->key_port);
        free(text);
        text = longer;
    }
    return text;
}

static char *why(const struct backends *b, const struct target *t)
{
    const char *ns = t->of->ns, *name = t->of->name;

    switch (t->state) {
    case BACKEND_SERVED:
        break;
    case BACKEND_EMPTY:
        return xasprintf("Service %s/%s has no ready endpoint for port %s.", ns, name, t->port);
    case BACKEND_NO_REVISION:
        return xasprintf("The revision of Service %s/%s does not exist.", ns, name);
    case BACKEND_EXTERNAL_NAME:
        return xasprintf("Service %s/%s is of type ExternalName (%s), which this class does not "
                         "route to; name a Service with endpoints.",
                         ns, name,
                         jget_str(kobj_root(cached_service(b, t->of)), "spec", "externalName"));
    case BACKEND_NO_PORT:
        return xasprintf("Service %s/%s has no TCP port %s.", ns, name, t->port);
    case BACKEND_NO_SERVICE:
        return xasprintf("Service %s/%s does not exist.", ns, name);
    }
    return NULL;
}

const char *backend_reason(enum backend_state s)
{
    static const char *const reasons[] = {
        [BACKEND_SERVED] = "",
        [BACKEND_EMPTY] = "EndpointsNotReady",
        [BACKEND_NO_REVISION] = "RevisionMissing",
        [BACKEND_EXTERNAL_NAME] = "ExternalNameUnsupported",
        [BACKEND_NO_PORT] = "ServicePortMissing",
        [BACKEND_NO_SERVICE] = "ServiceMissing",
    };

    return reasons[s];
}

enum backend_state backends_judge(const struct backends *b, const char *ingress, char **ret_why)
{
    const struct claim *c = map_get(b->claims, ingress);
    const struct target *worst = NULL;

    for (size_t i = 0; c && i < c->uses.n; i++) {
        const struct use *u = &c->uses.p[i];
        if (u->counts && (!worst || u->target->state > worst->state))
            worst = u->target;
    }
    if (!worst || worst->state == BACKEND_SERVED)
        return BACKEND_SERVED;
    *ret_why = why(b, worst);
    return worst->state;
}

/* ---- life ---- */

struct backends *backends_new(const struct backends_opts *o)
{
    struct backends *b = xnew(struct backends);

    b->o = *o;
    b->services = map_new(service_free);
    b->claims = map_new(claim_free);
    slices_add_index(manager_cache(o->manager, &KR_ENDPOINTSLICE));
    b->revisions = revisions_new(&(struct revisions_opts){
        .manager = o->manager, .dataplane = o->dataplane, .on_known = on_revision, .ctx = b});
    b->plain = services_new(o->manager, o->dataplane);
    manager_on_change(o->manager, &KR_SERVICE, on_service, b);
    manager_on_change(o->manager, &KR_ENDPOINTSLICE, on_slice, b);
    return b;
}

void backends_free(struct backends *b)
{
    if (!b)
        return;
    map_free(b->claims);
    map_free(b->services);
    revisions_free(b->revisions);
    services_free(b->plain);
    free(b);
}
