/* The whole folder against the real API server on a real store: what users see happen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "cluster/apiserver/apiserver.h"
#include "cluster/workload/workload.h"

struct world {
    char dir[64], path[80];
    struct loop *loop;
    struct store *store;
    struct apiserver *api;
    struct kube_client *client;
    struct manager *m;
    struct workload *workload;
    struct timer *poll;
    bool (*until)(struct world *w);
    int64_t deadline;
    int answers, looks;
    uint64_t seen;
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
    w->deadline = clock_mono_ns() + 30 * NS_PER_SEC;
    loop_run(w->loop);
    assert_true(until(w));
}

static void on_ready(void *ctx, const struct err *why)
{
    assert_null(why);
    ((struct world *)ctx)->answers++;
}

static bool is_ready(struct world *w)
{
    return w->answers == 1;
}

static bool is_synced(struct world *w)
{
    return manager_synced(w->m);
}

static const char crd[] = "apiVersion: apiextensions.k8s.io/v1\nkind: "
                          "CustomResourceDefinition\nmetadata: {name: things.example.com}\n"
                          "spec:\n  group: example.com\n  scope: Namespaced\n  names: {plural: "
                          "things, kind: Thing}\n  versions:\n"
                          "  - name: v1\n    served: true\n    storage: true\n    schema:\n      "
                          "openAPIV3Schema:\n        type: object\n"
                          "        x-kubernetes-preserve-unknown-fields: true\n";
static const struct kube_resource KR_THING = {"example.com", "v1", "things", "Thing", true};

static int set_up(void **state)
{
    static const char *const crds[] = {crd, NULL};
    struct world *w = xnew(struct world);
    struct err e = {0};

    snprintf(w->dir, sizeof(w->dir), "/tmp/nonagon-workload-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof(w->path), "%s/state.db", w->dir);
    w->loop = loop_new(&e);
    w->store = store_open(w->loop, &(struct store_opts){.path = w->path}, &e);
    w->api = apiserver_new(
        w->loop, &(struct apiserver_opts){.store = w->store, .crds = crds, .version = "v1.32.0"},
        &e);
    if (!w->api)
        fail_msg("%s", e.msg);
    w->poll = timer_new(w->loop, check, w);
    timer_repeat(w->poll, 1);
    apiserver_on_ready(w->api, on_ready, w);
    run_until(w, is_ready);
    w->client = kube_client_new(
        w->loop, kube_transport_inproc(w->loop, w->loop, apiserver_handle, w->api, "system:test"));
    w->m = manager_new(w->loop, w->client, "test");
    w->workload = workload_new(w->m);
    manager_start(w->m);
    run_until(w, is_synced);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const tails[] = {"", "-wal", "-shm"};
    struct world *w = *state;

    workload_free(w->workload);
    manager_free(w->m);
    kube_client_free(w->client);
    apiserver_free(w->api);
    store_close(w->store);
    timer_free(w->poll);
    loop_free(w->loop);
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        _cleanup_free_ char *name = xasprintf("%s%s", w->path, tails[i]);
        unlink(name);
    }
    rmdir(w->dir);
    free(w);
    return 0;
}

/* ---- requests that are waited for ---- */

static void on_answer(void *ctx, const struct kube_status *st, struct str body)
{
    struct world *w = ctx;

    if (st->err.code)
        fail_msg("%s", st->err.msg);
    w->answers++;
}

static bool is_answered(struct world *w)
{
    return w->answers == 1;
}

