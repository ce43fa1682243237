/*
 * Known events stand in a bounded map in the order of their first appearance; the oldest makes
 * room. While a write of an event is under way further occurrences only count; one more write
 * follows it if the count moved. The budget per object is a bucket that refills slowly, as many as
 * LIMIT_EVENTS_BURST.
 */
#include "kube/recorder.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/rand.h"

#define REFILL_NS (300 * NS_PER_SEC)

struct known {
    struct recorder *r; /* NULL: forgotten while a write was under way */
    struct kube_resource res;
    char *ns, *name; /* of the Event */
    char *object, *uid, *type, *reason, *message;
    int64_t first_ns, last_ns;
    int64_t count, written;
    bool busy;
};

struct budget {
    double tokens;
    int64_t at_ns;
};

struct recorder {
    struct kube_client *client;
    char *component;
    struct map *known;   /* uid, reason and message -> known */
    struct map *budgets; /* uid -> budget */
};

static void known_free(struct known *k)
{
    free(k->ns);
    free(k->name);
    free(k->object);
    free(k->uid);
    free(k->type);
    free(k->reason);
    free(k->message);
    free(k);
}

static void forget(void *value)
{
    struct known *k = value;

    k->r = NULL;
    if (!k->busy)
        known_free(k);
}

struct recorder *recorder_new(struct kube_client *client, const char *component)
{
    struct recorder *r = xnew(struct recorder);

    r->client = client;
    r->component = xstrdup(component);
    r->known = map_new(forget);
    r->budgets = map_new(free);
    return r;
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    map_free(r->known);
    map_free(r->budgets);
    free(r->component);
    free(r);
}

static void drop_oldest(struct map *m)
{
    const char *key;
    void *value;
    size_t it = 0;

    if (map_len(m) >= LIMIT_EVENTS_KNOWN && map_next(m, &it, &key, &value))
        map_del(m, key);
}

static bool may_spend(struct recorder *r, const char *uid, int64_t now)
{
    struct budget *b = map_get(r->budgets, uid);

    if (!b) {
        drop_oldest(r->budgets);
        b = xnew(struct budget);
        *b = (struct budget){LIMIT_EVENTS_BURST, now};
        map_set(r->budgets, uid, b);
    }
    b->tokens += (double)(now - b->at_ns) / (double)REFILL_NS;
    b->tokens = b->tokens < LIMIT_EVENTS_BURST ? b->tokens : LIMIT_EVENTS_BURST;
    b->at_ns = now;
    if (b->tokens < 1)
        return false;
    b->tokens -= 1;
    return true;
}

/* ---- writing ---- */
static void on_written(void *ctx, const struct kube_status *st, struct str body);

static void send(struct known *k, enum kube_verb verb, const struct kmut *m)
{
    size_t n;
    _cleanup_free_ char *text = kmut_text(m, &n);

    k->busy = true;
    k->written = k->count;
    kube_do(k->r->client,
            &(struct kube_request){
                .verb = verb, .res = &KR_EVENT, .ns = k->ns, .name = k->name, .body = {text, n}},
            on_written, k);
}

static void set_times(struct known *k, struct kmut *m)
{
    char t[RFC3339_LEN];

    clock_rfc3339(k->last_ns, t);
    jm_set_str(KM(m), t, "lastTimestamp");
    jm_set_int(KM(m), k->count, "count");
}

static void create(struct known *k)
{
    _cleanup_(kmut_freep) struct kmut *m = kmut_new(&KR_EVENT, k->ns, k->name);
    char api[300], t[RFC3339_LEN];

    kube_api_version(&k->res, api, sizeof(api));
    jm_set_str(KM(m), k->res.kind, "involvedObject", "kind");
    jm_set_str(KM(m), k->res.namespaced ? k->ns : NULL, "involvedObject", "namespace");
    jm_set_str(KM(m), k->object, "involvedObject", "name");
    jm_set_str(KM(m), k->uid, "involvedObject", "uid");
    jm_set_str(KM(m), api, "involvedObject", "apiVersion");
    jm_set_str(KM(m), k->reason, "reason");
    jm_set_str(KM(m), k->message, "message");
    jm_set_str(KM(m), k->type, "type");
    jm_set_str(KM(m), k->r->component, "source", "component");
    jm_set_str(KM(m), k->r->component, "reportingComponent");
    jm_set_str(KM(m), "", "reportingInstance");
    clock_rfc3339(k->first_ns, t);
    jm_set_str(KM(m), t, "firstTimestamp");
    set_times(k, m);
    send(k, KUBE_CREATE, m);
}

static void count_up(struct known *k)
{
    struct kmut m = {.d = yyjson_mut_doc_new(NULL)};

    m.root = yyjson_mut_obj(m.d);
    set_times(k, &m);
    send(k, KUBE_PATCH_MERGE, &m);
    yyjson_mut_doc_free(m.d);
}

static void name_event(struct known *k)
{
    uint64_t id;

    rand_bytes(&id, sizeof(id));
    free(k->name);
    k->name = xasprintf("%.200s.%016" PRIx64, k->object, id);
}

static void on_written(void *ctx, const struct kube_status *st, struct str body)
{
    struct known *k = ctx;

    k->busy = false;
    if (!k->r) {
        known_free(k);
    } else if (st->code == 404 && k->written > 1) {
        k->count = 1; /* the server has let the old one go */
        k->first_ns = k->last_ns;
        name_event(k);
        create(k);
    } else if (!st->err.code && k->count > k->written) {
        count_up(k);
    }
}

void recorder_event(struct recorder *r, const struct plan_entry *en, int64_t wall_ns)
{
    _cleanup_free_ char *id = xasprintf("%s\n%s\n%s/%s\n%s\n%s", en->uid ? en->uid : "",
                                        en->res->kind, en->ns, en->name, en->reason, en->message);
    struct known *k = map_get(r->known, id);

    int64_t mono = loop_now_ns(kube_client_loop(r->client));
    if (!may_spend(r, en->uid && *en->uid ? en->uid : en->name, mono))
        return;
    if (k) {
        k->count++;
        k->last_ns = wall_ns;
        if (!k->busy)
            count_up(k);
        return;
    }
    drop_oldest(r->known);
    k = xnew(struct known);
    *k = (struct known){.r = r,
                        .res = *en->res,
                        .ns = xstrdup(*en->ns ? en->ns : "default"),
                        .object = xstrdup(en->name),
                        .uid = xstrdup(en->uid),
                        .type = xstrdup(en->type),
                        .reason = xstrdup(en->reason),
                        .message = xstrdup(en->message),
                        .first_ns = wall_ns,
                        .last_ns = wall_ns,
                        .count = 1};
    name_event(k);
    map_set(r->known, id, k);
    create(k);
}
