/* The Revision reconciler as a table: objects before, writes and conditions after. */
#include "table.h"

#include "base/clock.h"
#include "serving/revision/digests.h"
#include "serving/revision/revision.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* ---- a registry that answers when told to ---- */
struct ask {
    char image[128];
    void (*done)(void *to, const char *digest, const struct err *why);
    void *to;
};
struct registry {
    bool at_once;
    struct ask asks[8];
    size_t n;
};

static void resolve(void *ctx, const char *ns, const char *image, const char *account,
                    const yyjson_val *secrets,
                    void (*done)(void *to, const char *digest, const struct err *why), void *to)
{
    struct registry *g = ctx;

    if (g->at_once) {
        done(to, DIGEST, NULL);
        return;
    }
    struct ask *a = &g->asks[g->n++];
    snprintf(a->image, sizeof(a->image), "%s", image);
    a->done = done;
    a->to = to;
}

static void answer(struct registry *g, const char *digest, const char *why)
{
    struct err e = {.code = -1};
    size_t n = g->n;

    snprintf(e.msg, sizeof(e.msg), "%s", why ? why : "");
    g->n = 0;
    for (size_t i = 0; i < n; i++)
        g->asks[i].done(g->asks[i].to, digest, &e);
}

struct fixture {
    struct table t;
    struct registry registry;
};

#define REVISION                                                                                   \
    "{'apiVersion':'serving.knative.dev/v1','kind':'Revision','metadata':{'name':'hello-00001',"   \
    "'namespace':'ns','uid':'rev-uid','generation':1,'labels':{"                                   \
    "'serving.knative.dev/configuration':'hello','serving.knative.dev/service':'hello',"           \
    "'serving.knative.dev/routingState':'active'},'annotations':{"                                 \
    "'serving.knative.dev/routes':'hello','example.com/x':'y'%s}},'spec':{'timeoutSeconds':300,"   \
    "'containerConcurrency':0,'enableServiceLinks':false,'containers':[%s]}}"
#define CONTAINER                                                                                  \
    "{'name':'user-container','image':'localhost:5000/hello:v1','readinessProbe':{"                \
    "'tcpSocket':{'port':0},'successThreshold':1}}"

static void put_revision(struct fixture *f, const char *annotations, const char *containers)
{
    table_put(&f->t, &KR_REVISION, arena_printf(&f->t.arena, REVISION, annotations, containers));
}

static const char *run(struct fixture *f)
{
    return table_run(&f->t, revision_reconcile, &KR_REVISION, "ns", "hello-00001");
}

static void start(struct fixture *f)
{
    *f = (struct fixture){.registry = {.at_once = true}};
    table_start(&f->t);
    f->t.s.resolver = (struct digest_resolver){.resolve = resolve, .ctx = &f->registry};
    f->t.s.digests = digests_new(&f->t.s);
    revision_add_index(f->t.s.m);
}

static void end(struct fixture *f)
{
    digests_free(f->t.s.digests);
    table_end(&f->t);
}

#define conditions(f) table_conditions(&(f)->t, &KR_REVISION, "hello-00001")
#define message(f, c) table_message(&(f)->t, &KR_REVISION, "hello-00001", c)
#define status(f, ...)                                                                             \
    table_value(&(f)->t, &KR_REVISION, "hello-00001", JPATH("status", __VA_ARGS__))
#define deployment(f, ...)                                                                         \
    table_value(&(f)->t, &KR_DEPLOYMENT, "hello-00001-deployment", JPATH(__VA_ARGS__))
#define autoscaler(f, ...)                                                                         \
    table_value(&(f)->t, &KR_PODAUTOSCALER, "hello-00001", JPATH(__VA_ARGS__))
#define FIRST_RUN                                                                                  \
    "create deployments ns/hello-00001-deployment\n"                                               \
    "create podautoscalers ns/hello-00001\n"                                                       \
    "create images ns/hello-00001-cache-user-container\n"                                          \
    "status revisions ns/hello-00001\n"

