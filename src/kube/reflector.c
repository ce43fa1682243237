/*
 * One timer drives the next step (list or watch); a delay of zero is the normal case. While a watch
 * runs the same timer is its deadline: the server was told when to end it, so one that lasts longer
 * hangs on a dead connection.
 *
 * A list may be taken in pages while the server changes. Its revision is that of the first page,
 * and the watch begins there: whatever happened between the pages is then seen once more at worst,
 * never missed, be the later pages of that same revision or of newer ones. During a list the keys
 * seen are kept, and what the cache has beyond them goes at its end, unless it is newer than the
 * list: then it is an own write that the list could not know.
 *
 * A list older than what was seen before means that the server lost its data, or is another: then
 * the list alone is true, whatever the cache holds.
 */
#include "kube/reflector.h"

#include <errno.h>

#include "base/buf.h"
#include "base/clock.h"
#include "http/limits.h"
#include "base/map.h"
#include "base/rand.h"
#include "kube/client_impl.h"

#define PAGE           500
#define DELAY_FIRST_MS 10
#define DELAY_MAX_MS   5000
#define WATCH_MS       300000 /* and up to as many more, so that watches do not end together */
#define GRACE_MS       30000
#define HEALTHY_NS     NS_PER_SEC
#define REFUSALS       3 /* of a watch by a server in trouble, before a list is tried instead */

/* A request under way. When the reflector goes first, the callback finds NULL. */
struct listing {
    struct reflector *r;
};

struct reflector {
    struct reflector_opts o;
    char *selectors; /* "&labelSelector=…" as it goes into a query */
    struct timer *timer;
    struct listing *listing;
    struct kube_watch *watch;
    struct map *seen; /* keys of the list under way, NULL otherwise */
    char *token;      /* of the next page */
    char *list_rv;    /* of the list under way: its first page's */
    char *rv;         /* to watch from; NULL = list first */
    uint64_t newest;  /* the highest that the server has told */
    int64_t watch_since;
    int failures, refusals;
    bool synced, troubled;
    bool whole;  /* the next list is taken in one piece: its pages expired */
    bool astray; /* the server went back; until a list is complete the cache may be ahead of it */
};

static void step(void *ctx);

struct reflector *reflector_new(const struct reflector_opts *o)
{
    struct reflector *r = xnew(struct reflector);
    struct buf b = BUF_INIT(LIMIT_HTTP_URL);

    kube_query_add(&b, "labelSelector", o->label_selector);
    kube_query_add(&b, "fieldSelector", o->field_selector);
    r->o = *o;
    r->selectors = buf_steal(&b, NULL);
    r->timer = timer_new(kube_client_loop(o->client), step, r);
    return r;
}

void reflector_free(struct reflector *r)
{
    if (!r)
        return;
    timer_free(r->timer);
    kube_watch_stop(r->watch);
    if (r->listing)
        r->listing->r = NULL;
    map_free(r->seen);
    free(r->token);
    free(r->list_rv);
    free(r->rv);
    free(r->selectors);
    free(r);
}

void reflector_start(struct reflector *r)
{
    timer_start(r->timer, 0);
}

/* ---- what follows next ---- */
static void recovered(struct reflector *r)
{
    r->failures = 0;
    if (!r->troubled)
        return;
    r->troubled = false;
    r->o.on_trouble(r->o.ctx, NULL);
}

static void again(struct reflector *r, const struct kube_status *why)
{
    uint64_t delay = 0;

    if (r->failures > 0) {
        delay = (uint64_t)DELAY_FIRST_MS << (r->failures < 11 ? r->failures - 1 : 10);
        delay = delay < DELAY_MAX_MS ? delay : DELAY_MAX_MS;
        delay = delay / 2 + rand_fast() % (delay / 2 + 1);
    }
    r->failures++;
    timer_start(r->timer, delay);
    if (why && r->failures > 1 && !r->troubled) {
        r->troubled = true;
        r->o.on_trouble(r->o.ctx, why);
    }
}

/* ---- revisions ---- */
static uint64_t number_of(const char *rv)
{
    uint64_t n = 0;

    if (rv)
        str_u64(str_of(rv), &n);
    return n;
}

static void set_rv(struct reflector *r, const char *rv)
{
    if (r->rv && streq(rv, r->rv))
        return;
    free(r->rv);
    r->rv = xstrdup(rv);
    r->newest = number_of(rv);
}

