/*
 * A watch is a stream of lines, each an event. Bytes collect until a line is whole; a line is
 * bounded by the size of an object. A callback may stop the watch, so the object outlives the loop
 * over the lines (`busy`).
 */
#include <errno.h>

#include "base/buf.h"
#include "base/limits.h"
#include "kube/client_impl.h"

/* An event is an object and its envelope; servers escape text, so an object can grow on the wire.
 */
#define LINE_MAX_BYTES (2 * LIMIT_API_BODY)

#define KEEP_LINE 1024

struct kube_watch {
    struct list node;
    struct kube_client *client;
    struct kube_watch_events events;
    void *ctx;
    void *running; /* NULL when the transport is done with it */
    char *what;
    struct buf line;
    int status;
    bool busy, stopped;
};

static void release(struct kube_watch *w)
{
    list_del(&w->node);
    if (w->running)
        w->client->transport->ops->cancel(w->running);
    w->running = NULL;
    if (w->busy) {
        w->stopped = true;
        return;
    }
    buf_done(&w->line);
    free(w->what);
    free(w);
}

static void end(struct kube_watch *w, const struct kube_status *st)
{
    struct kube_watch_events ev = w->events;
    void *ctx = w->ctx;

    release(w);
    ev.on_end(ctx, st);
}

static void end_with(struct kube_watch *w, const struct err *err, int status,
                     const yyjson_val *body)
{
    struct kube_status st;

    kube_status_of(&st, w->what, err, status, body);
    end(w, &st);
}

/* An ERROR event carries a Status; its code is the answer's in all but name. */
static void on_error_event(struct kube_watch *w, const yyjson_val *status)
{
    int code = (int)jget_int(status, 500, "code");

    end_with(w, NULL, code >= 300 ? code : 500, status);
}

static void on_line(struct kube_watch *w, const char *p, size_t n)
{
    struct err e = {0};
    _cleanup_jdoc_ yyjson_doc *d = json_parse(p, n, &e);
    const char *type = jget_str(yyjson_doc_get_root(d), "type");
    yyjson_val *object = jget(yyjson_doc_get_root(d), "object");

    if (!type || !yyjson_is_obj(object)) {
        if (!e.code)
            err_set(&e, -EPROTO, "the event lacks a type or an object");
        end_with(w, &e, 0, NULL);
        return;
    }
    if (streq(type, "ERROR")) {
        on_error_event(w, object);
        return;
    }
    _cleanup_kobj_ const struct kobj *o = kobj_share(kobj_from_val(object));
    w->events.on_event(w->ctx, type, o);
}

static void feed_lines(struct kube_watch *w)
{
    size_t used = 0;
    char *nl;

    while (!w->stopped && (nl = memchr(w->line.p + used, '\n', w->line.n - used))) {
        size_t n = (size_t)(nl - (w->line.p + used));
        if (n > 0)
            on_line(w, w->line.p + used, n);
        used += n + 1;
    }
    if (w->stopped)
        return;
    buf_consume(&w->line, used);
    if (w->line.n == 0 && w->line.cap > KEEP_LINE)
        buf_done(&w->line); /* dozens of watches are quiet most of the time */
}

static void on_head(void *ctx, int status)
{
    ((struct kube_watch *)ctx)->status = status;
}

static void on_chunk(void *ctx, const char *p, size_t n)
{
    struct kube_watch *w = ctx;

    if (buf_add(&w->line, p, n) < 0) {
        struct err e;
        err_set(&e, -E2BIG, "an event is larger than %d bytes", LINE_MAX_BYTES);
        end_with(w, &e, 0, NULL);
        return;
    }
    if (w->status != 200)
        return; /* the body of a refusal, read at its end */
    w->busy = true;
    feed_lines(w);
    w->busy = false;
    if (w->stopped) {
        buf_done(&w->line);
        free(w->what);
        free(w);
    }
}

static void on_done(void *ctx, const struct err *err, int status, struct str body)
{
    struct kube_watch *w = ctx;
    _cleanup_jdoc_ yyjson_doc *d =
        !err && status != 200 ? json_parse(buf_z(&w->line), w->line.n, NULL) : NULL;

    w->running = NULL;
    end_with(w, err, status, yyjson_doc_get_root(d));
}

struct kube_watch *kube_watch_start(struct kube_client *c, const struct kube_resource *res,
                                    const char *ns, const char *query,
                                    const struct kube_watch_events *ev, void *ctx)
{
    static const struct transport_events events = {on_head, on_chunk, on_done};
    _cleanup_free_ char *full =
        query && *query ? xasprintf("watch=true&%s", query) : xstrdup("watch=true");
    char *path = kube_path(res, ns, NULL, NULL, full);
    struct kube_watch *w = xnew(struct kube_watch);

    w->client = c;
    w->events = *ev;
    w->ctx = ctx;
    w->what = xasprintf("watching %.*s", (int)strcspn(path, "?"), path);
    buf_init(&w->line, LINE_MAX_BYTES);
    list_push_back(&c->watches, &w->node);
    w->running = c->transport->ops->call(
        c->transport,
        &(struct transport_call){.method = STR("GET"), .path = str_of(path), .stream = true},
        &events, w);
    free(path);
    return w;
}

void kube_watch_stop(struct kube_watch *w)
{
    if (w)
        release(w);
}

void kube_watches_end(struct kube_client *c, const struct err *why)
{
    while (!list_empty(&c->watches))
        end_with(list_entry(c->watches.next, struct kube_watch, node), why, 0, NULL);
}