/* Replaces a child's status. */
static void give_status(struct fixture *f, const struct kube_resource *r, const char *name,
                        const char *text)
{
    _cleanup_kobj_ const struct kobj *o = kobj_ref(table_get(&f->t, r, "ns", name));
    const char *json = table_json(&f->t, text);
    _cleanup_jdoc_ yyjson_doc *d = json_parse(json, strlen(json), NULL);

    assert_non_null(o);
    assert_non_null(d);
    struct kmut *m = kmut_from(o);
    jm_set_copy(KM(m), yyjson_doc_get_root(d), "status");
    _cleanup_free_ char *out = kmut_text(m, NULL);
    kmut_free(m);
    table_put(&f->t, r, out);
}

static void deployment_status(struct fixture *f, const char *text)
{
    give_status(f, &KR_DEPLOYMENT, "hello-00001-deployment", text);
}

static void autoscaler_status(struct fixture *f, const char *text)
{
    give_status(f, &KR_PODAUTOSCALER, "hello-00001", text);
}

static void set_up(struct fixture *f)
{
    start(f);
    put_revision(f, "", CONTAINER);
    run(f);
    table_apply(&f->t);
}

#define PROGRESSING                                                                                \
    "'conditions':[{'type':'Progressing','status':'True','reason':'ReplicaSetUpdated'}]"
#define TIMED_OUT                                                                                  \
    "'conditions':[{'type':'Progressing','status':'False','reason':'ProgressDeadlineExceeded',"    \
    "'message':'has timed out'}]"
#define PA_READY                                                                                   \
    "'serviceName':'hello-00001','actualScale':1,'desiredScale':1,'conditions':["                  \
    "{'type':'Ready','status':'True'},{'type':'ScaleTargetInitialized','status':'True'}]"

/* ---- children ---- */
static void test_first_run_writes_all_children(void **state)
{
    struct fixture f;

    start(&f);
    put_revision(&f, "", CONTAINER);
    assert_string_equal(run(&f), FIRST_RUN);
    assert_string_equal(conditions(&f),
                        "Active=Unknown/Deploying ContainerHealthy=Unknown/Deploying "
                        "Ready=Unknown/Deploying ResourcesAvailable=Unknown/Deploying");
    assert_string_equal(status(&f, "containerStatuses"),
                        "[{'name':'user-container','imageDigest':'localhost:5000/hello@" DIGEST
                        "'}]");
    assert_string_equal(
        deployment(&f, "spec", "template", "spec"),
        "{'containers':[{'name':'user-container','image':'localhost:5000/hello@" DIGEST
        "','readinessProbe':{'tcpSocket':{'port':8080},'successThreshold':1},"
        "'ports':[{'name':'user-port','containerPort':8080,'protocol':'TCP'}],"
        "'env':[{'name':'PORT','value':'8080'},{'name':'K_REVISION','value':'hello-00001'},"
        "{'name':'K_CONFIGURATION','value':'hello'},{'name':'K_SERVICE','value':'hello'}],"
        "'terminationMessagePolicy':'FallbackToLogsOnError'}],'enableServiceLinks':false,"
        "'terminationGracePeriodSeconds':300,'affinity':{'podAntiAffinity':{"
        "'preferredDuringSchedulingIgnoredDuringExecution':[{'weight':100,'podAffinityTerm':{'"
        "labelSelector':"
        "{'matchLabels':{'serving.knative.dev/"
        "revision':'hello-00001'}},'topologyKey':'kubernetes.io/hostname'}}]}}}");
    assert_string_equal(deployment(&f, "spec", "replicas"), "1");
    assert_string_equal(deployment(&f, "spec", "progressDeadlineSeconds"), "600");
    assert_string_equal(deployment(&f, "spec", "selector"),
                        "{'matchLabels':{'serving.knative.dev/revisionUID':'rev-uid'}}");
    assert_string_equal(
        deployment(&f, "spec", "template", "metadata", "labels"),
        "{'serving.knative.dev/configuration':'hello','serving.knative.dev/service':'hello',"
        "'serving.knative.dev/revision':'hello-00001','serving.knative.dev/revisionUID':'rev-uid',"
        "'app':'hello-00001'}");
    assert_string_equal(
        deployment(&f, "spec", "template", "metadata", "annotations"),
        "{'example.com/x':'y','kubectl.kubernetes.io/default-container':'user-container'}");
    end(&f);
}

