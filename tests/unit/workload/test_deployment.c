/* The Deployment controller as tables: pods that are there -> what is planned, and the status
 * through a roll-out. */
#include "bench.h"

#include "cluster/workload/pod_template.h"
#include "cluster/workload/rollout.h"

#define TEMPLATE                                                                                   \
    "{'metadata':{'labels':{'app':'d'},'annotations':{'a':'b'}},"                                  \
    "'spec':{'containers':[{'name':'c','image':'i'}]}}"

static const struct kobj *put_deployment(struct bench *b, int replicas, const char *spec,
                                         const char *status)
{
    return bench_put(b, &KR_DEPLOYMENT,
                     "{'apiVersion':'apps/"
                     "v1','kind':'Deployment','metadata':{'name':'d','namespace':'ns','uid':'u-d',"
                     "'generation':3},'spec':{'replicas':%d,%s'template':" TEMPLATE
                     "},'status':{%s}}",
                     replicas, spec, status);
}

static void current_hash(const struct kobj *d, char hash[static TEMPLATE_HASH_MAX])
{
    template_hash(jget(kobj_root(d), "spec", "template"), hash);
}

/*
 * pods: one word each, "n" of the newest template or "o" older, then "+" ready, "-" not, "x" being
 * deleted, "f" failed. The first is the oldest; names are p0, p1, ...
 */
static void put_pods(struct bench *b, const struct kobj *d, const char *pods)
{
    struct str rest = str_of(*pods ? pods : NULL), word;
    char hash[TEMPLATE_HASH_MAX];

    current_hash(d, hash);
    for (int i = 0; str_split(&rest, ' ', &word); i++)
        bench_put(
            b, &KR_POD,
            "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p%d','namespace':'ns','uid':'u-p%"
            "d',%s"
            "'creationTimestamp':'2026-05-01T11:%02d:00Z','labels':{'pod-template-hash':'%s'},"
            "'ownerReferences':[{'apiVersion':'apps/v1','kind':'Deployment','name':'d','uid':'u-d',"
            "'controller':true}]},'status':{'phase':'%s','conditions':[{'type':'Ready','status':'%"
            "s',"
            "'lastTransitionTime':'2026-05-01T11:59:50Z'}]}}",
            i, i, word.p[1] == 'x' ? "'deletionTimestamp':'" NOW_TEXT "'," : "", i,
            word.p[0] == 'n' ? hash : "old", word.p[1] == 'f' ? "Failed" : "Running",
            word.p[1] == '+' ? "True" : "False");
}

struct step {
    int replicas;
    const char *spec, *pods, *plan;
};

static const char rolling0[] =
    "'strategy':{'rollingUpdate':{'maxUnavailable':0,'maxSurge':'25%'}},";
static const char rolling1[] = "'strategy':{'rollingUpdate':{'maxUnavailable':1,'maxSurge':0}},";
static const char recreate[] = "'strategy':{'type':'Recreate'},";

static const struct step steps[] = {
    /* scaling */
    {0, "", "", "status deployments"},
    {1, "", "", "create pods, status deployments"},
    {5, "", "", "create pods x5, status deployments"},
    {3, "", "n+ n-", "create pods, status deployments"},
    {3, "", "n+ nx n+", "create pods, status deployments"},
    {2, "", "n+ nf n+", "delete pods/p1, status deployments"},
    {1, "", "n+ n- n+", "delete pods/p1, delete pods/p2, status deployments"},
    {1, "", "n+ n+ n+", "delete pods/p2, delete pods/p1, status deployments"},
    {0, "", "n+ n-", "delete pods/p1, delete pods/p0, status deployments"},
    {0, "", "n+ o-", "delete pods/p0, delete pods/p1, status deployments"},
    /* rolling with maxUnavailable 0: a new one first, an old one goes when it is ready */
    {1, rolling0, "o+", "create pods, status deployments"},
    {1, rolling0, "o+ n-", "status deployments"},
    {1, rolling0, "o+ n+", "delete pods/p0, status deployments"},
    {1, rolling0, "ox n+", "status deployments"},
    {4, rolling0, "o+ o+ o+ o+", "create pods, status deployments"},
    {4, rolling0, "o+ o+ o+ o+ n+", "delete pods/p3, status deployments"},
    {4, rolling0, "o+ o+ o+ n+", "create pods, status deployments"},
    {4, rolling0, "o+ o+ o+ n+ n-", "status deployments"},
    {10, rolling0, "o+ o+ o+ o+ o+ o+ o+ o+ o+ o+", "create pods x3, status deployments"},
    {2, rolling0, "o- o-", "create pods, status deployments"},
    {2, rolling0, "o- o- n+", "delete pods/p1, status deployments"},
    {1, "", "o+", "create pods, status deployments"},
    /* rolling with maxUnavailable 1 and no surge: an old one first */
    {2, rolling1, "o+ o+", "delete pods/p1, status deployments"},
    {2, rolling1, "o+ ox", "create pods, status deployments"},
    {2, rolling1, "o+ n-", "status deployments"},
    /* recreate: the new ones when the old are gone */
    {2, recreate, "o+ o+", "delete pods/p1, delete pods/p0, status deployments"},
    {2, recreate, "ox ox", "create pods x2, status deployments"},
    /* paused: nothing moves */
    {2, "'paused':true,", "o+", "status deployments"},
};

