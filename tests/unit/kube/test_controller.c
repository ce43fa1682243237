/* Informers, controllers and plans against a fake API server through the in-process transport. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/vec.h"
#include "fake_api.h"
#include "kube/controller.h"

struct world {
    struct loop *loop;
    struct fake_api *api;
    struct kube_client *client;
    struct manager *m;
    struct timer *poll;
    bool (*until)(struct world *w);
    int64_t deadline;
    /* what a test counts */
    int runs, failures_seen, gone_seen;
    bool refuse_creates, wants_event;
    char last_key[300];
    struct clock clock; /* the loop's in tests that step it */
    int64_t mono, wall;
};

static void check(void *ctx)
{
    struct world *w = ctx;

    if (w->until(w) || clock_mono_ns() > w->deadline)
        loop_stop(w->loop);
}

static void run_until(struct world *w, bool (*until)(struct world *w))
{
    w->until = until;
    w->deadline = clock_mono_ns() + 20 * NS_PER_SEC;
    loop_run(w->loop);
    assert_true(until(w));
}

static int setup(void **state)
{
    struct world *w = xnew(struct world);

    w->loop = loop_new(NULL);
    w->api = fake_api_new();
    w->client = kube_client_new(
        w->loop, kube_transport_inproc(w->loop, w->loop, fake_api_handle, w->api, "system:test"));
    w->m = manager_new(w->loop, w->client, "test-component");
    w->poll = timer_new(w->loop, check, w);
    timer_repeat(w->poll, 1);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    manager_free(w->m);
    kube_client_free(w->client);
    fake_api_free(w->api);
    timer_free(w->poll);
    loop_free(w->loop);
    free(w);
    return 0;
}

static void put_config(struct world *w, const char *name, const char *value)
{
    _cleanup_free_ char *text = xasprintf(
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\","
        "\"namespace\":\"ns\",\"annotations\":{\"class\":\"%s\"}},\"data\":{\"k\":\"%s\"}}",
        name, value, value);

    fake_api_put(w->api, &KR_CONFIGMAP, text);
}

/* ---- informers ---- */
static size_t cached(struct world *w)
{
    return cache_len(manager_cache(w->m, &KR_CONFIGMAP));
}

static bool has_1203(struct world *w)
{
    return manager_synced(w->m) && cached(w) == 1203;
}

static bool has_1204(struct world *w)
{
    return cached(w) == 1204;
}

static bool has_1(struct world *w)
{
    return cached(w) == 1;
}

static bool watches(struct world *w)
{
    return fake_api_watches(w->api) == 1;
}

static void test_informer_follows(void **state)
{
    struct world *w = *state;
    char name[32];

    for (int i = 0; i < 1203; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        put_config(w, name, "v");
    }
    manager_cache(w->m, &KR_CONFIGMAP);
    manager_start(w->m);
    run_until(w, has_1203);
    put_config(w, "late", "v");
    run_until(w, has_1204);

    run_until(w, watches);
    fake_api_cut_watches(w->api); /* changes while it is cut are seen by resuming */
    fake_api_delete(w->api, &KR_CONFIGMAP, "ns", "late");
    run_until(w, has_1203);

    run_until(w, watches);
    for (int i = 1; i < 1203; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        fake_api_delete(w->api, &KR_CONFIGMAP, "ns", name);
    }
    fake_api_compact(
        w->api); /* none of the deletions can be replayed: only a new list shows them */
    run_until(w, has_1);
    assert_non_null(cache_get(manager_cache(w->m, &KR_CONFIGMAP), "ns", "c0"));
}

/* ---- a controller with a child ---- */
static void reconcile_child(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct world *w = ctx;

    w->runs++;
    w->failures_seen += rc->failure != NULL;
    w->gone_seen += rc->obj == NULL;
    if (!rc->obj)
        return;
    struct kmut *want = kmut_new(&KR_SECRET, rc->ns, rc->name);
    jm_set_str(KM(want), jget_str(kobj_root(rc->obj), "data", "k"), "data", "copy");
    assert_true(plan_apply_child(p, &KR_SECRET, rc->obj,
                                 cache_get(manager_cache(rc->m, &KR_SECRET), rc->ns, rc->name),
                                 want));
    if (w->wants_event)
        plan_event(p, &KR_CONFIGMAP, rc->obj, "Normal", "Copied", "copied %s", rc->name);
}

