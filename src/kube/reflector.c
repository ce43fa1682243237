/*
 * One timer drives the next step (list or watch); a delay of zero is the normal case. During a list
 * the keys seen are kept, and what the cache has beyond them goes at its end, unless it is newer
 * than the list itself: then it is an own write that the list could not know.
 */
#include "kube/reflector.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/rand.h"

#define PAGE           500
#define DELAY_FIRST_MS 10
#define DELAY_MAX_MS   5000
#define WATCH_SECONDS  300 /* and up to as many more, so that watches do not end together */
#define HEALTHY_NS     NS_PER_SEC

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
    char *rv;         /* to watch from; NULL = list first */
    int64_t watch_since;
    int failures;
    bool synced, troubled;
};

static void escape_into(struct buf *b, const char *s)
{
    for (; *s; s++) {
        if ((*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z'))
            buf_addc(b, *s);
        else
            buf_addf(b, "%%%02X", (unsigned char)*s);
    }
}

static void add_parameter(struct buf *b, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    buf_addf(b, "&%s=", name);
    escape_into(b, value);
}

static void step(void *ctx);

struct reflector *reflector_new(const struct reflector_opts *o)
{
    struct reflector *r = xnew(struct reflector);
    struct buf b = BUF_INIT(LIMIT_HTTP_URL);

    add_parameter(&b, "labelSelector", o->label_selector);
    add_parameter(&b, "fieldSelector", o->field_selector);
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

/* ---- objects ---- */
void reflector_put(struct reflector *r, const struct kobj *o)
{
    _cleanup_kobj_ const struct kobj *before =
        kobj_ref(cache_get(r->o.cache, kobj_namespace(o), kobj_name(o)));

    if (cache_put(r->o.cache, o) != CACHE_NONE)
        r->o.on_change(r->o.ctx, before, o);
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

    if (!map_has(s->r->seen, key) && kobj_rv(o) <= s->rv)
        vec_push(&s->gone, kobj_ref(o));
    return 0;
}

static void remove_unseen(struct reflector *r)
{
    struct sweep s = {.r = r};

    str_u64(str_of(r->rv), &s.rv);
    cache_each(r->o.cache, collect_unseen, &s);
    for (size_t i = 0; i < s.gone.n; i++) {
        const struct kobj *o = s.gone.p[i];
        drop(r, kobj_namespace(o), kobj_name(o), kobj_uid(o), s.rv);
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
}

static void list_complete(struct reflector *r, const char *rv)
{
    free(r->rv);
    r->rv = xstrdup(rv);
    remove_unseen(r);
    list_reset(r);
    recovered(r);
    timer_start(r->timer, 0);
    if (!r->synced) {
        r->synced = true;
        r->o.on_synced(r->o.ctx);
    }
}

static void take_page(struct reflector *r, const yyjson_val *list)
{
    const char *token = jget_str(list, "metadata", "continue");
    const char *rv = jget_str(list, "metadata", "resourceVersion");
    yyjson_val *item;
    size_t i, max;

    yyjson_arr_foreach(jget(list, "items"), i, max, item)
    {
        _cleanup_kobj_ const struct kobj *o = item_object(r, item);
        _cleanup_free_ char *key = kobj_key(o);
        map_set(r->seen, key, r);
        reflector_put(r, o);
    }
    free(r->token);
    r->token = token && *token ? xstrdup(token) : NULL;
    if (r->token)
        timer_start(r->timer, 0);
    else
        list_complete(r, rv ? rv : "0");
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
        list_reset(r); /* an expired continue token too: from the first page again */
        again(r, &bad);
        return;
    }
    take_page(r, yyjson_doc_get_root(d));
}

static void list_page(struct reflector *r)
{
    _cleanup_buf_ struct buf q = BUF_INIT(LIMIT_HTTP_URL);

    if (!r->seen)
        r->seen = map_new(NULL);
    buf_addf(&q, "limit=%d%s", PAGE, r->selectors);
    add_parameter(&q, "continue", r->token);
    r->listing = xnew(struct listing);
    r->listing->r = r;
    kube_do(r->o.client,
            &(struct kube_request){.verb = KUBE_LIST, .res = r->o.res, .query = buf_z(&q)}, on_list,
            r->listing);
}

/* ---- watch ---- */
static void set_rv(struct reflector *r, const struct kobj *o)
{
    const char *rv = jget_str(kobj_root(o), "metadata", "resourceVersion");

    if (!rv || streq(rv, r->rv))
        return;
    free(r->rv);
    r->rv = xstrdup(rv);
}

static void on_event(void *ctx, const char *type, const struct kobj *o)
{
    struct reflector *r = ctx;

    set_rv(r, o);
    recovered(r);
    if (streq(type, "DELETED"))
        drop(r, kobj_namespace(o), kobj_name(o), kobj_uid(o), kobj_rv(o));
    else if (streq(type, "ADDED") || streq(type, "MODIFIED"))
        reflector_put(r, o);
}

static void on_end(void *ctx, const struct kube_status *st)
{
    struct reflector *r = ctx;

    r->watch = NULL;
    if (loop_now_ns(kube_client_loop(r->o.client)) - r->watch_since >= HEALTHY_NS)
        recovered(r);
    if (st->code == 410) {
        free(r->rv);
        r->rv = NULL;
        again(r, NULL);
        return;
    }
    again(r, st->err.code ? st : NULL);
}

static void watch(struct reflector *r)
{
    static const struct kube_watch_events events = {on_event, on_end};
    _cleanup_free_ char *q =
        xasprintf("resourceVersion=%s&allowWatchBookmarks=true&timeoutSeconds=%d%s", r->rv,
                  (int)(WATCH_SECONDS + rand_fast() % WATCH_SECONDS), r->selectors);

    r->watch_since = loop_now_ns(kube_client_loop(r->o.client));
    r->watch = kube_watch_start(r->o.client, r->o.res, NULL, q, &events, r);
}

static void step(void *ctx)
{
    struct reflector *r = ctx;

    if (r->rv)
        watch(r);
    else
        list_page(r);
}