static void plans(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        void *own = NULL;
        bench_set_up(&own);
        const struct kobj *d = put_deployment(own, steps[i].replicas, steps[i].spec, "");
        put_pods(own, d, steps[i].pods);
        struct plan *p = bench_run(own, deployment_reconcile, d);
        _cleanup_free_ char *got = bench_summary(p);
        if (!streq(got, steps[i].plan))
            fail_msg("%d of \"%s\": %s, wanted %s", steps[i].replicas, steps[i].pods, got,
                     steps[i].plan);
        plan_free(p);
        bench_tear_down(&own);
    }
}

static void a_pod_is_what_the_template_says(void **state)
{
    struct bench *b = *state;
    const struct kobj *d = put_deployment(b, 1, "", "");
    struct plan *p = bench_run(b, deployment_reconcile, d);
    const struct plan_entry *en = plan_at(p, 0);
    char hash[TEMPLATE_HASH_MAX];

    current_hash(d, hash);
    _cleanup_free_ char *base = xasprintf("d-%s-", hash);
    assert_true(z_starts(en->name, base));
    assert_int_equal(strlen(en->name), strlen(base) + 5);
    assert_string_equal(en->ns, "ns");
    assert_string_equal(jm_get_str(en->obj->root, "metadata", "labels", "pod-template-hash"), hash);
    assert_string_equal(jm_get_str(en->obj->root, "metadata", "labels", "app"), "d");
    assert_string_equal(jm_get_str(en->obj->root, "metadata", "annotations", "a"), "b");
    _cleanup_kobj_ const struct kobj *pod = kmut_freeze(en->obj);
    assert_true(kobj_controlled_by(pod, d));
    assert_true(
        json_equal(jget(kobj_root(pod), "spec"), jget(kobj_root(d), "spec", "template", "spec")));
    plan_free(p);
}

static void long_names_are_cut(void **state)
{
    struct bench *b = *state;
    const struct kobj *d = bench_put(
        b, &KR_DEPLOYMENT,
        "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'%s','namespace':'ns',"
        "'uid':'u'},'spec':{'template':" TEMPLATE "}}",
        "a-name-of-sixty-three-characters-is-the-longest-that-a-label-has");
    struct plan *p = bench_run(b, deployment_reconcile, d);

    assert_int_equal(strlen(plan_at(p, 0)->name), 63);
    plan_free(p);
}

static void hashes_tell_templates_apart(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } t[] = {
        {"{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}", true},
        {"{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}", false},
        {"{\"b\":[1,2]}", "{\"b\":[2,1]}", false},
        {"{\"a\":\"1\"}", "{\"a\":1}", false},
        {"{\"a\":{\"b\":1}}", "{\"a\":{},\"b\":1}", false},
        {"{\"a\":true}", "{\"a\":false}", false},
        {"{\"a\":[[1],[2]]}", "{\"a\":[[1,2]]}", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        char x[TEMPLATE_HASH_MAX], y[TEMPLATE_HASH_MAX];
        _cleanup_jdoc_ yyjson_doc *a = json_parse(t[i].a, strlen(t[i].a), NULL);
        _cleanup_jdoc_ yyjson_doc *b = json_parse(t[i].b, strlen(t[i].b), NULL);
        template_hash(a->root, x);
        template_hash(b->root, y);
        assert_int_equal(streq(x, y), t[i].same);
    }
}