static struct controller *child_controller(struct world *w)
{
    struct controller *c =
        controller_new(w->m, &(struct controller_opts){.name = "copier",
                                                       .res = &KR_CONFIGMAP,
                                                       .reconcile = reconcile_child,
                                                       .ctx = w,
                                                       .class_annotation = "class",
                                                       .class_value = "v"});

    controller_watch_owned(c, &KR_SECRET);
    return c;
}

static bool copied(struct world *w)
{
    const struct kobj *o = fake_api_get(w->api, &KR_SECRET, "ns", "a");

    return o && streq(jget_str(kobj_root(o), "data", "copy"), "v");
}

static void test_controller_applies_child(void **state)
{
    struct world *w = *state;

    put_config(w, "a", "v");
    put_config(w, "other", "not-ours");
    child_controller(w);
    manager_start(w->m);
    run_until(w, copied);
    assert_null(fake_api_get(w->api, &KR_SECRET, "ns", "other"));
    assert_true(kobj_controlled_by(fake_api_get(w->api, &KR_SECRET, "ns", "a"),
                                   fake_api_get(w->api, &KR_CONFIGMAP, "ns", "a")));

    fake_api_delete(w->api, &KR_SECRET, "ns", "a"); /* the child's event runs the owner */
    run_until(w, copied);

    _cleanup_(kmut_freep) struct kmut *m = kmut_from(fake_api_get(w->api, &KR_SECRET, "ns", "a"));
    jm_set_str(KM(m), "spoilt", "data", "copy");
    _cleanup_free_ char *text = kmut_text(m, NULL);
    fake_api_put(w->api, &KR_SECRET, text);
    run_until(w, copied);
    assert_int_equal(w->failures_seen, 0);
}

static bool gone_seen(struct world *w)
{
    return w->gone_seen > 0;
}

static void test_controller_sees_deletion(void **state)
{
    struct world *w = *state;

    put_config(w, "a", "v");
    child_controller(w);
    manager_start(w->m);
    run_until(w, copied);
    fake_api_delete(w->api, &KR_CONFIGMAP, "ns", "a");
    run_until(w, gone_seen);
}

static int refuse_creates(void *ctx, struct str method, struct str path, const char **reason)
{
    struct world *w = ctx;

    *reason = "Forbidden";
    return w->refuse_creates && str_eq(method, STR("POST")) ? 403 : 0;
}

static bool failure_seen(struct world *w)
{
    return w->failures_seen > 0;
}

static void test_refusal_reaches_the_reconciler(void **state)
{
    struct world *w = *state;

    w->refuse_creates = true;
    fake_api_refuse(w->api, refuse_creates, w);
    put_config(w, "a", "v");
    child_controller(w);
    manager_start(w->m);
    run_until(w, failure_seen);
    w->refuse_creates = false;
    run_until(w, copied); /* the key backed off and came again */
}

static bool event_counted(struct world *w)
{
    return fake_api_count(w->api, &KR_EVENT) == 1 &&
           fake_api_requests(w->api, "PATCH /api/v1/namespaces/ns/events/") > 0;
}

static void test_events_count_up(void **state)
{
    struct world *w = *state;

    w->wants_event = true;
    put_config(w, "a", "v");
    struct controller *c = child_controller(w);
    manager_start(w->m);
    run_until(w, copied);
    controller_enqueue(c, "ns", "a");
    run_until(w, event_counted);
}

/* ---- conflicts and own writes ---- */
static void reconcile_status(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct world *w = ctx;

    w->runs++;
    if (!rc->obj)
        return;
    if (jget_int(kobj_root(rc->obj), 0, "status", "n") >= 20)
        return;
    struct kmut *m = kmut_from(rc->obj);
    jm_set_int(KM(m), jget_int(kobj_root(rc->obj), 0, "status", "n") + 1, "status", "n");
    plan_update_status(p, &KR_DEPLOYMENT, m);
}

static int meddle(void *ctx, struct str method, struct str path, const char **reason)
{
    struct world *w = ctx;

    /* Every third status write finds that somebody was faster. */
    if (str_eq(method, STR("PUT")) && ++w->failures_seen % 3 == 0) {
        _cleanup_(kmut_freep) struct kmut *m =
            kmut_from(fake_api_get(w->api, &KR_DEPLOYMENT, "ns", "d"));
        jm_set_int(KM(m), w->failures_seen, "spec", "meddled");
        _cleanup_free_ char *text = kmut_text(m, NULL);
        fake_api_put(w->api, &KR_DEPLOYMENT, text);
    }
    return 0;
}