static void test_contracts(void **state)
{
    struct fixture f;

    start(&f);
    put_revision(
        &f, ",'autoscaling.knative.dev/min-scale':'2','autoscaling.knative.dev/initial-scale':'3'",
        "{'name':'c','image':'foo','ports':[{'name':'h2c','containerPort':9000}]}");
    run(&f);
    assert_string_equal(
        autoscaler(&f, "spec"),
        "{'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':"
        "'hello-00001-deployment'},'protocolType':'h2c','reachability':'Reachable'}");
    assert_string_equal(
        autoscaler(&f, "metadata", "annotations"),
        "{'example.com/x':'y','autoscaling.knative.dev/min-scale':'2',"
        "'autoscaling.knative.dev/initial-scale':'3','autoscaling.knative.dev/class':"
        "'kpa.autoscaling.knative.dev'}");
    assert_string_equal(table_value(&f.t, &KR_IMAGE, "hello-00001-cache-c", JPATH("spec")),
                        "{'image':'index.docker.io/library/foo@" DIGEST "'}");
    assert_string_equal(
        table_value(&f.t, &KR_IMAGE, "hello-00001-cache-c", JPATH("metadata", "annotations")),
        "{'example.com/x':'y','caching.knative.dev/"
        "image.class':'nothing.image.caching.nonagon.dev'}");
    assert_string_equal(deployment(&f, "spec", "replicas"), "3");
    end(&f);
}

static void test_sidecar_and_probes(void **state)
{
    struct fixture f;

    start(&f);
    put_revision(&f, "",
                 "{'name':'side','image':'foo','env':[{'name':'PORT','value':'1'}]},"
                 "{'name':'main','image':'foo','ports':[{'name':'http1','containerPort':9000}],"
                 "'readinessProbe':{'httpGet':{'path':'/r','port':'http1'}},"
                 "'livenessProbe':{'httpGet':{'path':'/l','port':1234}}}");
    run(&f);
    yyjson_mut_val *list =
        jm_get(plan_at(f.t.plan, 0)->obj->root, "spec", "template", "spec", "containers");
    yyjson_mut_val *side = yyjson_mut_arr_get(list, 0), *serving = yyjson_mut_arr_get(list, 1);
    assert_int_equal(yyjson_mut_arr_size(jm_get(side, "env")), 4);
    assert_null(jm_get(side, "ports"));
    assert_int_equal(jm_get_int(serving, 0, "readinessProbe", "httpGet", "port"), 9000);
    assert_int_equal(jm_get_int(serving, 0, "livenessProbe", "httpGet", "port"), 9000);
    assert_int_equal(yyjson_mut_arr_size(jm_get(serving, "env")), 4);
    end(&f);
}