/* ---- status ---- */

/* Writes the planned status back, as the controller does. */
static const struct kobj *apply_status(struct bench *b, const struct plan *p, const struct kobj *d)
{
    for (size_t i = 0; i < plan_len(p); i++) {
        const struct plan_entry *en = plan_at(p, i);
        if (en->op != PLAN_UPDATE_STATUS)
            continue;
        _cleanup_free_ char *text = bench_json(en->obj->root);
        return bench_put(b, &KR_DEPLOYMENT, "%s", text);
    }
    return d;
}

static void assert_condition(const struct kobj *d, const char *type, const char *status,
                             const char *reason)
{
    yyjson_val *c = kobj_condition(d, type);

    assert_non_null(c);
    assert_string_equal(jget_str(c, "status"), status);
    assert_string_equal(jget_str(c, "reason"), reason);
}

static const struct kobj *run(struct bench *b, const struct kobj *d)
{
    struct plan *p = bench_run(b, deployment_reconcile, d);
    const struct kobj *after = apply_status(b, p, d);

    plan_free(p);
    return after;
}

static int64_t count(const struct kobj *d, const char *name)
{
    return jget_int(kobj_root(d), 0, "status", name);
}

static void a_rollout_reports_its_way(void **state)
{
    struct bench *b = *state;
    const struct kobj *d = run(b, put_deployment(b, 1, rolling0, ""));

    assert_int_equal(count(d, "observedGeneration"), 3);
    assert_int_equal(count(d, "replicas"), 1); /* the pod of this very plan */
    assert_int_equal(count(d, "unavailableReplicas"), 1);
    assert_condition(d, "Available", "False", "MinimumReplicasUnavailable");
    assert_condition(d, "Progressing", "True", "ReplicaSetUpdated");
    put_pods(b, d, "n+");
    d = run(b, d);
    assert_int_equal(count(d, "readyReplicas"), 1);
    assert_int_equal(count(d, "availableReplicas"), 1);
    assert_int_equal(count(d, "unavailableReplicas"), 0);
    assert_condition(d, "Available", "True", "MinimumReplicasAvailable");
    assert_condition(d, "Progressing", "True", "NewReplicaSetAvailable");
    /* Nothing new: nothing is written. */
    struct plan *p = bench_run(b, deployment_reconcile, d);
    assert_int_equal(plan_len(p), 0);
    plan_free(p);
}

static void scaling_does_not_touch_a_complete_rollout(void **state)
{
    struct bench *b = *state;
    const struct kobj *d = run(b, put_deployment(b, 0, "", ""));

    assert_condition(d, "Progressing", "True", "NewReplicaSetAvailable");
    _cleanup_(kmut_freep) struct kmut *m = kmut_from(d);
    jm_set_int(KM(m), 2, "spec", "replicas");
    _cleanup_free_ char *text = bench_json(m->root);
    d = run(b, bench_put(b, &KR_DEPLOYMENT, "%s", text));
    assert_condition(d, "Progressing", "True", "NewReplicaSetAvailable");
    assert_condition(d, "Available", "False", "MinimumReplicasUnavailable");
    b->now_ns += 10000 * NS_PER_SEC;
    d = run(b, d);
    assert_condition(d, "Progressing", "True", "NewReplicaSetAvailable");
}

static void a_new_template_begins_a_new_rollout(void **state)
{
    struct bench *b = *state;
    const struct kobj *d = run(b, put_deployment(b, 0, "", ""));

    _cleanup_(kmut_freep) struct kmut *m = kmut_from(d);
    jm_set_int(KM(m), 1, "spec", "replicas");
    jm_set_str(KM(m), "other", "spec", "template", "metadata", "labels", "app");
    _cleanup_free_ char *text = bench_json(m->root);
    d = run(b, bench_put(b, &KR_DEPLOYMENT, "%s", text));
    assert_condition(d, "Progressing", "True", "ReplicaSetUpdated");
}

