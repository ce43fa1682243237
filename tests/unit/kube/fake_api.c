/* Objects by "group/plural|ns/name"; every change goes to a history that watches replay from. */
#include "fake_api.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/vec.h"
#include "json/patch.h"

struct change {
    uint64_t rv;
    char *collection, *line;
};

/* What the pages of one list show. */
struct snapshot {
    uint64_t rv;
    char *collection;
    VEC(const struct kobj *) items; /* by key */
};

struct watcher {
    struct list node;
    struct fake_api *f;
    struct http_exchange *x;
    char *collection;
};

struct fake_api {
    struct map *objects; /* kobj */
    uint64_t rv, oldest;
    VEC(struct change) history;
    VEC(struct snapshot *) snapshots;
    bool keeps_snapshots;
    struct list watchers;
    VEC(char *) journal;
    int (*refuse)(void *ctx, struct str method, struct str path, const char **reason);
    void *refuse_ctx;
};

struct target {
    char collection[200], ns[254], name[254], sub[64];
    bool is_core;
};

static void unref(void *o)
{
    kobj_unref(o);
}

struct fake_api *fake_api_new(void)
{
    struct fake_api *f = xnew(struct fake_api);

    f->objects = map_new(unref);
    f->rv = 100;
    list_init(&f->watchers);
    return f;
}

static void snapshot_free(struct snapshot *s)
{
    for (size_t i = 0; i < s->items.n; i++)
        kobj_unref(s->items.p[i]);
    vec_done(&s->items);
    free(s->collection);
    free(s);
}

static void drop_history(struct fake_api *f)
{
    for (size_t i = 0; i < f->snapshots.n; i++)
        snapshot_free(f->snapshots.p[i]);
    vec_done(&f->snapshots);
    for (size_t i = 0; i < f->history.n; i++) {
        free(f->history.p[i].collection);
        free(f->history.p[i].line);
    }
    vec_done(&f->history);
    f->oldest = f->rv;
}

static void watcher_free(struct watcher *w)
{
    list_del(&w->node);
    free(w->collection);
    free(w);
}

void fake_api_cut_watches(struct fake_api *f)
{
    list_for_each_safe(it, &f->watchers)
    {
        struct watcher *w = list_entry(it, struct watcher, node);
        struct http_exchange *x = w->x;
        watcher_free(w);
        http_abort(x);
    }
}

void fake_api_free(struct fake_api *f)
{
    fake_api_cut_watches(f);
    drop_history(f);
    for (size_t i = 0; i < f->journal.n; i++)
        free(f->journal.p[i]);
    vec_done(&f->journal);
    map_free(f->objects);
    free(f);
}

void fake_api_refuse(struct fake_api *f,
                     int (*fn)(void *ctx, struct str method, struct str path, const char **reason),
                     void *ctx)
{
    f->refuse = fn;
    f->refuse_ctx = ctx;
}

void fake_api_compact(struct fake_api *f)
{
    f->rv++;
    drop_history(f);
    fake_api_cut_watches(f);
}

void fake_api_keep_snapshots(struct fake_api *f)
{
    f->keeps_snapshots = true;
}

static const struct kobj *with_version(const struct kobj *o, uint64_t v)
{
    struct kmut *m = kmut_from(o);
    char rv[32];

    snprintf(rv, sizeof(rv), "%" PRIu64, v);
    jm_set_str(KM(m), rv, "metadata", "resourceVersion");
    const struct kobj *fresh = kmut_freeze(m);
    kmut_free(m);
    return fresh;
}

void fake_api_set_version(struct fake_api *f, uint64_t rv)
{
    const struct kobj *o;
    VEC(char *) ids = {0};
    const char *id;

    for (size_t it = 0; map_next(f->objects, &it, &id, &o);)
        vec_push(&ids, xstrdup(id));
    for (size_t i = 0; i < ids.n; i++) {
        o = with_version(map_get(f->objects, ids.p[i]), ++rv);
        map_set(f->objects, ids.p[i], (void *)(uintptr_t)o);
        free(ids.p[i]);
    }
    vec_done(&ids);
    f->rv = rv;
    drop_history(f);
    fake_api_cut_watches(f);
}

size_t fake_api_watches(const struct fake_api *f)
{
    size_t n = 0;

    list_for_each(it, &f->watchers) n++;
    return n;
}

size_t fake_api_requests(const struct fake_api *f, const char *prefix)
{
    size_t n = 0;

    for (size_t i = 0; i < f->journal.n; i++)
        n += z_starts(f->journal.p[i], prefix);
    return n;
}