static void request(struct world *w, enum kube_verb verb, const struct kube_resource *r,
                    const char *ns, const char *name, const char *text)
{
    _cleanup_free_ char *body = xstrdup(text);

    for (char *c = body; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    w->answers = 0;
    kube_do(w->client,
            &(struct kube_request){
                .verb = verb, .res = r, .ns = ns, .name = name, .body = str_of(body)},
            on_answer, w);
    run_until(w, is_answered);
}

static void create(struct world *w, const struct kube_resource *r, const char *ns, const char *text)
{
    request(w, KUBE_CREATE, r, ns, NULL, text);
}

static bool stored(struct world *w, const char *key)
{
    return store_get(w->store, key) != NULL;
}

/* ---- what happens ---- */

static bool has_account(struct world *w)
{
    return stored(w, "/serviceaccounts/team/default");
}

static void make_team(struct world *w)
{
    create(w, &KR_NAMESPACE, "",
           "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'team'}}");
    run_until(w, has_account);
}

static bool team_is_gone(struct world *w)
{
    return !stored(w, "/namespaces//team");
}

static void a_namespace_is_emptied_and_goes(void **state)
{
    struct world *w = *state;

    make_team(w);
    create(w, &KR_CONFIGMAP, "team",
           "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'}}");
    create(w, &KR_THING, "team",
           "{'apiVersion':'example.com/v1','kind':'Thing','metadata':{'name':'t'}}");
    create(w, &KR_EVENT, "team",
           "{'apiVersion':'v1','kind':'Event','metadata':{'name':'e'},'involvedObject':{'namespace'"
           ":'team'}}");
    create(w, &KR_LEASE, "team",
           "{'apiVersion':'coordination.k8s.io/v1','kind':'Lease','metadata':{'name':'l'}}");
    request(w, KUBE_DELETE, &KR_NAMESPACE, "", "team", "");
    run_until(w, team_is_gone);
    assert_int_equal(store_count(w->store, "/configmaps/team/"), 0);
    assert_int_equal(store_count(w->store, "example.com/things/team/"), 0);
    assert_int_equal(store_count(w->store, "/events/team/"), 0);
    assert_int_equal(store_count(w->store, "coordination.k8s.io/leases/team/"), 0);
    assert_int_equal(store_count(w->store, "/serviceaccounts/team/"), 0);
    assert_true(stored(w, "/namespaces//default"));
}

static bool has_no_configmap(struct world *w)
{
    return !stored(w, "/configmaps/team/free");
}

static void a_namespace_waits_for_finalizers(void **state)
{
    struct world *w = *state;

    make_team(w);
    create(w, &KR_CONFIGMAP, "team",
           "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'held','finalizers':['example."
           "com/hold']}}");
    create(w, &KR_CONFIGMAP, "team",
           "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'free'}}");
    request(w, KUBE_DELETE, &KR_NAMESPACE, "", "team", "");
    run_until(w, has_no_configmap);
    assert_true(stored(w, "/configmaps/team/held"));
    assert_false(team_is_gone(w));
    request(w, KUBE_PATCH_MERGE, &KR_CONFIGMAP, "team", "held", "{'metadata':{'finalizers':null}}");
    run_until(w, team_is_gone);
}

static size_t pods(struct world *w)
{
    return store_count(w->store, "/pods/default/");
}

static bool three_pods(struct world *w)
{
    return pods(w) == 3;
}

static bool one_pod(struct world *w)
{
    return pods(w) == 1;
}

static bool no_pods(struct world *w)
{
    return pods(w) == 0;
}

static void a_deployment_scales_and_goes_with_its_pods(void **state)
{
    struct world *w = *state;

    create(w, &KR_DEPLOYMENT, "default",
           "{'apiVersion':'apps/"
           "v1','kind':'Deployment','metadata':{'name':'d'},'spec':{'replicas':3,'selector':"
           "{'matchLabels':{'app':'d'}},'template':{'metadata':{'labels':{'app':'d'}},'spec':{'"
           "containers':"
           "[{'name':'c','image':'example.com/i'}]}}}}");
    run_until(w, three_pods);
    request(w, KUBE_PATCH_MERGE, &KR_DEPLOYMENT, "default", "d", "{'spec':{'replicas':1}}");
    run_until(w, one_pod);
    request(w, KUBE_DELETE, &KR_DEPLOYMENT, "default", "d", "");
    run_until(w, no_pods);
}

static bool status_is_counted(struct world *w)
{
    const struct store_obj *o = store_get(w->store, "apps/deployments/default/d");
    struct str s = store_obj_bytes(o);
    _cleanup_jdoc_ yyjson_doc *d = json_parse(s.p, s.n, NULL);

    return jget_int(d->root, 0, "status", "replicas") == 2 &&
           jget_int(d->root, 0, "status", "unavailableReplicas") == 2 &&
           jget_int(d->root, 0, "status", "observedGeneration") ==
               jget_int(d->root, -1, "metadata", "generation");
}

/* No write for a hundred looks, some of which the watches need to catch up. */
static bool is_settled(struct world *w)
{
    w->looks = store_rev(w->store) == w->seen ? w->looks + 1 : 0;
    w->seen = store_rev(w->store);
    return w->looks >= 100;
}

static void a_cluster_settles(void **state)
{
    struct world *w = *state;

    create(w, &KR_SERVICE, "default",
           "{'apiVersion':'v1','kind':'Service','metadata':{'name':'s'},'spec':{'selector':{'app':'"
           "d'},"
           "'ports':[{'port':80}]}}");
    create(w, &KR_DEPLOYMENT, "default",
           "{'apiVersion':'apps/"
           "v1','kind':'Deployment','metadata':{'name':'d'},'spec':{'replicas':2,'selector':"
           "{'matchLabels':{'app':'d'}},'template':{'metadata':{'labels':{'app':'d'}},'spec':{'"
           "containers':"
           "[{'name':'c','image':'example.com/i'}]}}}}");
    run_until(w, status_is_counted);
    run_until(w, is_settled);
    assert_true(stored(w, "/endpoints/default/s"));
}

#define CLUSTER_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(a_namespace_is_emptied_and_goes),
        CLUSTER_TEST(a_namespace_waits_for_finalizers),
        CLUSTER_TEST(a_deployment_scales_and_goes_with_its_pods),
        CLUSTER_TEST(a_cluster_settles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