static void standing_still_exceeds_the_deadline(void **state)
{
    struct bench *b = *state;
    const struct kobj *d = run(b, put_deployment(b, 1, "'progressDeadlineSeconds':60,", ""));

    put_pods(b, d, "n-");
    b->now_ns += 59 * NS_PER_SEC;
    struct plan *p = bench_run(b, deployment_reconcile, d);
    assert_in_range(plan_requeue(p), 1, 2 * NS_PER_SEC);
    d = apply_status(b, p, d);
    plan_free(p);
    assert_condition(d, "Progressing", "True", "ReplicaSetUpdated");
    b->now_ns += 2 * NS_PER_SEC;
    d = run(b, d);
    assert_condition(d, "Progressing", "False", "ProgressDeadlineExceeded");
    assert_non_null(strstr(jget_str(kobj_condition(d, "Progressing"), "message"),
                           "has timed out progressing."));
    b->now_ns += 2 * NS_PER_SEC;
    d = run(b, d);
    assert_condition(d, "Progressing", "False", "ProgressDeadlineExceeded");
    put_pods(b, d, "n+");
    d = run(b, d);
    assert_condition(d, "Progressing", "True", "NewReplicaSetAvailable");
}

static void a_refused_pod_is_said(void **state)
{
    struct bench *b = *state;
    const struct kobj *d = put_deployment(b, 2, "", "");
    struct kube_status refused = {
        .code = 403, .reason = "Forbidden", .err = {-13, "exceeded quota"}};
    struct plan_entry failed = {.op = PLAN_CREATE, .res = &KR_POD};
    struct reconcile_ctx rc = {
        .m = b->m, .key = "ns/d", .ns = "ns", .name = "d", .obj = d, .now_ns = b->now_ns};
    struct plan *p = plan_new();

    rc.failure = &refused;
    rc.failed = &failed;
    deployment_reconcile(&b->w, &rc, p);
    _cleanup_free_ char *summary = bench_summary(p);
    assert_string_equal(summary, "event FailedCreate, status deployments");
    d = apply_status(b, p, d);
    plan_free(p);
    assert_condition(d, "ReplicaFailure", "True", "FailedCreate");
    assert_string_equal(jget_str(kobj_condition(d, "ReplicaFailure"), "message"), "exceeded quota");
    assert_int_equal(count(d, "replicas"), 0);
    /* The next run tries again, and without a refusal the condition goes. */
    d = run(b, d);
    assert_null(kobj_condition(d, "ReplicaFailure"));
    assert_int_equal(count(d, "replicas"), 2);
}

static void ready_counts_as_available_after_a_while(void **state)
{
    struct bench *b = *state;
    const struct kobj *d = put_deployment(b, 1, "'minReadySeconds':30,", "");

    put_pods(b, d, "n+"); /* ready for ten seconds */
    struct plan *p = bench_run(b, deployment_reconcile, d);
    assert_int_equal(plan_requeue(p), 20 * NS_PER_SEC);
    d = apply_status(b, p, d);
    plan_free(p);
    assert_int_equal(count(d, "readyReplicas"), 1);
    assert_int_equal(count(d, "availableReplicas"), 0);
    b->now_ns += 20 * NS_PER_SEC;
    d = run(b, d);
    assert_int_equal(count(d, "availableReplicas"), 1);
}

static void a_deployment_that_goes_is_left_alone(void **state)
{
    struct bench *b = *state;
    const struct kobj *d = bench_put(
        b, &KR_DEPLOYMENT,
        "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'d','namespace':'ns',"
        "'uid':'u','deletionTimestamp':'" NOW_TEXT "'},'spec':{'template':" TEMPLATE "}}");
    struct plan *p = bench_run(b, deployment_reconcile, d);

    assert_int_equal(plan_len(p), 0);
    plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans),
        BENCH_TEST(a_pod_is_what_the_template_says),
        BENCH_TEST(long_names_are_cut),
        cmocka_unit_test(hashes_tell_templates_apart),
        BENCH_TEST(a_rollout_reports_its_way),
        BENCH_TEST(scaling_does_not_touch_a_complete_rollout),
        BENCH_TEST(a_new_template_begins_a_new_rollout),
        BENCH_TEST(standing_still_exceeds_the_deadline),
        BENCH_TEST(a_refused_pod_is_said),
        BENCH_TEST(ready_counts_as_available_after_a_while),
        BENCH_TEST(a_deployment_that_goes_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
