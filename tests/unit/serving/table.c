/* Single quotes stand for double ones on the way in and out; no test text needs a real single
 * quote. */
#include "table.h"

#include "base/buf.h"
#include "base/clock.h"
#include "json/patch.h"

static void no_server(void *ctx, struct http_exchange *x)
{
    fail_msg("a table test sent a request");
}

void table_start(struct table *t)
{
    struct err e = {0};

    *t = (struct table){.now_ns = TABLE_NOW_NS};
    arena_init(&t->arena);
    t->loop = loop_new(&e);
    assert_non_null(t->loop);
    t->client =
        kube_client_new(t->loop, kube_transport_inproc(t->loop, t->loop, no_server, NULL, "test"));
    t->s.m = manager_new(t->loop, t->client, "test");
    t->s.config = contract_config_new("cluster.local");
}

void table_end(struct table *t)
{
    plan_free(t->plan);
    manager_free(t->s.m);
    kube_client_free(t->client);
    contract_config_free(t->s.config);
    loop_free(t->loop);
    arena_done(&t->arena);
}

static char *swap(struct table *t, const char *text, char from, char to)
{
    char *s = arena_strndup(&t->arena, text, strlen(text));

    for (char *p = s; *p; p++) {
        if (*p == from)
            *p = to;
    }
    return s;
}

char *table_json(struct table *t, const char *text)
{
    return swap(t, text, '\'', '"');
}

const char *table_quotes(struct table *t, const char *json)
{
    return swap(t, json, '"', '\'');
}

static const struct kobj *put(struct table *t, const struct kube_resource *r, struct kmut *m)
{
    struct cache *c = manager_cache(t->s.m, r);

    jm_set_str(KM(m), arena_printf(&t->arena, "%lu", (unsigned long)++t->rv), "metadata",
               "resourceVersion");
    _cleanup_kobj_ const struct kobj *o = kmut_freeze(m);
    kmut_free(m);
    cache_put(c, o);
    return cache_get(c, kobj_namespace(o), kobj_name(o));
}

const struct kobj *table_put(struct table *t, const struct kube_resource *r, const char *json)
{
    char *text = table_json(t, json);
    struct err e = {0};
    _cleanup_kobj_ const struct kobj *o = kobj_parse(text, strlen(text), &e);

    if (!o)
        fail_msg("%s: %s", e.msg, text);
    struct kmut *m = kmut_from(o);
    if (!jm_get(m->root, "kind"))
        jm_set_str(KM(m), r->kind, "kind");
    return put(t, r, m);
}

const struct kobj *table_get(struct table *t, const struct kube_resource *r, const char *ns,
                             const char *name)
{
    return cache_get(manager_cache(t->s.m, r), ns, name);
}

/* ---- plans ---- */
static const char *const ops[] = {
    [PLAN_CREATE] = "create", [PLAN_UPDATE] = "update", [PLAN_UPDATE_STATUS] = "status",
    [PLAN_PATCH] = "patch",   [PLAN_DELETE] = "delete", [PLAN_EVENT] = "event",
};

static const char *plan_text(struct table *t)
{
    struct buf b = BUF_INIT(1 << 20);

    for (size_t i = 0; i < plan_len(t->plan); i++) {
        const struct plan_entry *e = plan_at(t->plan, i);
        if (e->op == PLAN_EVENT)
            buf_addf(&b, "event %s %s: %s\n", e->type, e->reason, e->message);
        else
            buf_addf(&b, "%s %s %s/%s\n", ops[e->op], e->res->plural, e->ns, e->name);
    }
    if (plan_requeue(t->plan) >= 0)
        buf_addf(&b, "requeue %lld ms\n", (long long)(plan_requeue(t->plan) / NS_PER_MS));
    if (plan_error(t->plan))
        buf_addf(&b, "error: %s\n", plan_error(t->plan));
    const char *text = arena_strndup(&t->arena, buf_z(&b), b.n);
    buf_done(&b);
    return text;
}

const char *table_run(struct table *t, reconcile_fn *fn, const struct kube_resource *r,
                      const char *ns, const char *name)
{
    _cleanup_free_ char *key = kube_key(ns, name);
    struct reconcile_ctx rc = {
        .m = t->s.m,
        .key = key,
        .ns = ns,
        .name = name,
        .obj = table_get(t, r, ns, name),
        .now_ns = t->now_ns,
        .mono_ns = t->now_ns,
        .failure = t->failure,
        .failed = t->failed,
    };

    plan_free(t->plan);
    t->plan = plan_new();
    fn(&t->s, &rc, t->plan);
    return plan_text(t);
}