/* ---- objects ---- */
static char *id_of(const char *collection, const char *ns, const char *name)
{
    return xasprintf("%s|%s/%s", collection, ns ? ns : "", name);
}

static void collection_of(const struct kube_resource *r, char *ret, size_t n)
{
    snprintf(ret, n, "%s/%s", r->group, r->plural);
}

static void publish(struct fake_api *f, const char *collection, const char *type,
                    const struct kobj *o)
{
    _cleanup_free_ char *text = json_text(kobj_root(o), NULL);
    struct change c = {f->rv, xstrdup(collection),
                       xasprintf("{\"type\":\"%s\",\"object\":%s}\n", type, text)};

    vec_push(&f->history, c);
    list_for_each(it, &f->watchers)
    {
        struct watcher *w = list_entry(it, struct watcher, node);
        if (streq(w->collection, collection))
            http_chunk(w->x, c.line, strlen(c.line));
    }
}

/* Stores with a new version; takes m. */
static const struct kobj *store(struct fake_api *f, const char *collection, struct kmut *m)
{
    char rv[32], uid[37];

    snprintf(rv, sizeof(rv), "%" PRIu64, ++f->rv);
    jm_set_str(KM(m), rv, "metadata", "resourceVersion");
    if (!jm_get_str(m->root, "metadata", "uid")) {
        rand_uuid(uid);
        jm_set_str(KM(m), uid, "metadata", "uid");
    }
    if (!jm_get(m->root, "metadata", "generation"))
        jm_set_int(KM(m), 1, "metadata", "generation");
    struct kobj *o = kmut_freeze(m);
    kmut_free(m);
    _cleanup_free_ char *id = id_of(collection, kobj_namespace(o), kobj_name(o));
    bool had = map_has(f->objects, id);
    map_set(f->objects, id, o);
    publish(f, collection, had ? "MODIFIED" : "ADDED", o);
    return o;
}

static void erase(struct fake_api *f, const char *collection, const char *id)
{
    _cleanup_kobj_ const struct kobj *o = map_take(f->objects, id);
    _cleanup_kobj_ const struct kobj *last = with_version(o, ++f->rv);

    publish(f, collection, "DELETED", last);
}

void fake_api_put(struct fake_api *f, const struct kube_resource *r, const char *text)
{
    struct err e;
    char collection[200];
    _cleanup_kobj_ const struct kobj *o = kobj_parse(text, strlen(text), &e);

    if (!o) {
        fprintf(stderr, "%s\n%s\n", e.msg, text);
        abort();
    }
    collection_of(r, collection, sizeof(collection));
    store(f, collection, kmut_from(o));
}

const struct kobj *fake_api_get(struct fake_api *f, const struct kube_resource *r, const char *ns,
                                const char *name)
{
    char collection[200];

    collection_of(r, collection, sizeof(collection));
    _cleanup_free_ char *id = id_of(collection, ns, name);
    return map_get(f->objects, id);
}

void fake_api_delete(struct fake_api *f, const struct kube_resource *r, const char *ns,
                     const char *name)
{
    char collection[200];

    collection_of(r, collection, sizeof(collection));
    _cleanup_free_ char *id = id_of(collection, ns, name);
    if (map_has(f->objects, id))
        erase(f, collection, id);
}

size_t fake_api_count(struct fake_api *f, const struct kube_resource *r)
{
    char collection[201];
    const char *id;
    void *o;
    size_t n = 0;

    collection_of(r, collection, sizeof(collection) - 1);
    strcat(collection, "|");
    for (size_t it = 0; map_next(f->objects, &it, &id, &o);)
        n += z_starts(id, collection);
    return n;
}

/* ---- requests ---- */
static void fail(struct http_exchange *x, int code, const char *reason)
{
    _cleanup_free_ char *text = xasprintf(
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"reason\":\"%s\","
        "\"message\":\"the fake says %s\",\"code\":%d}",
        reason, reason, code);

    http_reply(x, code, "application/json", text, strlen(text));
}

static void answer(struct http_exchange *x, int code, const struct kobj *o)
{
    size_t n;
    _cleanup_free_ char *text = json_text(kobj_root(o), &n);

    http_reply(x, code, "application/json", text, n);
}

static void copy(char *to, size_t size, struct str from)
{
    snprintf(to, size, STR_FMT, STR_ARG(from));
}