static void test_update_keeps_what_others_own(void **state)
{
    struct fixture f;

    set_up(&f);
    assert_string_equal(run(&f), "");
    _cleanup_kobj_ const struct kobj *live =
        kobj_ref(table_get(&f.t, &KR_DEPLOYMENT, "ns", "hello-00001-deployment"));
    struct kmut *m = kmut_from(live);
    jm_set_int(KM(m), 7, "spec", "replicas");
    kmut_label(m, L_DEPLOYMENT_HASH, "old");
    kmut_annotation(m, "kubectl.kubernetes.io/restartedAt", "now");
    kmut_annotation(m, "serving.knative.dev/gone", "x");
    _cleanup_free_ char *text = kmut_text(m, NULL);
    kmut_free(m);
    table_put(&f.t, &KR_DEPLOYMENT, text);
    assert_string_equal(run(&f), "update deployments ns/hello-00001-deployment\n");
    assert_string_equal(deployment(&f, "spec", "replicas"), "7");
    assert_string_equal(deployment(&f, "metadata", "annotations"),
                        "{'example.com/x':'y','kubectl.kubernetes.io/restartedAt':'now'}");
    end(&f);
}

static void test_autoscaler_follows_the_revision(void **state)
{
    struct fixture f;

    start(&f);
    put_revision(&f, ",'autoscaling.knative.dev/min-scale':'2'", CONTAINER);
    run(&f);
    table_apply(&f.t);
    put_revision(&f,
                 ",'autoscaling.knative.dev/class':'other','autoscaling.knative.dev/max-scale':'3'",
                 CONTAINER);
    run(&f);
    assert_string_equal(autoscaler(&f, "metadata", "annotations"),
                        "{'example.com/x':'y','autoscaling.knative.dev/class':'other',"
                        "'autoscaling.knative.dev/max-scale':'3'}");
    end(&f);
}

/* ---- digests ---- */
static void test_digests_take_their_time(void **state)
{
    struct fixture f;

    start(&f);
    f.registry.at_once = false;
    put_revision(&f, "", CONTAINER);
    assert_string_equal(run(&f), "status revisions ns/hello-00001\nrequeue 10000 ms\n");
    assert_string_equal(conditions(&f), "ContainerHealthy=Unknown Ready=Unknown/ResolvingDigests "
                                        "ResourcesAvailable=Unknown/ResolvingDigests");
    table_apply(&f.t);
    assert_string_equal(run(&f), "requeue 10000 ms\n");
    assert_int_equal(f.registry.n, 1);
    assert_string_equal(f.registry.asks[0].image, "localhost:5000/hello:v1");
    answer(&f.registry, DIGEST, NULL);
    assert_string_equal(run(&f), FIRST_RUN);
    end(&f);
}

static void test_missing_image(void **state)
{
    struct fixture f;

    start(&f);
    f.registry.at_once = false;
    put_revision(&f, "", CONTAINER);
    run(&f);
    table_apply(&f.t);
    answer(&f.registry, NULL, "MANIFEST_UNKNOWN");
    f.t.now_ns = clock_mono_ns();
    const char *plan = run(&f);
    assert_non_null(strstr(plan,
                           "error: failed to resolve image \"localhost:5000/hello:v1\" to digest: "
                           "MANIFEST_UNKNOWN"));
    assert_true(plan_requeue(f.t.plan) > 0 && plan_requeue(f.t.plan) <= NS_PER_SEC);
    assert_string_equal(conditions(&f),
                        "ContainerHealthy=False/ContainerMissing Ready=False/ContainerMissing "
                        "ResourcesAvailable=Unknown/ResolvingDigests");
    assert_string_equal(message(&f, "Ready"),
                        "Unable to fetch image \"localhost:5000/hello:v1\": failed to resolve "
                        "image to digest: MANIFEST_UNKNOWN");
    table_apply(&f.t);
    run(&f); /* says nothing new and does not ask before its time */
    assert_null(plan_error(f.t.plan));
    assert_int_equal(plan_len(f.t.plan), 0);
    assert_int_equal(f.registry.n, 0);
    f.t.now_ns += 2 * NS_PER_SEC;
    run(&f);
    assert_int_equal(f.registry.n, 1);
    answer(&f.registry, DIGEST, NULL);
    run(&f);
    assert_string_equal(conditions(&f),
                        "Active=Unknown/Deploying ContainerHealthy=Unknown/Deploying "
                        "Ready=Unknown/Deploying ResourcesAvailable=Unknown/Deploying");
    end(&f);
}