static const struct plan_entry *find(struct table *t, const struct kube_resource *r,
                                     const char *name)
{
    for (size_t i = plan_len(t->plan); i-- > 0;) {
        const struct plan_entry *e = plan_at(t->plan, i);
        if (e->op != PLAN_EVENT && kube_resource_eq(e->res, r) && streq(e->name, name))
            return e;
    }
    return NULL;
}

const char *table_body(struct table *t, const struct kube_resource *r, const char *name)
{
    const struct plan_entry *e = find(t, r, name);

    return e && e->body ? table_quotes(t, e->body) : "";
}

const char *table_value(struct table *t, const struct kube_resource *r, const char *name,
                        const char *const *path)
{
    const struct plan_entry *e = find(t, r, name);
    yyjson_mut_val *v = e && e->obj ? jm_get_p(e->obj->root, path) : NULL;

    if (!v)
        return "";
    _cleanup_free_ char *text = json_mut_text(v, NULL);
    return table_quotes(t, text);
}

static yyjson_mut_val *conditions(struct table *t, const struct kube_resource *r, const char *name)
{
    const struct plan_entry *e = find(t, r, name);

    return e && e->obj ? jm_get(e->obj->root, "status", "conditions") : NULL;
}

const char *table_conditions(struct table *t, const struct kube_resource *r, const char *name)
{
    struct buf b = BUF_INIT(1 << 16);
    yyjson_mut_val *c;
    size_t i, max;

    yyjson_mut_arr_foreach(conditions(t, r, name), i, max, c)
    {
        const char *reason = jm_get_str(c, "reason");
        buf_addf(&b, "%s%s=%s%s%s", i ? " " : "", jm_get_str(c, "type"), jm_get_str(c, "status"),
                 reason ? "/" : "", reason ? reason : "");
    }
    const char *text = arena_strndup(&t->arena, buf_z(&b), b.n);
    buf_done(&b);
    return text;
}

const char *table_message(struct table *t, const struct kube_resource *r, const char *name,
                          const char *condition)
{
    yyjson_mut_val *c;
    size_t i, max;

    yyjson_mut_arr_foreach(conditions(t, r, name), i, max, c)
    {
        if (streq(jm_get_str(c, "type"), condition))
            return jm_get_str(c, "message") ? jm_get_str(c, "message") : "";
    }
    return "";
}

/* ---- the server's part ---- */
static void bump_generation(struct kmut *m, const struct kobj *before)
{
    _cleanup_kobj_ const struct kobj *now = kmut_freeze(m);
    int64_t g = kobj_generation(before);
    const yyjson_val *a = jget(kobj_root(now), "spec"), *b = jget(kobj_root(before), "spec");

    if (!before || (a && b && !json_equal(a, b)))
        g++;
    jm_set_int(KM(m), g, "metadata", "generation");
}

static void write(struct table *t, const struct plan_entry *e)
{
    const struct kobj *before = table_get(t, e->res, e->ns, e->name);
    _cleanup_kobj_ const struct kobj *copy = kmut_freeze(e->obj);
    struct kmut *m = kmut_from(copy);

    if (e->op == PLAN_CREATE && !jm_get(m->root, "metadata", "uid"))
        jm_set_str(KM(m), arena_printf(&t->arena, "uid-%s-%s", e->res->plural, e->name), "metadata",
                   "uid");
    if (e->op != PLAN_UPDATE_STATUS)
        bump_generation(m, before);
    put(t, e->res, m);
}

static void merge(struct table *t, const struct plan_entry *e)
{
    const struct kobj *before = table_get(t, e->res, e->ns, e->name);
    _cleanup_jdoc_ yyjson_doc *patch = json_parse(e->body, strlen(e->body), NULL);
    struct kmut *m = kmut_from(before);

    yyjson_mut_val *merged = yyjson_mut_merge_patch(
        m->d, m->root, yyjson_val_mut_copy(m->d, yyjson_doc_get_root(patch)));
    m->root = merged;
    yyjson_mut_doc_set_root(m->d, merged);
    put(t, e->res, m);
}

void table_apply(struct table *t)
{
    for (size_t i = 0; i < plan_len(t->plan); i++) {
        const struct plan_entry *e = plan_at(t->plan, i);
        if (e->op == PLAN_PATCH)
            merge(t, e);
        else if (e->op == PLAN_DELETE)
            cache_remove(manager_cache(t->s.m, e->res), e->ns, e->name, NULL, ++t->rv);
        else if (e->op != PLAN_EVENT)
            write(t, e);
    }
}
