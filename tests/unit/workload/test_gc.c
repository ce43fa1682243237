/* Garbage collection and the expiry of Events against a small API server in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "../kube/fake_api.h"
#include "base/buf.h"
#include "base/clock.h"
#include "cluster/workload/event_expiry.h"
#include "cluster/workload/gc.h"

static const struct kube_resource KR_THING = {"example.com", "v1", "things", "Thing", true};

struct world {
    struct loop *loop;
    struct fake_api *api;
    struct kube_client *client;
    struct manager *m;
    struct kinds *kinds;
    struct gc *gc;
    struct event_expiry *expiry;
    struct timer *poll;
    bool (*until)(struct world *w);
    int64_t deadline;
    bool hold_pods; /* their deletions are answered 500 */
    bool early;     /* the owner was let go while a pod was there */
    int owner_gets; /* questions for a Deployment by name */
    int fail_gets;  /* how many of them are answered 500 */
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

static int refuse(void *ctx, struct str method, struct str path, const char **reason)
{
    struct world *w = ctx;
    struct str owner = STR("/apis/apps/v1/namespaces/ns/deployments/");

    if (str_eq(method, STR("PATCH")) && str_starts(path, owner))
        w->early |= fake_api_get(w->api, &KR_POD, "ns", "p") != NULL;
    if (str_eq(method, STR("DELETE")) && w->hold_pods) {
        *reason = "InternalError";
        return 500;
    }
    if (!str_eq(method, STR("GET")) || !str_starts(path, owner))
        return 0;
    w->owner_gets++;
    if (w->fail_gets == 0)
        return 0;
    w->fail_gets--;
    *reason = "InternalError";
    return 500;
}

static bool synced(struct world *w)
{
    return manager_synced(w->m);
}

static int set_up(void **state)
{
    struct world *w = xnew(struct world);

    w->loop = loop_new(NULL);
    w->api = fake_api_new();
    fake_api_refuse(w->api, refuse, w);
    w->client = kube_client_new(
        w->loop, kube_transport_inproc(w->loop, w->loop, fake_api_handle, w->api, "system:test"));
    w->m = manager_new(w->loop, w->client, "test");
    w->kinds = workload_kinds_new(w->m);
    w->gc = gc_new(w->m, w->kinds);
    w->poll = timer_new(w->loop, check, w);
    timer_repeat(w->poll, 1);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    manager_free(w->m);
    gc_free(w->gc);
    workload_kinds_free(w->kinds);
    kube_client_free(w->client);
    fake_api_free(w->api);
    timer_free(w->poll);
    loop_free(w->loop);
    free(w);
    return 0;
}

/* owners: "KIND/NAME/UID/HOW" words, as of the kinds used here. HOW is c for the controller, b for
 * a controller whose deletion it blocks, n for neither. */
static void put(struct world *w, const struct kube_resource *r, const char *name,
                const char *owners)
{
    _cleanup_buf_ struct buf b = BUF_INIT(10000);
    struct str rest = str_of(*owners ? owners : NULL), word;
    char api[100];

    kube_api_version(r, api, sizeof(api));
    buf_addf(&b,
             "{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"metadata\":{\"name\":\"%s\",\"namespace\":"
             "\"ns\",\"uid\":\"u-%s\","
             "\"ownerReferences\":[",
             api, r->kind, name, name);
    for (int i = 0; str_split(&rest, ' ', &word); i++) {
        struct str kind, owner, uid, controller;
        str_split(&word, '/', &kind);
        str_split(&word, '/', &owner);
        str_split(&word, '/', &uid);
        str_split(&word, '/', &controller);
        buf_addf(&b,
                 "%s{\"apiVersion\":\"%s\",\"kind\":\"%.*s\",\"name\":\"%.*s\",\"uid\":\"%.*s\","
                 "\"controller\":%s,\"blockOwnerDeletion\":%s}",
                 i ? "," : "",
                 str_eq(kind, STR("Deployment")) ? "apps/v1"
                 : str_eq(kind, STR("Thing"))    ? "example.com/v1"
                                                 : "v1",
                 STR_ARG(kind), STR_ARG(owner), STR_ARG(uid),
                 str_eq(controller, STR("n")) ? "false" : "true",
                 str_eq(controller, STR("b")) ? "true" : "false");
    }
    buf_addz(&b, "]}}");
    fake_api_put(w->api, r, b.p);
}

static bool has(struct world *w, const struct kube_resource *r, const char *name)
{
    return fake_api_get(w->api, r, "ns", name) != NULL;
}

static bool cached(struct world *w, const struct kube_resource *r, const char *name)
{
    return cache_get(manager_cache(w->m, r), "ns", name) != NULL;
}

static void start(struct world *w)
{
    manager_start(w->m);
    run_until(w, synced);
}

static bool pod_cached(struct world *w)
{
    return cached(w, &KR_POD, "p");
}

static bool pod_gone(struct world *w)
{
    return !has(w, &KR_POD, "p");
}