static bool parse_path(struct str path, struct target *t)
{
    struct str part, group = STR("");

    *t = (struct target){0};
    str_split(&path, '/', &part); /* before the first slash */
    if (!str_split(&path, '/', &part))
        return false;
    if (str_eq(part, STR("apis")))
        str_split(&path, '/', &group);
    str_split(&path, '/', &part); /* version */
    if (!str_split(&path, '/', &part))
        return false;
    if (str_eq(part, STR("namespaces")) && path.n && memchr(path.p, '/', path.n)) {
        str_split(&path, '/', &part);
        copy(t->ns, sizeof(t->ns), part);
        str_split(&path, '/', &part);
    }
    snprintf(t->collection, sizeof(t->collection), STR_FMT "/" STR_FMT, STR_ARG(group),
             STR_ARG(part));
    if (str_split(&path, '/', &part))
        copy(t->name, sizeof(t->name), part);
    if (str_split(&path, '/', &part))
        copy(t->sub, sizeof(t->sub), part);
    return true;
}

static void on_watch_closed(void *ctx)
{
    watcher_free(ctx);
}

static void start_watch(struct fake_api *f, const struct target *t, struct http_exchange *x)
{
    _cleanup_free_ char *from = http_query_get(http_query(x), "resourceVersion");
    uint64_t rv = 0;

    if (from)
        str_u64(str_of(from), &rv);
    if (rv < f->oldest || rv > f->rv) {
        fail(x, 410, "Expired");
        return;
    }
    struct watcher *w = xnew(struct watcher);
    *w = (struct watcher){.f = f, .x = x, .collection = xstrdup(t->collection)};
    list_push_back(&f->watchers, &w->node);
    http_on_close(x, on_watch_closed, w);
    http_start(x, 200, "application/json");
    for (size_t i = 0; i < f->history.n; i++) {
        const struct change *c = &f->history.p[i];
        if (c->rv > rv && streq(c->collection, t->collection))
            http_chunk(x, c->line, strlen(c->line));
    }
}

static int by_key(const void *a, const void *b)
{
    const struct kobj *x = *(const struct kobj *const *)a, *y = *(const struct kobj *const *)b;
    _cleanup_free_ char *k = kobj_key(x), *l = kobj_key(y);

    return strcmp(k, l);
}

static struct snapshot *take_snapshot(struct fake_api *f, const char *collection)
{
    struct snapshot *s = xnew(struct snapshot);
    size_t n = strlen(collection);
    const struct kobj *o;
    const char *id;

    s->rv = f->rv;
    s->collection = xstrdup(collection);
    for (size_t it = 0; map_next(f->objects, &it, &id, &o);) {
        if (strncmp(id, collection, n) == 0 && id[n] == '|')
            vec_push(&s->items, kobj_ref(o));
    }
    if (s->items.n)
        qsort(s->items.p, s->items.n, sizeof(*s->items.p), by_key);
    return s;
}

static struct snapshot *find_snapshot(const struct fake_api *f, const char *collection, uint64_t rv)
{
    for (size_t i = 0; i < f->snapshots.n; i++) {
        struct snapshot *s = f->snapshots.p[i];
        if (s->rv == rv && streq(s->collection, collection))
            return s;
    }
    return NULL;
}

/* Items behind `after`; the token of what follows them, "" at the end. */
static void add_items(struct buf *b, const struct snapshot *s, const char *after, int64_t max,
                      char *more, size_t size)
{
    int64_t n = 0;

    for (size_t i = 0; i < s->items.n; i++) {
        _cleanup_free_ char *key = kobj_key(s->items.p[i]);
        if (strcmp(key, after) <= 0)
            continue;
        _cleanup_free_ char *text = json_text(kobj_root(s->items.p[i]), NULL);
        buf_addf(b, "%s%s", n ? "," : "", text);
        if (++n == max && i + 1 < s->items.n) {
            snprintf(more, size, "%" PRIu64 ":%s", s->rv, key);
            return;
        }
    }
}

static void list(struct fake_api *f, const struct target *t, struct http_exchange *x)
{
    _cleanup_free_ char *limit = http_query_get(http_query(x), "limit");
    _cleanup_free_ char *token = http_query_get(http_query(x), "continue");
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 24);
    const char *after = token ? strchr(token, ':') + 1 : "";
    struct snapshot *s = NULL;
    char more[300] = "";
    int64_t max = 0;

    if (limit)
        str_i64(str_of(limit), &max);
    if (token && f->keeps_snapshots) {
        s = find_snapshot(f, t->collection, strtoull(token, NULL, 10));
        if (!s) {
            fail(x, 410, "Expired");
            return;
        }
    }
    bool fresh = !s && !find_snapshot(f, t->collection, f->rv);
    s = s ? s : fresh ? take_snapshot(f, t->collection) : find_snapshot(f, t->collection, f->rv);
    buf_addz(&b, "{\"items\":[");
    add_items(&b, s, after, max, more, sizeof(more));
    buf_addf(&b, "],\"metadata\":{\"resourceVersion\":\"%" PRIu64 "\",\"continue\":\"%s\"}}", s->rv,
             more);
    if (fresh && f->keeps_snapshots)
        vec_push(&f->snapshots, s);
    else if (fresh)
        snapshot_free(s);
    http_reply(x, 200, "application/json", b.p, b.n);
}

