/*
 * WATCH: one streamed answer per watcher, fed by the store's hub. A change becomes ADDED or DELETED
 * for a watcher whose selector it enters or leaves. The text of the newest event is kept and shared
 * by watchers that want it in the same form. Bookmarks and time limits come from one heap of
 * deadlines and one timer.
 *
 * A watcher that does not read is dropped once LIMIT_WATCH_QUEUE bytes wait for it (on top of what
 * its initial list left), so that its client lists again instead of holding memory.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/rand.h"
#include "cluster/apiserver/kinds/canon.h"
#include "cluster/apiserver/core.h"
#include "cluster/apiserver/kinds/table.h"

#define BOOKMARK_NS   (60 * NS_PER_SEC)
#define DEFAULT_MIN_S 1800
#define MAX_EVENT     (16 * LIMIT_OBJECT)

struct watcher {
    struct list link;
    struct api_request *r; /* owned: kind, query, form */
    struct store_watch *sw;
    struct heap_node deadline;
    int64_t ends, next_bookmark; /* monotonic; 0 = none */
    uint64_t seen;               /* newest revision delivered or known to be older */
    size_t allowance;
    bool busy, gone, failed;
};

static void watcher_free(struct watcher *w)
{
    struct apiserver *a = w->r->a;

    if (w->sw)
        store_watch_stop(w->sw);
    if (w->deadline.at != HEAP_NONE)
        heap_remove(&a->deadlines, &w->deadline);
    list_del(&w->link);
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

static void put_object(struct watcher *w, struct buf *out, struct str bytes)
{
    const struct api_request *r = w->r;
    char api[600];

    if (r->accept.form == FORM_JSON || r->accept.form == FORM_YAML) {
        kube_api_version(&r->kind->res, api, sizeof(api));
        if (r->kind->definition && !r->kind->storage)
            canon_add_as(out, bytes, api);
        else
            buf_add(out, bytes.p, bytes.n);
        return;
    }
    _cleanup_jdoc_ yyjson_doc *d = json_parse(bytes.p, bytes.n, NULL);
    const yyjson_val *root = yyjson_doc_get_root(d);

    if (r->accept.form == FORM_PARTIAL) {
        partial_object(out, root, r->accept.v1beta1);
        return;
    }
    table_begin(out, r->kind, r->accept.v1beta1, "{}");
    table_row(out, r->kind, r->accept.v1beta1, root, r->q.include, clock_wall_ns());
    table_end(out);
    out->n--; /* the frame ends with the only line break */
}

static void frame(struct watcher *w, struct buf *out, const char *type, struct str bytes)
{
    buf_addf(out, "{\"type\":\"%s\",\"object\":", type);
    put_object(w, out, bytes);
    buf_addz(out, "}\n");
}

static void send_event(struct watcher *w, const char *type, const struct store_obj *o, bool initial)
{
    struct shared_frame *last = &w->r->a->frame;
    bool shared = w->r->accept.form == FORM_JSON && !initial &&
                  (!w->r->kind->definition || w->r->kind->storage);

    if (shared && last->obj == o && last->type == type) {
        send(w, last->text.p, last->text.n, false);
        return;
    }
    _cleanup_buf_ struct buf b = BUF_INIT(MAX_EVENT);

    frame(w, &b, type, store_obj_bytes(o));
    send(w, b.p, b.n, initial);
    if (!shared)
        return;
    store_obj_unref(last->obj);
    last->obj = store_obj_ref(o);
    last->type = type;
    buf_done(&last->text);
    last->text = b;
    b = BUF_INIT(MAX_EVENT);
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
    struct str b = store_obj_bytes(o);
    _cleanup_jdoc_ yyjson_doc *d = json_parse(b.p, b.n, NULL);

    return d && select_object(q, yyjson_doc_get_root(d));
}

static const char *type_for(const struct watcher *w, enum store_event ev, const struct store_obj *o,
                            const struct store_obj *prev)
{
    static const char *const words[2][2] = {{NULL, "ADDED"}, {"DELETED", "MODIFIED"}};

    switch (ev) {
    case STORE_ADDED:
        return wants(w, o) ? "ADDED" : NULL;
    case STORE_DELETED:
        return wants(w, prev ? prev : o) ? "DELETED" : NULL;
    default:
        return words[prev ? wants(w, prev) : wants(w, o)][wants(w, o)];
    }
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

static void bookmark(struct watcher *w, bool initial_end)
{
    const struct kube_resource *res = &w->r->kind->res;
    _cleanup_buf_ struct buf b = BUF_INIT(8192);
    uint64_t rev = store_rev(w->r->a->store);
    char api[600], obj[2048];

    kube_api_version(res, api, sizeof(api));
    snprintf(obj, sizeof(obj),
             "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%llu\","
             "\"creationTimestamp\":null%s}}",
             res->kind, api, (unsigned long long)rev,
             initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
    if (w->r->accept.form == FORM_TABLE) {
        buf_addz(&b, "{\"type\":\"BOOKMARK\",\"object\":");
        put_object(w, &b, str_of(obj));
        buf_addz(&b, "}\n");
    } else {
        buf_addf(&b, "{\"type\":\"BOOKMARK\",\"object\":%s}\n", obj);
    }
    send(w, b.p, b.n, initial_end);
}

/* ---- time ---- */
static void arm(struct apiserver *a)
{
    struct heap_node *n = heap_peek(&a->deadlines);
    int64_t wait;

    if (!n) {
        timer_stop(a->tick);
        return;
    }
    wait = (n->key - clock_mono_ns()) / NS_PER_MS;
    timer_start(a->tick, wait > 0 ? (uint64_t)wait + 1 : 1);
}

static void schedule(struct watcher *w)
{
    struct apiserver *a = w->r->a;

    if (w->deadline.at != HEAP_NONE)
        heap_remove(&a->deadlines, &w->deadline);
    w->deadline.key = w->ends;
    if (w->next_bookmark && w->next_bookmark < w->ends)
        w->deadline.key = w->next_bookmark;
    heap_push(&a->deadlines, &w->deadline);
    arm(a);
}

static void end(struct watcher *w)
{
    struct http_exchange *x = steal(&w->r->x);

    w->gone = true;
    if (x)
        http_end(x);
}

static void on_deadline(struct watcher *w, int64_t now)
{
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

static void on_tick(void *ctx)
{
    struct apiserver *a = ctx;
    int64_t now = clock_mono_ns();

    for (struct heap_node *n; (n = heap_peek(&a->deadlines)) && n->key <= now;)
        on_deadline(container_of(n, struct watcher, deadline), now);
    arm(a);
}

void watchers_init(struct apiserver *a)
{
    list_init(&a->watchers);
    a->tick = timer_new(a->loop, on_tick, a);
}

void watchers_stop(struct apiserver *a)
{
    list_for_each_safe(it, &a->watchers)
    {
        struct watcher *w = list_entry(it, struct watcher, link);

        if (w->r->x)
            http_end(steal(&w->r->x));
        watcher_free(w);
    }
    store_obj_unref(steal(&a->frame.obj));
    buf_done(&a->frame.text);
    timer_free(steal(&a->tick));
    heap_done(&a->deadlines);
}

/* ---- the request ---- */
static int send_initial(void *ctx, const struct store_obj *o)
{
    struct watcher *w = ctx;

    if (wants(w, o))
        send_event(w, "ADDED", o, true);
    return w->gone || w->failed;
}

static int start_at(struct api_request *r, bool *ret_initial, uint64_t *ret_from)
{
    uint64_t now = store_rev(r->a->store), oldest = store_compacted_rev(r->a->store);

    *ret_initial = !r->q.has_rv || !r->q.rv || r->q.initial_events;
    *ret_from = *ret_initial ? now : r->q.rv;
    if (r->q.has_rv && r->q.rv > now)
        return api_fail_too_large_rv(&r->st, r->q.rv, now);
    if (*ret_from < oldest)
        return api_fail_expired(&r->st, *ret_from, oldest);
    return 0;
}

static int64_t time_limit(const struct api_request *r)
{
    int64_t s = r->q.timeout_s;

    if (!s)
        s = DEFAULT_MIN_S + (int64_t)(rand_fast() % DEFAULT_MIN_S);
    return clock_mono_ns() + s * NS_PER_SEC;
}

static void begin(struct watcher *w, bool initial, uint64_t from)
{
    struct api_request *r = w->r;
    _cleanup_free_ char *prefix = r->path.name[0]
                                      ? kind_key(&r->kind->res, r->path.ns, r->path.name)
                                      : kind_prefix(&r->kind->res, r->path.ns);
    struct err e = {0};

    http_set_header(r->x, "Cache-Control", "no-cache, private");
    http_start(r->x, 200, "application/json");
    if (initial)
        store_each(r->a->store, prefix, send_initial, w);
    if (initial && r->q.initial_events && r->q.bookmarks && !w->gone && !w->failed)
        bookmark(w, true);
    if (!w->gone && !w->failed)
        w->sw = store_watch_start(r->a->store, prefix, from, on_event, w, &e);
    if (!w->sw)
        w->failed = true; /* compacted in between: the client lists again */
}

void verb_watch(struct api_request *r)
{
    uint64_t from;
    bool initial;

    if (start_at(r, &initial, &from) < 0 || select_check(&r->q, r->kind, &r->st) < 0) {
        request_fail(r);
        return;
    }
    struct watcher *w = xnew(struct watcher);

    w->r = r;
    w->allowance = LIMIT_WATCH_QUEUE;
    w->deadline.at = HEAP_NONE;
    w->busy = true;
    list_push_back(&r->a->watchers, &w->link);
    http_on_close(r->x, on_close, w);
    w->ends = time_limit(r);
    w->next_bookmark = r->q.bookmarks ? clock_mono_ns() + BOOKMARK_NS : 0;
    begin(w, initial, from);
    if (!w->gone && !w->failed)
        schedule(w);
    settle(w);
}