static bool secret_gone(struct world *w)
{
    return !has(w, &KR_SECRET, "s");
}

static void dependents_follow_their_owner(void **state)
{
    struct world *w = *state;

    put(w, &KR_DEPLOYMENT, "d", "");
    put(w, &KR_POD, "p", "Deployment/d/u-d/c");
    put(w, &KR_SECRET, "s", "Pod/p/u-p/c"); /* of a dependent */
    put(w, &KR_POD, "free", "");
    start(w);
    fake_api_delete(w->api, &KR_DEPLOYMENT, "ns", "d");
    run_until(w, secret_gone);
    assert_false(has(w, &KR_POD, "p"));
    assert_true(has(w, &KR_POD, "free"));
    assert_int_equal(w->owner_gets, 0); /* its deletion was seen */
}

static void one_owner_left_is_enough(void **state)
{
    struct world *w = *state;

    put(w, &KR_DEPLOYMENT, "d", "");
    put(w, &KR_CONFIGMAP, "c", "");
    put(w, &KR_SECRET, "s", "Deployment/d/u-d/c ConfigMap/c/u-c/n");
    put(w, &KR_POD, "p", "Deployment/d/u-d/c");
    start(w);
    fake_api_delete(w->api, &KR_DEPLOYMENT, "ns", "d");
    run_until(w, pod_gone);
    assert_true(has(w, &KR_SECRET, "s"));
    fake_api_delete(w->api, &KR_CONFIGMAP, "ns", "c"); /* that one is no controller */
    run_until(w, secret_gone);
}

static void an_owner_of_another_uid_is_another(void **state)
{
    struct world *w = *state;

    put(w, &KR_DEPLOYMENT, "d", ""); /* made again: the pod was of the one before */
    put(w, &KR_POD, "p", "Deployment/d/u-before/c");
    start(w);
    run_until(w, pod_gone);
    assert_int_equal(w->owner_gets, 1);
    assert_true(has(w, &KR_DEPLOYMENT, "d"));
}

static void an_owner_never_seen_is_asked_for(void **state)
{
    struct world *w = *state;

    w->fail_gets = 2; /* no answer is no reason to delete */
    put(w, &KR_POD, "p", "Deployment/never/u-never/c");
    start(w);
    run_until(w, pod_gone);
    assert_int_equal(w->owner_gets, 3);
}

static bool other_gone(struct world *w)
{
    return !has(w, &KR_POD, "other");
}

static void unknown_kinds_of_owners_keep_their_dependents(void **state)
{
    struct world *w = *state;

    put(w, &KR_POD, "p", "Mystery/m/u-m/c");
    put(w, &KR_POD, "other", "Deployment/never/u-never/c");
    start(w);
    assert_true(pod_cached(w));
    run_until(w, other_gone);
    assert_true(has(w, &KR_POD, "p"));
}

/* As the server leaves an object that is deleted in the foreground. */
static void put_waiting(struct world *w)
{
    static const char text[] =
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"d\","
        "\"namespace\":\"ns\",\"uid\":\"u-d\",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\","
        "\"finalizers\":[\"other\",\"foregroundDeletion\"]}}";

    fake_api_put(w->api, &KR_DEPLOYMENT, text);
}

static bool released(struct world *w)
{
    const struct kobj *d = fake_api_get(w->api, &KR_DEPLOYMENT, "ns", "d");

    return yyjson_arr_size(jget(kobj_root(d), "metadata", "finalizers")) == 1;
}

static bool tried(struct world *w)
{
    return fake_api_requests(w->api, "DELETE /api/v1/namespaces/ns/pods/p") >= 2;
}

static bool shared_freed(struct world *w)
{
    const struct kobj *s = fake_api_get(w->api, &KR_SECRET, "ns", "s");

    return yyjson_arr_size(jget(kobj_root(s), "metadata", "ownerReferences")) == 1;
}

/* The owner stays until what blocks it is gone, and then loses that finalizer alone. */
static void foreground_waits_for_what_blocks(void **state)
{
    struct world *w = *state;

    put(w, &KR_DEPLOYMENT, "d", "");
    put(w, &KR_CONFIGMAP, "c", "");
    put(w, &KR_POD, "p", "Deployment/d/u-d/b");
    put(w, &KR_SECRET, "s", "Deployment/d/u-d/b ConfigMap/c/u-c/n"); /* has another owner */
    start(w);
    w->hold_pods = true;
    put_waiting(w);
    run_until(w, tried);
    assert_false(released(w));
    w->hold_pods = false;
    run_until(w, pod_gone);
    run_until(w, shared_freed);
    run_until(w, released);
    assert_false(w->early);
    const struct kobj *d = fake_api_get(w->api, &KR_DEPLOYMENT, "ns", "d");
    yyjson_val *left = jget(kobj_root(d), "metadata", "finalizers");
    assert_string_equal(yyjson_get_str(yyjson_arr_get_first(left)), "other");
}