static bool counted_to_20(struct world *w)
{
    return jget_int(kobj_root(fake_api_get(w->api, &KR_DEPLOYMENT, "ns", "d")), 0, "status", "n") ==
           20;
}

static void test_own_writes_and_conflicts(void **state)
{
    struct world *w = *state;

    fake_api_put(w->api, &KR_DEPLOYMENT,
                 "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"d\","
                 "\"namespace\":\"ns\"},\"spec\":{}}");
    fake_api_refuse(w->api, meddle, w);
    controller_new(w->m, &(struct controller_opts){.name = "counter",
                                                   .res = &KR_DEPLOYMENT,
                                                   .reconcile = reconcile_status,
                                                   .ctx = w});
    manager_start(w->m);
    run_until(w, counted_to_20);
    /* A write that used a stale object would have been a conflict: only the meddled ones were. */
    assert_int_equal(fake_api_requests(w->api, "PUT "), 20 + w->failures_seen / 3);
}

/* ---- tracking and delays ---- */
static struct controller *tracking;

static void reconcile_tracking(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct world *w = ctx;

    w->runs++;
    controller_track(tracking, rc, &KR_SECRET, "ns", "wanted");
    if (!cache_get(manager_cache(rc->m, &KR_SECRET), "ns", "wanted"))
        return;
    if (w->failures_seen++ < 3)
        plan_requeue_after(p, 2 * NS_PER_MS);
}

static bool ran(struct world *w)
{
    return w->runs >= 1;
}

static bool requeued(struct world *w)
{
    return w->failures_seen == 4;
}

static void test_tracker_and_requeue(void **state)
{
    struct world *w = *state;

    put_config(w, "a", "v");
    tracking = controller_new(w->m, &(struct controller_opts){.name = "tracker",
                                                              .res = &KR_CONFIGMAP,
                                                              .reconcile = reconcile_tracking,
                                                              .ctx = w});
    manager_start(w->m);
    run_until(w, ran);
    fake_api_put(w->api, &KR_SECRET,
                 "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"wanted\",\"namespace\":\"ns\"}}");
    run_until(w, requeued);
}

/* ---- what is refused ---- */
static int64_t stepped_mono(void *ctx)
{
    return ((struct world *)ctx)->mono;
}

static int64_t stepped_wall(void *ctx)
{
    return ((struct world *)ctx)->wall;
}

/* A reconciler that knows nothing of refusals, as a plugin's may be: first the child, then a status
 * of its own, each time anew. */
static void reconcile_blindly(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct world *w = ctx;

    w->runs++;
    if (!rc->obj)
        return;
    if (!cache_get(manager_cache(rc->m, &KR_SECRET), rc->ns, rc->name)) {
        plan_create(p, &KR_SECRET, kmut_new(&KR_SECRET, rc->ns, rc->name));
        plan_tag(p, 7);
    }
    if (rc->failed)
        assert_int_equal(rc->failed->tag, 7);
    int64_t seen = jget_int(kobj_root(rc->obj), 0, "spec", "n");
    if (jget_int(kobj_root(rc->obj), 0, "status", "seen") == seen)
        return;
    struct kmut *m = kmut_from(rc->obj);
    jm_set_int(KM(m), seen, "status", "seen");
    plan_update_status(p, &KR_DEPLOYMENT, m);
}

static int refuse_secrets(void *ctx, struct str method, struct str path, const char **reason)
{
    struct world *w = ctx;

    *reason = "Invalid";
    return w->refuse_creates && str_eq(method, STR("POST")) &&
                   str_eq(path, STR("/api/v1/namespaces/ns/secrets"))
               ? 422
               : 0;
}

static size_t posts(struct world *w)
{
    return fake_api_requests(w->api, "POST /api/v1/namespaces/ns/secrets");
}

static const struct kobj *parent(struct world *w)
{
    return fake_api_get(w->api, &KR_DEPLOYMENT, "ns", "d");
}

static bool is_told(struct world *w)
{
    const char *m = jget_str(kobj_condition(parent(w), "Ready"), "message");

    return fake_api_count(w->api, &KR_EVENT) == 1 && m && strstr(m, "the fake says Invalid") &&
           kobj_condition_is(parent(w), "Ready", "False");
}

static void touch(struct world *w, const char *label, const char *value)
{
    _cleanup_(kmut_freep) struct kmut *m = kmut_from(parent(w));
    kmut_label(m, label, value);
    _cleanup_free_ char *text = kmut_text(m, NULL);
    fake_api_put(w->api, &KR_DEPLOYMENT, text);
}

