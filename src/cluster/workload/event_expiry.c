/* A sweep walks the pages of all Events and deletes the old ones of each page one by one before it
 * asks for the next. */
#include "cluster/workload/event_expiry.h"

#include <ctype.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"

#define KEEP_NS     (3600 * NS_PER_SEC)
#define SWEEP_MS    (5 * 60 * 1000)
#define PAGE        200
#define LONGEST_URL 4096

struct event_expiry {
    struct manager *m;
    struct timer *sweep;
    yyjson_doc *page; /* being worked on */
    size_t at;
    bool asking, freed;
};

static void step(struct event_expiry *x);

static int64_t stamp(const yyjson_val *event, const char *member)
{
    const char *t = jget_str(event, member);
    int64_t ns = 0;

    return t && clock_rfc3339_parse(t, &ns) == 0 ? ns : 0;
}

int64_t event_last_seen(const yyjson_val *event)
{
    int64_t at[] = {stamp(event, "lastTimestamp"), stamp(event, "eventTime"),
                    stamp(jget(event, "series"), "lastObservedTime"),
                    stamp(jget(event, "metadata"), "creationTimestamp")};
    int64_t newest = 0;

    for (size_t i = 0; i < ARRAY_LEN(at); i++)
        newest = at[i] > newest ? at[i] : newest;
    return newest;
}

static void really_free(struct event_expiry *x)
{
    timer_free(x->sweep);
    yyjson_doc_free(x->page);
    free(x);
}

void event_expiry_free(struct event_expiry *x)
{
    if (!x)
        return;
    x->freed = true;
    if (!x->asking)
        really_free(x);
}

/* False if the owner let go meanwhile; then x is freed. */
static bool answered(struct event_expiry *x)
{
    x->asking = false;
    if (!x->freed)
        return true;
    really_free(x);
    return false;
}

static void ask(struct event_expiry *x, const struct kube_request *rq, kube_done_fn *done)
{
    x->asking = true;
    kube_do(manager_client(x->m), rq, done, x);
}

static void on_page(void *ctx, const struct kube_status *st, struct str body)
{
    struct event_expiry *x = ctx;

    if (!answered(x))
        return;
    yyjson_doc_free(steal(&x->page));
    if (st->err.code)
        return; /* the next sweep begins anew */
    x->page = json_parse(body.p, body.n, NULL);
    x->at = 0;
    step(x);
}

static void ask_page(struct event_expiry *x, const char *token)
{
    _cleanup_buf_ struct buf query = BUF_INIT(LONGEST_URL);

    buf_addf(&query, "limit=%d", PAGE);
    if (token)
        buf_addz(&query, "&continue=");
    for (; token && *token; token++)
        buf_addf(&query, isalnum((unsigned char)*token) ? "%c" : "%%%02X", (unsigned char)*token);
    ask(x, &(struct kube_request){.verb = KUBE_LIST, .res = &KR_EVENT, .query = query.p}, on_page);
}

static void on_deleted(void *ctx, const struct kube_status *st, struct str body)
{
    if (answered(ctx))
        step(ctx);
}

static void delete_event(struct event_expiry *x, yyjson_val *event)
{
    ask(x,
        &(struct kube_request){.verb = KUBE_DELETE,
                               .res = &KR_EVENT,
                               .ns = jget_str(event, "metadata", "namespace"),
                               .name = jget_str(event, "metadata", "name")},
        on_deleted);
}

/* Goes on with the page; behind its last event with the next page, if there is one. */
static void step(struct event_expiry *x)
{
    yyjson_val *items = x->page ? jget(x->page->root, "items") : NULL;
    const char *token = x->page ? jget_str(x->page->root, "metadata", "continue") : NULL;
    int64_t oldest = clock_wall_ns() - KEEP_NS;

    while (x->at < yyjson_arr_size(items)) {
        yyjson_val *event = yyjson_arr_get(items, x->at++);
        if (event_last_seen(event) < oldest && jget_str(event, "metadata", "name")) {
            delete_event(x, event);
            return;
        }
    }
    if (token && *token)
        ask_page(x, token);
    else
        yyjson_doc_free(steal(&x->page));
}

void event_expiry_sweep(struct event_expiry *x)
{
    if (!x->asking)
        ask_page(x, NULL);
}

static void on_sweep(void *ctx)
{
    event_expiry_sweep(ctx);
}

struct event_expiry *event_expiry_new(struct manager *m)
{
    struct event_expiry *x = xnew(struct event_expiry);

    x->m = m;
    x->sweep = timer_new(manager_loop(m), on_sweep, x);
    timer_repeat(x->sweep, SWEEP_MS);
    return x;
}
