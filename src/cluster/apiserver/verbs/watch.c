/*
 * WATCH: one streamed answer per watcher, fed by the store's hub. A change becomes ADDED or DELETED
 * for a watcher whose selector it enters or leaves. What watchers have in common of an event, its
 * text and the parsed objects, is made once.
 *
 * A watcher that does not read is dropped once LIMIT_WATCH_QUEUE bytes wait for it (on top of what
 * its initial list left), so that its client lists again instead of holding memory.
 */
#include "base/clock.h"
#include "base/rand.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/kinds/version.h"
#include "cluster/apiserver/request/limits.h"
#include "cluster/apiserver/verbs/select.h"
#include "cluster/apiserver/verbs/verbs.h"
#include "cluster/apiserver/verbs/watchers.h"

#define BOOKMARK_NS   (60 * NS_PER_SEC)
#define DEFAULT_MIN_S 1800
#define MAX_EVENT     (16 * LIMIT_OBJECT)

struct watcher {
    struct watch_entry entry;
    struct watchers *all;
    struct api_request *r; /* owned: kind, query, form */
    struct store_watch *sw;
    int64_t ends, next_bookmark; /* monotonic; 0 = none */
    uint64_t seen;               /* newest revision delivered or known to be older */
    size_t allowance;
    bool busy, gone, failed;
};

static void watcher_free(struct watcher *w)
{
    if (w->sw)
        store_watch_stop(w->sw);
    watchers_remove(w->all, &w->entry);
    request_free(w->r);
    free(w);
}

/* The exchange is gone or was ended; frees unless the watcher is in use further up the stack. */
static void leave(struct watcher *w)
{
    w->gone = true;
    w->r->x = NULL;
    if (!w->busy)
        watcher_free(w);
}

static void on_close(void *ctx)
{
    leave(ctx);
}

static void send(struct watcher *w, const char *p, size_t n, bool initial)
{
    if (w->gone || w->failed)
        return;
    ssize_t waiting = http_chunk(w->r->x, p, n);

    if (w->gone)
        return;
    if (waiting < 0) {
        w->failed = true;
        return;
    }
    if (initial)
        w->allowance = LIMIT_WATCH_QUEUE + (size_t)waiting;
    else if ((size_t)waiting < LIMIT_WATCH_QUEUE)
        w->allowance = LIMIT_WATCH_QUEUE;
    if ((size_t)waiting > w->allowance)
        w->failed = true;
}

/* Ends what send found broken. The caller has set busy. */
static void settle(struct watcher *w)
{
    w->busy = false;
    if (!w->gone && w->failed) {
        http_abort(steal(&w->r->x));
        w->gone = true;
    }
    if (w->gone)
        watcher_free(w);
}

static void put_shown(struct watcher *w, struct buf *out, const yyjson_val *root)
{
    const struct api_request *r = w->r;

    if (r->accept.form == FORM_PARTIAL) {
        partial_object(out, root, r->accept.v1beta1);
        return;
    }
    table_begin(out, r->kind, r->accept.v1beta1, "{}");
    table_row(out, r->kind, r->accept.v1beta1, root, r->q.include, loop_wall_ns(w->all->loop));
    table_end(out);
    out->n--; /* the frame ends with the only line break */
}

static bool is_plain(const struct watcher *w)
{
    return w->r->accept.form == FORM_JSON || w->r->accept.form == FORM_YAML;
}

static void frame(struct watcher *w, struct buf *out, const char *type, const struct store_obj *o)
{
    buf_addf(out, "{\"type\":\"%s\",\"object\":", type);
    if (is_plain(w))
        version_write(out, w->r->kind, store_obj_bytes(o));
    else
        put_shown(w, out, event_parsed(&w->all->events, o));
    buf_addz(out, "}\n");
}

static void send_event(struct watcher *w, const char *type, const struct store_obj *o, bool initial)
{
    bool shared = is_plain(w) && !initial && version_is_stored(w->r->kind);
    struct str text = shared ? event_text(&w->all->events, o, type) : STR_NULL;

    if (text.n) {
        send(w, text.p, text.n, false);
        return;
    }
    _cleanup_buf_ struct buf b = BUF_INIT(MAX_EVENT);

    frame(w, &b, type, o);
    send(w, b.p, b.n, initial);
    if (shared)
        event_keep(&w->all->events, o, type, &b);
}

static bool wants(const struct watcher *w, const struct store_obj *o)
{
    const struct api_query *q = &w->r->q;

    if (!o)
        return false;
    if (w->r->path.name[0]) {
        const char *name = strrchr(store_obj_key(o), '/');

        if (!name || !streq(name + 1, w->r->path.name))
            return false;
    }
    if (!q->labels && !q->fields)
        return true;
    const yyjson_val *root = event_parsed(&w->all->events, o);

    return root && select_object(q, root);
}

static const char *type_for(const struct watcher *w, enum store_event ev, const struct store_obj *o,
                            const struct store_obj *prev)
{
    static const char added[] = "ADDED", modified[] = "MODIFIED", deleted[] = "DELETED";

    if (ev == STORE_ADDED)
        return wants(w, o) ? added : NULL;
    if (ev == STORE_DELETED)
        return wants(w, prev ? prev : o) ? deleted : NULL;
    bool now = wants(w, o), before = prev ? wants(w, prev) : now;

    if (now)
        return before ? modified : added;
    return before ? deleted : NULL;
}

static void on_event(void *ctx, enum store_event ev, const struct store_obj *o,
                     const struct store_obj *prev)
{
    struct watcher *w = ctx;
    bool nested = w->busy;
    const char *type = type_for(w, ev, o, prev);

    w->seen = store_obj_rev(o);
    if (!type)
        return;
    w->busy = true;
    send_event(w, type, o, false);
    if (!nested)
        settle(w);
}

