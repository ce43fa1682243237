/*
 * The manager holds the informers (a cache, its reflector and the handlers of changes, one per
 * resource) and the controllers. Work begins when every informer has its first list, and pauses
 * while one that was added later still lacks it: a reconciler never sees an empty cache that only
 * looks empty.
 */
#include "base/log.h"
#include "base/vec.h"
#include "kube/informer.h"
#include "kube/reflector.h"

struct handler {
    informer_fn *fn;
    void *ctx;
};

struct informer {
    struct manager *m;
    const struct kube_resource *res;
    struct cache *cache;
    struct reflector *reflector;
    VEC(struct handler) handlers;
    bool synced, selected;
    bool late, failing; /* made after the start; its list does not succeed */
};

struct waiter {
    void (*fn)(void *ctx);
    void *ctx;
};

struct manager {
    struct loop *loop;
    struct kube_client *client;
    char *component;
    struct recorder *recorder;
    VEC(struct informer *) informers;
    struct list members;
    VEC(struct waiter) waiters;
    bool started;
};

struct manager *manager_new(struct loop *l, struct kube_client *client, const char *component)
{
    struct manager *m = xnew(struct manager);

    m->loop = l;
    m->client = client;
    m->component = xstrdup(component);
    m->recorder = recorder_new(client, component);
    list_init(&m->members);
    return m;
}

static void informer_free(struct informer *in)
{
    reflector_free(in->reflector);
    cache_free(in->cache);
    vec_done(&in->handlers);
    free(in);
}

void manager_free(struct manager *m)
{
    if (!m)
        return;
    list_for_each_safe(it, &m->members)
    {
        struct manager_member *member = list_entry(it, struct manager_member, node);
        member->destroy(member->self);
    }
    for (size_t i = 0; i < m->informers.n; i++)
        informer_free(m->informers.p[i]);
    recorder_free(m->recorder);
    vec_done(&m->informers);
    vec_done(&m->waiters);
    free(m->component);
    free(m);
}

struct kube_client *manager_client(struct manager *m)
{
    return m->client;
}

struct loop *manager_loop(struct manager *m)
{
    return m->loop;
}

struct recorder *manager_recorder(struct manager *m)
{
    return m->recorder;
}

/* ---- readiness ---- */
bool manager_synced(const struct manager *m)
{
    for (size_t i = 0; i < m->informers.n; i++) {
        const struct informer *in = m->informers.p[i];
        if (!in->synced && !(in->late && in->failing))
            return false;
    }
    return m->started;
}

static void tell_ready(void *arg)
{
    struct manager *m = arg;

    if (!manager_synced(m))
        return;
    for (; m->waiters.n > 0;) {
        struct waiter w = m->waiters.p[0];
        vec_remove(&m->waiters, 0);
        w.fn(w.ctx);
    }
    list_for_each(it, &m->members)
    {
        struct manager_member *member = list_entry(it, struct manager_member, node);
        member->ready(member->self);
    }
}

void manager_on_synced(struct manager *m, void (*fn)(void *ctx), void *ctx)
{
    struct waiter w = {fn, ctx};

    if (manager_synced(m))
        fn(ctx);
    else
        vec_push(&m->waiters, w);
}

void manager_join(struct manager *m, struct manager_member *member)
{
    list_push_back(&m->members, &member->node);
}

/* ---- informers ---- */
static void on_change(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct informer *in = ctx;

    for (size_t i = 0; i < in->handlers.n; i++)
        in->handlers.p[i].fn(in->handlers.p[i].ctx, before, after);
}

static void on_synced(void *ctx)
{
    struct informer *in = ctx;

    in->synced = true;
    tell_ready(in->m);
}

static void on_trouble(void *ctx, const struct kube_status *st)
{
    struct informer *in = ctx;

    in->failing = st != NULL;
    if (in->late)
        tell_ready(in->m);
    if (st)
        log_warn(in->m->component, "cannot follow %s, trying again: %s", in->res->plural,
                 st->err.msg);
    else
        log_info(in->m->component, "following %s again", in->res->plural);
}

static struct informer *find(const struct manager *m, const struct kube_resource *r)
{
    for (size_t i = 0; i < m->informers.n; i++) {
        if (kube_resource_eq(m->informers.p[i]->res, r))
            return m->informers.p[i];
    }
    return NULL;
}

static struct informer *informer_of(struct manager *m, const struct kube_resource *r,
                                    const char *label_selector, const char *field_selector)
{
    struct informer *in = find(m, r);

    if (in)
        return in;
    in = xnew(struct informer);
    in->m = m;
    in->res = r;
    in->late = m->started;
    in->selected = label_selector || field_selector;
    in->cache = cache_new(r);
    in->reflector = reflector_new(&(struct reflector_opts){.client = m->client,
                                                           .res = r,
                                                           .label_selector = label_selector,
                                                           .field_selector = field_selector,
                                                           .cache = in->cache,
                                                           .on_change = on_change,
                                                           .on_synced = on_synced,
                                                           .on_trouble = on_trouble,
                                                           .ctx = in});
    vec_push(&m->informers, in);
    if (m->started)
        reflector_start(in->reflector);
    return in;
}

struct cache *manager_cache_selected(struct manager *m, const struct kube_resource *r,
                                     const char *label_selector, const char *field_selector)
{
    return informer_of(m, r, label_selector, field_selector)->cache;
}

struct cache *manager_cache(struct manager *m, const struct kube_resource *r)
{
    return informer_of(m, r, NULL, NULL)->cache;
}

void manager_on_change(struct manager *m, const struct kube_resource *r, informer_fn *fn, void *ctx)
{
    struct handler h = {fn, ctx};

    vec_push(&informer_of(m, r, NULL, NULL)->handlers, h);
}

void manager_learn(struct manager *m, const struct kube_resource *r, const struct kobj *o)
{
    struct informer *in = find(m, r);

    if (!in || !in->synced)
        return;
    /* Whether a new object is among the selected ones is for the server to say. */
    if (in->selected && !cache_get(in->cache, kobj_namespace(o), kobj_name(o)))
        return;
    reflector_learn(in->reflector, o);
}

void manager_start(struct manager *m)
{
    m->started = true;
    for (size_t i = 0; i < m->informers.n; i++)
        reflector_start(m->informers.p[i]->reflector);
    tell_ready(m);
}