static void lose_rv(struct reflector *r)
{
    free(r->rv);
    r->rv = NULL;
}

/* ---- objects ---- */
static void put(struct reflector *r, const struct kobj *o)
{
    _cleanup_kobj_ const struct kobj *before =
        kobj_ref(cache_get(r->o.cache, kobj_namespace(o), kobj_name(o)));
    enum cache_change change = r->astray ? cache_replace(r->o.cache, o) : cache_put(r->o.cache, o);

    if (change != CACHE_NONE)
        r->o.on_change(r->o.ctx, before, o);
}

void reflector_learn(struct reflector *r, const struct kobj *o)
{
    /* What is not newer than the watch's place has been there, and may be gone again. */
    if (!r->astray && !(r->rv && kobj_rv(o) && kobj_rv(o) <= r->newest))
        put(r, o);
}

static void drop(struct reflector *r, const char *ns, const char *name, const char *uid,
                 uint64_t rv)
{
    _cleanup_kobj_ const struct kobj *before = kobj_ref(cache_get(r->o.cache, ns, name));

    if (cache_remove(r->o.cache, ns, name, uid, rv) == CACHE_REMOVED)
        r->o.on_change(r->o.ctx, before, NULL);
}

/* Items of a list lack what all have in common. */
static struct kobj *item_object(const struct reflector *r, yyjson_val *item)
{
    char api[300];

    if (jget_str(item, "kind"))
        return kobj_share(kobj_from_val(item));
    kube_api_version(r->o.res, api, sizeof(api));
    struct kmut m = {.d = yyjson_mut_doc_new(NULL)};
    m.root = yyjson_val_mut_copy(m.d, item);
    jm_set_str(KM(&m), api, "apiVersion");
    jm_set_str(KM(&m), r->o.res->kind, "kind");
    struct kobj *o = kobj_share(kmut_freeze(&m));
    yyjson_mut_doc_free(m.d);
    return o;
}

/* ---- list ---- */
struct sweep {
    const struct reflector *r;
    uint64_t rv;
    kobj_vec gone;
};

static int collect_unseen(void *ctx, const struct kobj *o)
{
    struct sweep *s = ctx;
    _cleanup_free_ char *key = kobj_key(o);

    if (!map_has(s->r->seen, key) && (s->r->astray || kobj_rv(o) <= s->rv))
        vec_push(&s->gone, kobj_ref(o));
    return 0;
}

static void remove_unseen(struct reflector *r)
{
    struct sweep s = {.r = r, .rv = number_of(r->list_rv)};

    cache_each(r->o.cache, collect_unseen, &s);
    for (size_t i = 0; i < s.gone.n; i++) {
        const struct kobj *o = s.gone.p[i];
        drop(r, kobj_namespace(o), kobj_name(o), kobj_uid(o), r->astray ? 0 : s.rv);
        kobj_unref(o);
    }
    vec_done(&s.gone);
}

static void list_reset(struct reflector *r)
{
    map_free(r->seen);
    r->seen = NULL;
    free(r->token);
    r->token = NULL;
    free(r->list_rv);
    r->list_rv = NULL;
}

static void list_complete(struct reflector *r)
{
    set_rv(r, r->list_rv);
    remove_unseen(r);
    list_reset(r);
    r->whole = r->astray = false;
    recovered(r);
    timer_start(r->timer, 0);
    if (!r->synced) {
        r->synced = true;
        r->o.on_synced(r->o.ctx);
    }
}

static void list_begins(struct reflector *r, const char *rv)
{
    r->list_rv = xstrdup(rv ? rv : "0");
    if (number_of(r->list_rv) < r->newest) {
        r->astray = true;
        cache_forget_deletions(r->o.cache);
    }
    r->newest = number_of(r->list_rv);
}

static void take_page(struct reflector *r, const yyjson_val *list)
{
    const char *token = jget_str(list, "metadata", "continue");
    yyjson_val *item;
    size_t i, max;

    if (!r->list_rv)
        list_begins(r, jget_str(list, "metadata", "resourceVersion"));
    yyjson_arr_foreach(jget(list, "items"), i, max, item)
    {
        _cleanup_kobj_ const struct kobj *o = item_object(r, item);
        _cleanup_free_ char *key = kobj_key(o);
        map_set(r->seen, key, r);
        put(r, o);
    }
    free(r->token);
    r->token = token && *token ? xstrdup(token) : NULL;
    if (r->token)
        timer_start(r->timer, 0);
    else
        list_complete(r);
}