static void test_silent_registry(void **state)
{
    struct fixture f;

    start(&f);
    f.registry.at_once = false;
    put_revision(&f, "", CONTAINER);
    run(&f);
    f.t.now_ns += 11 * NS_PER_SEC;
    run(&f);
    assert_string_equal(
        message(&f, "Ready"),
        "Unable to fetch image \"localhost:5000/hello:v1\": failed to resolve image "
        "to digest: the registry did not answer within 10s");
    answer(&f.registry, DIGEST, NULL); /* too late to count */
    end(&f);
}

static void test_digest_not_needed(void **state)
{
    struct fixture f;

    start(&f);
    f.registry.at_once = false;
    put_revision(&f, "", "{'name':'c','image':'foo@" DIGEST "'}");
    run(&f);
    assert_string_equal(status(&f, "containerStatuses"),
                        "[{'name':'c','imageDigest':'foo@" DIGEST "'}]");
    end(&f);
    start(&f);
    f.registry.at_once = false;
    put_revision(&f, "", "{'name':'c','image':'dev.local/foo:v1'}");
    run(&f);
    assert_string_equal(status(&f, "containerStatuses"), "[{'name':'c'}]");
    assert_string_equal(table_value(&f.t, &KR_IMAGE, "hello-00001-cache-c", JPATH("spec", "image")),
                        "''");
    end(&f);
}

static void test_late_answers_are_let_go(void **state)
{
    struct fixture f;

    start(&f);
    f.registry.at_once = false;
    put_revision(&f, "", CONTAINER);
    run(&f);
    end(&f);
    answer(&f.registry, DIGEST, NULL);
}

/* ---- status ---- */
static void test_becomes_ready(void **state)
{
    struct fixture f;

    set_up(&f);
    deployment_status(&f, "{'readyReplicas':1,'availableReplicas':1," PROGRESSING "}");
    run(&f);
    assert_string_equal(conditions(&f),
                        "Active=Unknown/Deploying ContainerHealthy=True Ready=Unknown/Deploying "
                        "ResourcesAvailable=Unknown/Deploying");
    table_apply(&f.t);
    autoscaler_status(&f, "{" PA_READY "}");
    assert_string_equal(
        run(&f),
        "event Normal RevisionReady: Revision becomes ready upon all resources being ready\n"
        "status revisions ns/hello-00001\n");
    assert_string_equal(conditions(&f),
                        "Active=True ContainerHealthy=True Ready=True ResourcesAvailable=True");
    assert_string_equal(status(&f, "actualReplicas"), "1");
    assert_string_equal(status(&f, "desiredReplicas"), "1");
    table_apply(&f.t);
    assert_string_equal(run(&f), "");
    end(&f);
}

static void test_at_zero_it_stays_ready(void **state)
{
    struct fixture f;

    set_up(&f);
    deployment_status(&f, "{" PROGRESSING "}");
    autoscaler_status(&f,
                      "{'serviceName':'hello-00001','actualScale':0,'desiredScale':0,'conditions':["
                      "{'type':'Ready','status':'False','reason':'NoTraffic','message':'idle'},"
                      "{'type':'ScaleTargetInitialized','status':'True'}]}");
    run(&f);
    assert_string_equal(
        conditions(&f),
        "Active=False/NoTraffic ContainerHealthy=True Ready=True ResourcesAvailable=True");
    assert_string_equal(status(&f, "actualReplicas"), "0");
    end(&f);
}