static void bookmark_object(struct watcher *w, struct buf *out, bool initial_end)
{
    const struct kube_resource *res = &w->r->kind->res;
    char api[600];

    kube_api_version(res, api, sizeof(api));
    buf_addz(out, "{\"kind\":");
    json_quote(out, res->kind);
    buf_addz(out, ",\"apiVersion\":");
    json_quote(out, api);
    buf_addf(out, ",\"metadata\":{\"resourceVersion\":\"%llu\",\"creationTimestamp\":null%s}}",
             (unsigned long long)store_rev(w->r->env->core->store),
             initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
}

static void bookmark(struct watcher *w, bool initial_end)
{
    _cleanup_buf_ struct buf b = BUF_INIT(16384), obj = BUF_INIT(8192);

    bookmark_object(w, &obj, initial_end);
    buf_addz(&b, "{\"type\":\"BOOKMARK\",\"object\":");
    if (w->r->accept.form == FORM_TABLE) {
        _cleanup_jdoc_ yyjson_doc *d = json_parse(obj.p, obj.n, NULL);

        put_shown(w, &b, yyjson_doc_get_root(d));
    } else {
        buf_add(&b, obj.p, obj.n);
    }
    buf_addz(&b, "}\n");
    send(w, b.p, b.n, initial_end);
}

/* ---- time ---- */
static void schedule(struct watcher *w)
{
    bool mark = w->next_bookmark && w->next_bookmark < w->ends;

    watchers_schedule(w->all, &w->entry, mark ? w->next_bookmark : w->ends);
}

static void end(struct watcher *w)
{
    struct http_exchange *x = steal(&w->r->x);

    w->gone = true;
    if (x)
        http_end(x);
}

static void on_due(struct watch_entry *e, int64_t now)
{
    struct watcher *w = container_of(e, struct watcher, entry);

    w->busy = true;
    if (w->r->q.bookmarks && !w->failed)
        bookmark(w, false);
    w->next_bookmark = w->r->q.bookmarks ? now + BOOKMARK_NS : 0;
    if (now >= w->ends && !w->gone && !w->failed)
        end(w);
    if (!w->gone)
        schedule(w);
    settle(w);
}

static void on_stop(struct watch_entry *e)
{
    struct watcher *w = container_of(e, struct watcher, entry);

    if (w->r->x)
        http_end(steal(&w->r->x));
    watcher_free(w);
}

/* ---- the request ---- */
static int send_initial(void *ctx, const struct store_obj *o)
{
    struct watcher *w = ctx;

    if (wants(w, o))
        send_event(w, "ADDED", o, true);
    return w->gone || w->failed;
}

static int start_at(struct api_request *r, const char *prefix, bool *ret_initial,
                    uint64_t *ret_from)
{
    const struct store *s = r->env->core->store;
    uint64_t now = store_rev(s), oldest = store_compacted_rev(s, prefix);

    *ret_initial = !r->q.has_rv || !r->q.rv || r->q.initial_events;
    *ret_from = *ret_initial ? now : r->q.rv;
    if (r->q.has_rv && r->q.rv > now)
        return api_fail_too_large_rv(&r->st, r->q.rv, now);
    if (*ret_from < oldest)
        return api_fail_expired(&r->st, *ret_from, oldest);
    return 0;
}

static int64_t time_limit(const struct watcher *w)
{
    int64_t s = w->r->q.timeout_s;

    if (!s)
        s = DEFAULT_MIN_S + (int64_t)(rand_fast() % DEFAULT_MIN_S);
    return loop_now_ns(w->all->loop) + s * NS_PER_SEC;
}

static void begin(struct watcher *w, const char *prefix, bool initial, uint64_t from)
{
    struct api_request *r = w->r;
    struct store *s = r->env->core->store;
    struct err e = {0};

    http_set_header(r->x, "Cache-Control", "no-cache, private");
    http_start(r->x, 200, "application/json");
    if (initial)
        store_each(s, prefix, send_initial, w);
    if (initial && r->q.initial_events && r->q.bookmarks && !w->gone && !w->failed)
        bookmark(w, true);
    if (!w->gone && !w->failed)
        w->sw = store_watch_start(s, prefix, from, on_event, w, &e);
    if (!w->sw)
        w->failed = true; /* compacted in between: the client lists again */
}

static struct watcher *watcher_new(struct api_request *r)
{
    struct watcher *w = xnew(struct watcher);

    w->entry = (struct watch_entry){.due = on_due, .stop = on_stop};
    w->all = r->env->watchers;
    w->r = r;
    w->allowance = LIMIT_WATCH_QUEUE;
    w->ends = time_limit(w);
    w->next_bookmark = r->q.bookmarks ? loop_now_ns(w->all->loop) + BOOKMARK_NS : 0;
    watchers_add(w->all, &w->entry);
    http_on_close(r->x, on_close, w);
    return w;
}

void verb_watch(struct api_request *r)
{
    _cleanup_free_ char *prefix = r->path.name[0]
                                      ? kind_key(&r->kind->res, r->path.ns, r->path.name)
                                      : kind_prefix(&r->kind->res, r->path.ns);
    uint64_t from;
    bool initial;

    r->q.watch = true;
    if (api_query_check(&r->q, &r->st) < 0 || start_at(r, prefix, &initial, &from) < 0 ||
        select_check(&r->q, r->kind, &r->st) < 0) {
        request_fail(r);
        return;
    }
    struct watcher *w = watcher_new(r);

    w->busy = true;
    begin(w, prefix, initial, from);
    if (!w->gone && !w->failed)
        schedule(w);
    settle(w);
}