/* Found at a start, and with nothing that blocks: it goes at once. */
static void foreground_without_dependents(void **state)
{
    struct world *w = *state;

    put(w, &KR_POD, "p", "Deployment/d/u-d/c"); /* blocks nothing, goes all the same */
    put_waiting(w);
    start(w);
    run_until(w, released);
    run_until(w, pod_gone);
}

static void put_crd(struct world *w)
{
    fake_api_put(w->api, &KR_CRD,
                 "{\"apiVersion\":\"apiextensions.k8s.io/"
                 "v1\",\"kind\":\"CustomResourceDefinition\",\"metadata\":{\"name\":"
                 "\"things.example.com\",\"uid\":\"u-crd\"},\"spec\":{\"group\":\"example.com\","
                 "\"scope\":\"Namespaced\","
                 "\"names\":{\"plural\":\"things\",\"kind\":\"Thing\"},\"versions\":[{\"name\":"
                 "\"v1\",\"served\":true,"
                 "\"storage\":true}]},\"status\":{\"conditions\":[{\"type\":\"Established\","
                 "\"status\":\"True\"}]}}");
}

static void custom_kinds_own_and_are_owned(void **state)
{
    struct world *w = *state;

    put_crd(w);
    put(w, &KR_THING, "t", "");
    put(w, &KR_POD, "p", "Thing/t/u-t/c");
    start(w);
    run_until(w, synced);
    assert_true(has(w, &KR_POD, "p"));
    fake_api_delete(w->api, &KR_THING, "ns", "t");
    run_until(w, pod_gone);
}

static bool things_listed(struct world *w)
{
    return fake_api_requests(w->api, "GET /apis/example.com/v1/things") >= 1;
}

static void kinds_defined_later_count_too(void **state)
{
    struct world *w = *state;

    start(w);
    put(w, &KR_THING, "t", "");
    put(w, &KR_POD, "p", "Thing/t/u-t/c");
    run_until(w, pod_cached);
    put_crd(w);
    run_until(w, things_listed);
    assert_true(synced(w)); /* the others' reconcilers were not held up */
    fake_api_delete(w->api, &KR_THING, "ns", "t");
    run_until(w, pod_gone);
}

static void put_event(struct world *w, const char *name, int64_t age_s)
{
    char stamp[RFC3339_LEN];

    clock_rfc3339(clock_wall_ns() - age_s * NS_PER_SEC, stamp);
    _cleanup_free_ char *text =
        xasprintf("{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"metadata\":{\"name\":\"%s\","
                  "\"namespace\":\"ns\"},\"lastTimestamp\":\"%s\"}",
                  name, stamp);
    fake_api_put(w->api, &KR_EVENT, text);
}

/* Each sweep may miss some: the fake's pages shift when events go. */
static bool only_young_events(struct world *w)
{
    event_expiry_sweep(w->expiry);
    return fake_api_count(w->api, &KR_EVENT) == 300;
}

static void old_events_expire(void **state)
{
    struct world *w = *state;
    char name[32];

    for (int i = 0; i < 600; i++) { /* several pages */
        snprintf(name, sizeof(name), "e%d", i);
        put_event(w, name, i % 2 ? 3700 : 3500);
    }
    w->expiry = event_expiry_new(w->m, 10000);
    run_until(w, only_young_events);
    event_expiry_free(w->expiry); /* with a question under way */
}

static bool as_many_as_may_be(struct world *w)
{
    event_expiry_sweep(w->expiry);
    return fake_api_count(w->api, &KR_EVENT) <= 40;
}

/* More than may be kept: the oldest go. */
static void too_many_events_go_oldest_first(void **state)
{
    struct world *w = *state;
    char name[32];

    for (int i = 0; i < 450; i++) {
        snprintf(name, sizeof(name), "e%d", i);
        put_event(w, name, (i * 7) % 450 + 10);
    }
    w->expiry = event_expiry_new(w->m, 40);
    run_until(w, as_many_as_may_be);
    assert_int_equal(fake_api_count(w->api, &KR_EVENT), 40);
    for (int i = 0; i < 450; i++) {
        snprintf(name, sizeof(name), "e%d", i);
        assert_int_equal(has(w, &KR_EVENT, name), (i * 7) % 450 < 40);
    }
    event_expiry_free(w->expiry);
}

#define GC_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GC_TEST(dependents_follow_their_owner),
        GC_TEST(one_owner_left_is_enough),
        GC_TEST(an_owner_of_another_uid_is_another),
        GC_TEST(an_owner_never_seen_is_asked_for),
        GC_TEST(unknown_kinds_of_owners_keep_their_dependents),
        GC_TEST(foreground_waits_for_what_blocks),
        GC_TEST(foreground_without_dependents),
        GC_TEST(custom_kinds_own_and_are_owned),
        GC_TEST(kinds_defined_later_count_too),
        GC_TEST(old_events_expire),
        GC_TEST(too_many_events_go_oldest_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