static void test_initial_scale_never_achieved(void **state)
{
    struct fixture f;

    set_up(&f);
    deployment_status(&f, "{" PROGRESSING "}");
    autoscaler_status(&f,
                      "{'serviceName':'hello-00001','conditions':["
                      "{'type':'Ready','status':'False','reason':'NoTraffic','message':'idle'}]}");
    run(&f);
    assert_string_equal(
        conditions(&f),
        "Active=False/NoTraffic ContainerHealthy=Unknown/Deploying "
        "Ready=False/ProgressDeadlineExceeded ResourcesAvailable=False/ProgressDeadlineExceeded");
    assert_string_equal(message(&f, "Ready"), "Initial scale was never achieved");
    end(&f);
}

static void test_no_plugin(void **state)
{
    struct fixture f;

    set_up(&f);
    deployment_status(&f, "{" PROGRESSING "}");
    autoscaler_status(
        &f, "{'serviceName':'','conditions':["
            "{'type':'Ready','status':'False','reason':'NoPluginForClass','message':'nobody'}]}");
    run(&f);
    assert_string_equal(conditions(&f),
                        "Active=False/NoPluginForClass ContainerHealthy=Unknown/Deploying "
                        "Ready=False/NoPluginForClass ResourcesAvailable=False/NoPluginForClass");
    assert_string_equal(message(&f, "Ready"), "nobody");
    table_apply(&f.t);
    assert_string_equal(run(&f), "");
    end(&f);
}

#define POD                                                                                        \
    "{'metadata':{'name':'p','namespace':'ns','labels':{'serving.knative.dev/revision':"           \
    "'hello-00001'}},'status':{%s}}"

static void put_pod(struct fixture *f, const char *pod_status)
{
    table_put(&f->t, &KR_POD, arena_printf(&f->t.arena, POD, pod_status));
}

static void test_crash(void **state)
{
    struct fixture f;

    set_up(&f);
    deployment_status(&f, "{" PROGRESSING "}");
    put_pod(&f,
            "'containerStatuses':[{'name':'user-container','lastState':{'terminated':{'exitCode':5,"
            "'message':'boom'}}}]");
    run(&f);
    assert_string_equal(conditions(&f),
                        "Active=Unknown/Deploying ContainerHealthy=False/ExitCode5 "
                        "Ready=False/ExitCode5 ResourcesAvailable=Unknown/Deploying");
    assert_string_equal(message(&f, "Ready"), "Container failed with: boom");
    assert_string_equal(autoscaler(&f, "spec", "reachability"), "'Unreachable'");
    table_apply(&f.t);
    put_pod(&f, "'containerStatuses':[{'name':'user-container','lastState':{'terminated':{'"
                "exitCode':0}}}]");
    run(&f);
    assert_string_equal(message(&f, "Ready"),
                        "Container failed with: container exited with no error");
    end(&f);
}

static void test_crash_is_not_overruled_by_the_autoscaler(void **state)
{
    struct fixture f;

    set_up(&f);
    deployment_status(&f, "{" PROGRESSING "}");
    put_pod(&f, "'containerStatuses':[{'name':'user-container','lastState':{'terminated':{'"
                "exitCode':1}}}]");
    autoscaler_status(&f, "{" PA_READY "}");
    run(&f);
    assert_non_null(
        strstr(conditions(&f), "ContainerHealthy=False/ExitCode1 Ready=False/ExitCode1"));
    end(&f);
}

static void test_image_cannot_be_pulled(void **state)
{
    struct fixture f;
    static const char waiting[] =
        "'containerStatuses':[{'name':'user-container','state':{'waiting':{"
        "'reason':'ImagePullBackOff','message':'Back-off pulling'}}}]";

    set_up(&f);
    deployment_status(&f, "{" PROGRESSING "}");
    put_pod(&f, waiting);
    assert_string_equal(run(&f), ""); /* there is still time */
    deployment_status(&f, "{" TIMED_OUT "}");
    run(&f);
    assert_string_equal(
        conditions(&f),
        "Active=Unknown/Deploying ContainerHealthy=Unknown/Deploying Ready=False/ImagePullBackOff "
        "ResourcesAvailable=False/ImagePullBackOff");
    assert_string_equal(message(&f, "Ready"), "Back-off pulling");
    end(&f);
}