static void on_list(void *ctx, const struct kube_status *st, struct str body)
{
    struct listing *l = ctx;
    struct reflector *r = l->r;
    struct kube_status bad = *st;

    free(l);
    if (!r)
        return;
    r->listing = NULL;
    _cleanup_jdoc_ yyjson_doc *d = bad.err.code == 0 ? json_parse(body.p, body.n, &bad.err) : NULL;
    if (!d) {
        r->whole = r->token && bad.code == 410; /* pages go faster than they are fetched */
        list_reset(r);                          /* from the beginning again */
        again(r, &bad);
        return;
    }
    take_page(r, yyjson_doc_get_root(d));
}

/* Pages spare a network and a server far away; in process they only let the list grow old. */
static int page_size(const struct reflector *r)
{
    if (r->whole)
        return 0;
    return r->o.page ? r->o.page : kube_client_is_local(r->o.client) ? 0 : PAGE;
}

static void list_page(struct reflector *r)
{
    _cleanup_buf_ struct buf q = BUF_INIT(LIMIT_HTTP_URL);

    if (!r->seen)
        r->seen = map_new(NULL);
    buf_addf(&q, "limit=%d%s", page_size(r), r->selectors);
    kube_query_add(&q, "continue", r->token);
    r->listing = xnew(struct listing);
    r->listing->r = r;
    kube_do(r->o.client,
            &(struct kube_request){.verb = KUBE_LIST, .res = r->o.res, .query = buf_z(&q)}, on_list,
            r->listing);
}

/* ---- watch ---- */
static void on_event(void *ctx, const char *type, const struct kobj *o)
{
    struct reflector *r = ctx;
    const char *rv = jget_str(kobj_root(o), "metadata", "resourceVersion");

    if (rv)
        set_rv(r, rv);
    r->refusals = 0;
    recovered(r);
    if (streq(type, "DELETED"))
        drop(r, kobj_namespace(o), kobj_name(o), kobj_uid(o), kobj_rv(o));
    else if (streq(type, "ADDED") || streq(type, "MODIFIED"))
        put(r, o);
}

/* Whether watching from the same revision again is of no use: it is too old, the server does not
 * know it, or an event could not be read. */
static bool must_list(struct reflector *r, const struct kube_status *st)
{
    if (st->code == 0)
        return st->err.code == -EPROTO || st->err.code == -E2BIG;
    if (st->code < 400 || st->code == 429)
        return false;
    return st->code < 500 || ++r->refusals >= REFUSALS;
}

static void on_end(void *ctx, const struct kube_status *st)
{
    struct reflector *r = ctx;

    r->watch = NULL;
    if (loop_now_ns(kube_client_loop(r->o.client)) - r->watch_since >= HEALTHY_NS)
        recovered(r);
    if (must_list(r, st))
        lose_rv(r);
    again(r, st->err.code && st->code != 410 ? st : NULL);
}

static uint64_t watch_ms(const struct reflector *r)
{
    uint64_t ms = r->o.watch_ms ? (uint64_t)r->o.watch_ms : WATCH_MS;

    return ms + rand_fast() % ms;
}

static void watch(struct reflector *r)
{
    static const struct kube_watch_events events = {on_event, on_end};
    uint64_t ms = watch_ms(r);
    _cleanup_free_ char *q =
        xasprintf("resourceVersion=%s&allowWatchBookmarks=true&timeoutSeconds=%d%s", r->rv,
                  (int)((ms + 999) / 1000), r->selectors);

    r->watch_since = loop_now_ns(kube_client_loop(r->o.client));
    timer_start(r->timer, ms + (r->o.grace_ms ? (uint64_t)r->o.grace_ms : GRACE_MS));
    r->watch = kube_watch_start(r->o.client, r->o.res, NULL, q, &events, r);
}

/* The server has not ended the watch at its time: nothing more will come this way. */
static void overdue(struct reflector *r)
{
    kube_watch_stop(r->watch);
    r->watch = NULL;
    again(r, NULL);
}

static void step(void *ctx)
{
    struct reflector *r = ctx;

    if (r->watch)
        overdue(r);
    else if (r->rv)
        watch(r);
    else
        list_page(r);
}