static void create(struct fake_api *f, const struct target *t, struct http_exchange *x)
{
    struct err e;
    _cleanup_kobj_ const struct kobj *o = kobj_parse(http_body(x).p, http_body(x).n, &e);

    if (!o) {
        fail(x, 400, "BadRequest");
        return;
    }
    _cleanup_free_ char *id = id_of(t->collection, kobj_namespace(o), kobj_name(o));
    if (map_has(f->objects, id))
        fail(x, 409, "AlreadyExists");
    else
        answer(x, 201, store(f, t->collection, kmut_from(o)));
}

static void update(struct fake_api *f, const struct target *t, struct http_exchange *x,
                   const struct kobj *live)
{
    struct err e;
    _cleanup_kobj_ const struct kobj *o = kobj_parse(http_body(x).p, http_body(x).n, &e);

    if (!o || kobj_rv(o) != kobj_rv(live)) {
        fail(x, o ? 409 : 400, o ? "Conflict" : "BadRequest");
        return;
    }
    bool status = streq(t->sub, "status");
    struct kmut *m = kmut_from(status ? live : o);
    jm_set_copy(KM(m), jget(kobj_root(status ? o : live), "status"), "status");
    bool same_spec = json_equal(jget(kobj_root(o), "spec"), jget(kobj_root(live), "spec"));
    if (!status && !same_spec)
        jm_set_int(KM(m), kobj_generation(live) + 1, "metadata", "generation");
    answer(x, 200, store(f, t->collection, m));
}

static void patch(struct fake_api *f, const struct target *t, struct http_exchange *x,
                  const struct kobj *live)
{
    struct err e = {0};
    bool json = str_eq(http_request_header(x, "Content-Type"), STR("application/json-patch+json"));
    _cleanup_jdoc_ yyjson_doc *p = json_parse(http_body(x).p, http_body(x).n, &e);
    yyjson_mut_doc *d = !p     ? NULL
                        : json ? patch_json(kobj_root(live), yyjson_doc_get_root(p), &e)
                               : patch_merge(kobj_root(live), yyjson_doc_get_root(p), &e);

    if (!d) {
        fail(x, 422, "Invalid");
        return;
    }
    struct kmut *m = xnew(struct kmut);
    *m = (struct kmut){d, yyjson_mut_doc_get_root(d)};
    const struct kobj *o = store(f, t->collection, m);
    if (!streq(t->sub, "scale")) {
        answer(x, 200, o);
        return;
    }
    const char *scale =
        "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/v1\",\"metadata\":{\"name\":\"x\"}}";
    http_reply(x, 200, "application/json", scale, strlen(scale));
}

static void on_object(struct fake_api *f, const struct target *t, struct http_exchange *x)
{
    _cleanup_free_ char *id = id_of(t->collection, t->ns, t->name);
    const struct kobj *live = map_get(f->objects, id);
    struct str method = http_method(x);

    if (!live) {
        fail(x, 404, "NotFound");
    } else if (str_eq(method, STR("GET"))) {
        answer(x, 200, live);
    } else if (str_eq(method, STR("PUT"))) {
        update(f, t, x, live);
    } else if (str_eq(method, STR("PATCH"))) {
        patch(f, t, x, live);
    } else {
        erase(f, t->collection, id);
        http_reply(x, 200, "application/json", "{\"kind\":\"Status\",\"status\":\"Success\"}", 36);
    }
}

void fake_api_handle(void *ctx, struct http_exchange *x)
{
    struct fake_api *f = ctx;
    struct target t;
    const char *reason = "Refused";
    _cleanup_free_ char *watching = http_query_get(http_query(x), "watch");
    char *entry = xasprintf(STR_FMT " " STR_FMT, STR_ARG(http_method(x)), STR_ARG(http_path(x)));

    vec_push(&f->journal, entry);
    int code = f->refuse ? f->refuse(f->refuse_ctx, http_method(x), http_path(x), &reason) : 0;
    if (code)
        fail(x, code, reason);
    else if (!parse_path(http_path(x), &t))
        fail(x, 404, "NotFound");
    else if (*t.name)
        on_object(f, &t, x);
    else if (str_eq(http_method(x), STR("POST")))
        create(f, &t, x);
    else if (watching)
        start_watch(f, &t, x);
    else
        list(f, &t, x);
}