static bool ran_again(struct world *w)
{
    return w->runs > w->gone_seen;
}

/* One more run, by a change of the object that leaves its generation. */
static void run_once(struct world *w, int i)
{
    char value[16];

    snprintf(value, sizeof(value), "v%d", i);
    w->gone_seen = w->runs;
    touch(w, "touched", value);
    run_until(w, ran_again);
    for (int turn = 0; turn < 5; turn++) { /* and what follows from it */
        w->gone_seen = -1;
        run_until(w, ran_again);
    }
}

static bool copied_secret(struct world *w)
{
    return fake_api_get(w->api, &KR_SECRET, "ns", "d") &&
           kobj_condition_is(parent(w), "Ready", "Unknown");
}

static void test_refused_child_backs_off(void **state)
{
    struct world *w = *state;

    w->mono = w->wall = 1000 * NS_PER_SEC;
    w->clock = (struct clock){stepped_mono, stepped_wall, w};
    loop_set_clock(w->loop, &w->clock);
    w->refuse_creates = true;
    fake_api_refuse(w->api, refuse_secrets, w);
    fake_api_put(w->api, &KR_DEPLOYMENT,
                 "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"d\","
                 "\"namespace\":\"ns\"},\"spec\":{\"n\":1},\"status\":{\"conditions\":["
                 "{\"type\":\"Ready\",\"status\":\"Unknown\"}]}}");
    controller_new(w->m, &(struct controller_opts){.name = "blind",
                                                   .res = &KR_DEPLOYMENT,
                                                   .reconcile = reconcile_blindly,
                                                   .ctx = w});
    manager_start(w->m);
    run_until(w, is_told);
    assert_int_equal(posts(w), 1);
    assert_int_equal(jget_int(kobj_root(parent(w)), 0, "status", "seen"), 1);
    size_t puts = fake_api_requests(w->api, "PUT ");

    for (int i = 0; i < 30; i++) /* whatever wakes the key */
        run_once(w, i);
    assert_int_equal(posts(w), 1);
    assert_int_equal(fake_api_requests(w->api, "PUT "), puts);

    /* Each pause is twice the one before, up to five minutes. A stepped wall clock is nothing. */
    int64_t pause = 100 * NS_PER_MS;
    for (int i = 0; i < 14; i++) {
        w->wall += (i % 2 ? 600 : -600) * NS_PER_SEC;
        w->mono += pause - 1;
        run_once(w, 100 + i);
        assert_int_equal(posts(w), 1 + i);
        w->mono += 1;
        run_once(w, 200 + i);
        assert_int_equal(posts(w), 2 + i);
        pause = pause * 2 < 300 * NS_PER_SEC ? pause * 2 : 300 * NS_PER_SEC;
    }
    assert_true(is_told(w)); /* by the one event of the first time, which nothing counted up */
    assert_int_equal(fake_api_requests(w->api, "PATCH /api/v1/namespaces/ns/events/"), 0);

    w->refuse_creates = false;
    w->mono += pause;
    run_once(w, 300);
    run_until(w, copied_secret); /* and what the controller had said is taken back */
}

static bool secret_is_gone(struct world *w)
{
    return !cache_get(manager_cache(w->m, &KR_SECRET), "ns", "d");
}

static void test_changed_object_is_tried_at_once(void **state)
{
    struct world *w = *state;

    test_refused_child_backs_off(state);
    w->refuse_creates = true;
    fake_api_delete(w->api, &KR_SECRET, "ns", "d");
    run_until(w, secret_is_gone);
    run_once(w, 400);
    run_until(w, is_told);
    size_t n = posts(w);
    w->refuse_creates = false;
    _cleanup_(kmut_freep) struct kmut *m = kmut_from(parent(w));
    jm_set_int(KM(m), 2, "spec", "n");
    jm_set_int(KM(m), 2, "metadata", "generation");
    _cleanup_free_ char *text = kmut_text(m, NULL);
    fake_api_put(w->api, &KR_DEPLOYMENT, text);
    run_until(w, copied_secret);
    assert_int_equal(posts(w), n + 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_informer_follows),
        T(test_controller_applies_child),
        T(test_controller_sees_deletion),
        T(test_refusal_reaches_the_reconciler),
        T(test_events_count_up),
        T(test_own_writes_and_conflicts),
        T(test_tracker_and_requeue),
        T(test_refused_child_backs_off),
        T(test_changed_object_is_tried_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
