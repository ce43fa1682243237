/*
 * A sweep walks the pages of all Events and deletes the old ones of each page one by one before it
 * asks for the next. Where more are left than may be kept, it walks them once more and deletes what
 * is not younger than the oldest that may stay.
 */
#include "cluster/workload/event_expiry.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/vec.h"

#define KEEP_NS     (3600 * NS_PER_SEC)
#define SWEEP_MS    (60 * 1000)
#define PAGE        200
#define LONGEST_URL 4096

struct event_expiry {
    struct manager *m;
    struct timer *sweep;
    yyjson_doc *page; /* being worked on */
    size_t at;
    size_t limit;
    VEC(int64_t) kept; /* when the Events that the first walk leaves were last seen */
    size_t excess;     /* to be deleted in the second walk */
    int64_t cutoff;    /* as old as this, or older */
    bool counting;     /* the first walk */
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
    vec_done(&x->kept);
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

static bool must_go(struct event_expiry *x, int64_t seen, int64_t oldest)
{
    if (seen < oldest)
        return true;
    if (x->excess == 0 || seen > x->cutoff)
        return false;
    x->excess--;
    return true;
}

static int by_age(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* All pages were walked. */
static void end_walk(struct event_expiry *x)
{
    yyjson_doc_free(steal(&x->page));
    x->excess = x->kept.n > x->limit ? x->kept.n - x->limit : 0;
    if (x->excess) {
        qsort(x->kept.p, x->kept.n, sizeof(*x->kept.p), by_age);
        x->cutoff = x->kept.p[x->excess - 1];
        ask_page(x, NULL);
    }
    vec_done(&x->kept);
    x->counting = false;
}

/* Goes on with the page; behind its last event with the next page, if there is one. */
static void step(struct event_expiry *x)
{
    yyjson_val *items = x->page ? jget(x->page->root, "items") : NULL;
    const char *token = x->page ? jget_str(x->page->root, "metadata", "continue") : NULL;
    int64_t oldest = loop_wall_ns(manager_loop(x->m)) - KEEP_NS;

    while (x->at < yyjson_arr_size(items)) {
        yyjson_val *event = yyjson_arr_get(items, x->at++);
        int64_t seen = event_last_seen(event);
        if (jget_str(event, "metadata", "name") && must_go(x, seen, oldest)) {
            delete_event(x, event);
            return;
        }
        if (x->counting)
            vec_push(&x->kept, seen);
    }
    if (token && *token)
        ask_page(x, token);
    else if (x->counting)
        end_walk(x);
    else
        yyjson_doc_free(steal(&x->page));
}

void event_expiry_sweep(struct event_expiry *x)
{
    if (x->asking)
        return;
    x->kept.n = x->excess = 0;
    x->counting = true;
    ask_page(x, NULL);
}

static void on_sweep(void *ctx)
{
    event_expiry_sweep(ctx);
}

struct event_expiry *event_expiry_new(struct manager *m, size_t limit)
{
    struct event_expiry *x = xnew(struct event_expiry);

    x->m = m;
    x->limit = limit;
    x->sweep = timer_new(manager_loop(m), on_sweep, x);
    timer_repeat(x->sweep, SWEEP_MS);
    return x;
}