static void test_deadline(void **state)
{
    struct fixture f;

    set_up(&f);
    deployment_status(&f, "{" TIMED_OUT "}");
    run(&f);
    assert_non_null(strstr(conditions(&f), "ResourcesAvailable=False/ProgressDeadlineExceeded"));
    end(&f);
}

static void test_unschedulable(void **state)
{
    struct fixture f;

    set_up(&f);
    deployment_status(&f, "{" PROGRESSING "}");
    put_pod(&f, "'conditions':[{'type':'PodScheduled','status':'False','reason':'Unschedulable',"
                "'message':'Insufficient cpu'}]");
    run(&f);
    assert_non_null(
        strstr(conditions(&f), "Ready=False/Unschedulable ResourcesAvailable=False/Unschedulable"));
    assert_string_equal(message(&f, "Ready"), "Insufficient cpu");
    end(&f);
}

static void test_quota(void **state)
{
    struct fixture f;

    set_up(&f);
    deployment_status(
        &f, "{'conditions':[{'type':'ReplicaFailure','status':'True','reason':'FailedCreate',"
            "'message':'forbidden: exceeded quota'},{'type':'Progressing','status':'True'}]}");
    run(&f);
    assert_non_null(strstr(conditions(&f), "Ready=False/FailedCreate"));
    end(&f);
}

static void test_foreign_children(void **state)
{
    struct fixture f;

    start(&f);
    put_revision(&f, "", CONTAINER);
    table_put(&f.t, &KR_DEPLOYMENT,
              "{'metadata':{'name':'hello-00001-deployment','namespace':'ns'}}");
    assert_string_equal(
        run(&f), "status revisions ns/hello-00001\nerror: revision: \"hello-00001\" does not own "
                 "Deployment: \"hello-00001-deployment\"\n");
    assert_non_null(strstr(conditions(&f), "Ready=False/NotOwned"));
    assert_string_equal(
        message(&f, "Ready"),
        "There is an existing Deployment \"hello-00001-deployment\" that we do not own.");
    end(&f);
}

static void test_refused_image_does_not_hold_up(void **state)
{
    struct kube_status st = {
        .code = 404, .reason = "NotFound", .err = {.code = -1, .msg = "no such kind"}};
    struct plan_entry entry = {.op = PLAN_CREATE, .res = &KR_IMAGE, .name = (char *)"i"};
    struct fixture f;

    start(&f);
    put_revision(&f, "", CONTAINER);
    f.t.failure = &st;
    f.t.failed = &entry;
    assert_string_equal(run(&f), "create deployments ns/hello-00001-deployment\n"
                                 "create podautoscalers ns/hello-00001\n"
                                 "status revisions ns/hello-00001\n"
                                 "error: failed to create Image \"i\": no such kind\n");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_run_writes_all_children),
        cmocka_unit_test(test_contracts),
        cmocka_unit_test(test_sidecar_and_probes),
        cmocka_unit_test(test_update_keeps_what_others_own),
        cmocka_unit_test(test_autoscaler_follows_the_revision),
        cmocka_unit_test(test_digests_take_their_time),
        cmocka_unit_test(test_missing_image),
        cmocka_unit_test(test_silent_registry),
        cmocka_unit_test(test_digest_not_needed),
        cmocka_unit_test(test_late_answers_are_let_go),
        cmocka_unit_test(test_becomes_ready),
        cmocka_unit_test(test_at_zero_it_stays_ready),
        cmocka_unit_test(test_initial_scale_never_achieved),
        cmocka_unit_test(test_no_plugin),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_crash_is_not_overruled_by_the_autoscaler),
        cmocka_unit_test(test_image_cannot_be_pulled),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_unschedulable),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_foreign_children),
        cmocka_unit_test(test_refused_image_does_not_hold_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
