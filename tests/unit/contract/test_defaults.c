/* Defaulting as a table: an object, the spec that it gets. JSON is written with single quotes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/admit.h"
#include "contract/image_ref.h"
#include "contract/names.h"
#include "contract/revision.h"

static char *swap(const char *text, char from, char to)
{
    char *s = xstrdup(text);

    for (char *p = s; *p; p++) {
        if (*p == from)
            *p = to;
    }
    return s;
}

static struct kobj *object(const char *text)
{
    char *json = swap(text, '\'', '"');
    struct err e;
    struct kobj *o = kobj_parse(json, strlen(json), &e);

    if (!o)
        fail_msg("%s in %s", e.msg, json);
    free(json);
    return o;
}

static struct contract_config *config(enum config_section section, const char *data)
{
    struct contract_config *c = contract_config_new("cluster.local");
    _cleanup_free_ char *text =
        xasprintf("{'metadata':{'name':'%s'},'data':{%s}}", config_section_name(section), data);
    _cleanup_kobj_ const struct kobj *map = object(text);
    struct err e;

    if (contract_config_read(c, section, map, &e) < 0)
        fail_msg("%s", e.msg);
    return c;
}

/* What stands at the path after defaulting. */
static void check(const struct kube_resource *r, const struct contract_config *c, const char *text,
                  const char *old_text, const char *const *path, const char *want)
{
    _cleanup_kobj_ const struct kobj *o = object(text), *old = old_text ? object(old_text) : NULL;
    _cleanup_(kmut_freep) struct kmut *m = kmut_from(o);

    assert_int_equal(contract_default(r, m, old, "ann", c, NULL), 0);
    yyjson_mut_val *v = jm_get_p(m->root, path);
    _cleanup_free_ char *json = v ? json_mut_text(v, NULL) : xstrdup("");
    _cleanup_free_ char *have = swap(json, '"', '\'');
    assert_string_equal(have, want);
}

#define REV(spec) "{'metadata':{'name':'r','namespace':'ns'},'spec':{" spec "}}"

static const struct {
    const char *spec, *want;
} spec_cases[] = {
    {"'containers':[{'image':'foo'}]", "{'containers':[{'image':'foo','name':'user-container','"
                                       "resources':{},'readinessProbe':{'tcpSocket':{'port':0},"
                                       "'successThreshold':1}}],'timeoutSeconds':300,'"
                                       "containerConcurrency':0,'enableServiceLinks':false}"},
    {"'timeoutSeconds':0,'containerConcurrency':5,'enableServiceLinks':true,'containers':[{'image':"
     "'foo','name':'x',"
     "'readinessProbe':{'httpGet':{'path':'/'},'periodSeconds':2}}]",
     "{'timeoutSeconds':300,'containerConcurrency':5,'enableServiceLinks':true,'containers':[{'"
     "image':'foo','name':"
     "'x','readinessProbe':{'httpGet':{'path':'/"
     "'},'periodSeconds':2,'successThreshold':1,'failureThreshold':3,"
     "'timeoutSeconds':1},'resources':{}}]}"},
    {"'timeoutSeconds':1,'containerConcurrency':1,'enableServiceLinks':false,'containers':["
     "{'image':'a','ports':[{'containerPort':80}],'readinessProbe':{'exec':{}}},{'image':'b','name'"
     ":"
     "'user-container-0'},{'image':'c','livenessProbe':{'grpc':{'port':1}}}]",
     "{'timeoutSeconds':1,'containerConcurrency':1,'enableServiceLinks':false,'containers':["
     "{'image':'a','ports':[{'containerPort':80}],'readinessProbe':{'exec':{},'successThreshold':1}"
     ","
     "'name':'user-container-1','resources':{}},{'image':'b','name':'user-container-0','"
     "resources':{}},{'image':'c','"
     "livenessProbe':{'grpc':"
     "{'port':1,'service':''}},'name':'user-container-2','resources':{}}]}"},
    {"'timeoutSeconds':1,'containerConcurrency':1,'enableServiceLinks':false,'volumes':[{'name':'e'"
     ",'emptyDir':{}},"
     "{'name':'s','secret':{}}],'containers':[{'name':'c','readinessProbe':{'exec':{},'"
     "successThreshold':1},"
     "'volumeMounts':[{'name':'e'},{'name':'s'}]}]",
     "{'timeoutSeconds':1,'containerConcurrency':1,'enableServiceLinks':false,'volumes':[{'name':'"
     "e','emptyDir':{}},"
     "{'name':'s','secret':{}}],'containers':[{'name':'c','readinessProbe':{'exec':{},'"
     "successThreshold':1},"
     "'volumeMounts':[{'name':'e'},{'name':'s','readOnly':true}],'resources':{}}]}"},
};

static void test_revision_specs(void **state)
{
    struct contract_config *c = contract_config_new("cluster.local");

    for (size_t i = 0; i < ARRAY_LEN(spec_cases); i++) {
        _cleanup_free_ char *text =
            xasprintf("{'metadata':{'name':'r','namespace':'ns'},'spec':{%s}}", spec_cases[i].spec);
        check(&KR_REVISION, c, text, NULL, JPATH("spec"), spec_cases[i].want);
    }
    check(&KR_REVISION, c, REV("'containers':[{}]"), REV(""), JPATH("spec"), "{'containers':[{}]}");
    contract_config_free(c);
}

#define ONE(path) JPATH("spec", path)
static void test_config_defaults_matter(void **state)
{
    struct contract_config *c =
        config(CONFIG_DEFAULTS,
               "'revision-timeout-seconds':'60','revision-idle-timeout-seconds':'20',"
               "'revision-response-start-timeout-seconds':'30','container-concurrency':'7',"
               "'revision-cpu-request':'100m','revision-memory-limit':'1Gi',"
               "'container-name-template':'{{.Name}}-main','enable-service-links':'default'");
    const char *text =
        REV("'containers':[{'image':'foo','resources':{'limits':{'memory':'2Gi'}}}]");

    check(&KR_REVISION, c, text, NULL, ONE("timeoutSeconds"), "60");
    check(&KR_REVISION, c, text, NULL, ONE("idleTimeoutSeconds"), "20");
    check(&KR_REVISION, c, text, NULL, ONE("responseStartTimeoutSeconds"), "30");
    check(&KR_REVISION, c, text, NULL, ONE("containerConcurrency"), "7");
    check(&KR_REVISION, c, text, NULL, ONE("enableServiceLinks"), "");
    check(&KR_REVISION, c, text, NULL, ONE("containers"),
          "[{'image':'foo','resources':{'limits':{'memory':'2Gi'},'requests':{'cpu':'100m'}},'name'"
          ":'r-main',"
          "'readinessProbe':{'tcpSocket':{'port':0},'successThreshold':1}}]");
    contract_config_free(c);
}

static void test_secure_defaults(void **state)
{
    struct contract_config *on = config(CONFIG_FEATURES, "'secure-pod-defaults':'enabled'"),
                           *bounded =
                               config(CONFIG_FEATURES, "'secure-pod-defaults':'AllowRootBounded'");
    const char *text = REV("'containers':[{'image':'foo','name':'c','ports':[{'containerPort':80}],"
                           "'readinessProbe':{'exec':{},'successThreshold':1}}]");

    check(&KR_REVISION, on, text, NULL, ONE("containers"),
          "[{'image':'foo','name':'c','ports':[{'containerPort':80}],'readinessProbe':{'exec':{},'"
          "successThreshold':1},'resources':{},"
          "'securityContext':{'allowPrivilegeEscalation':false,'seccompProfile':{'type':'"
          "RuntimeDefault'},"
          "'capabilities':{'drop':['ALL'],'add':['NET_BIND_SERVICE']},'runAsNonRoot':true}}]");
    check(&KR_REVISION, bounded, text, NULL, ONE("containers"),
          "[{'image':'foo','name':'c','ports':[{'containerPort':80}],'readinessProbe':{'exec':{},'"
          "successThreshold':1},'resources':{},"
          "'securityContext':{'allowPrivilegeEscalation':false,'seccompProfile':{'type':'"
          "RuntimeDefault'},"
          "'capabilities':{'drop':['ALL'],'add':['NET_BIND_SERVICE']}}}]");
    contract_config_free(on);
    contract_config_free(bounded);
}

#define SVC(notes, name, image)                                                                    \
    "{'metadata':{'name':'s','annotations':{" notes "}},'spec':{'template':{'metadata':{" name     \
    "},'spec':{'containers':[{'image':'" image "'}]}}}}"
#define NOTES(who, last)                                                                           \
    "'serving.knative.dev/creator':'" who "','serving.knative.dev/lastModifier':'" last "'"

#define STORED                                                                                     \
    "{'metadata':{'name':'s'},'spec':{'template':{'metadata':{'name':'s-a'},'spec':{"              \
    "'timeoutSeconds':300,'containerConcurrency':0,'enableServiceLinks':false,'containers':[{"     \
    "'image':'foo','name':'user-container','resources':{},'readinessProbe':{'tcpSocket':{"         \
    "'port':0},"                                                                                   \
    "'successThreshold':1}}]}}}}"

static void test_services(void **state)
{
    struct contract_config *c = contract_config_new("cluster.local");
    const char *const notes[] = {"metadata", "annotations", NULL};

    check(&KR_KSERVICE, c, SVC("'serving.knative.dev/creator':'eve'", "", "foo"), NULL, notes,
          "{" NOTES("ann", "ann") "}");
    check(&KR_KSERVICE, c, SVC(NOTES("bob", "bob"), "'name':'s-a'", "bar"),
          SVC(NOTES("bob", "bob"), "'name':'s-a'", "foo"), notes, "{" NOTES("bob", "ann") "}");
    check(&KR_KSERVICE, c, SVC("", "", "foo"), NULL, ONE("traffic"),
          "[{'latestRevision':true,'percent':100}]");
    /* a revision name that stays keeps the template as it was written, unless only defaults are
     * missing */
    check(&KR_KSERVICE, c, SVC("", "'name':'s-a'", "bar"), SVC("", "'name':'s-a'", "foo"),
          JPATH("spec", "template", "spec"), "{'containers':[{'image':'bar'}]}");
    check(&KR_KSERVICE, c, SVC("", "'name':'s-a'", "foo"), STORED,
          JPATH("spec", "template", "spec", "containers"),
          "[{'image':'foo','name':'user-container','resources':{},'readinessProbe':{'tcpSocket':{'"
          "port':0},'"
          "successThreshold':1}}]");
    check(&KR_ROUTE, c,
          "{'metadata':{'name':'r'},'spec':{'traffic':[{'revisionName':'x','percent':1},{}]}}",
          NULL, ONE("traffic"),
          "[{'revisionName':'x','percent':1,'latestRevision':false},{'latestRevision':true,'"
          "percent':0}]");
    check(&KR_ROUTE, c, "{'metadata':{'name':'r','ownerReferences':[{}]},'spec':{}}", NULL, notes,
          "");
    contract_config_free(c);
}

static void test_internal_kinds(void **state)
{
    struct contract_config *c = contract_config_new("cluster.local");

    check(&KR_PODAUTOSCALER, c, "{'metadata':{'name':'p'},'spec':{}}", NULL,
          JPATH("metadata", "annotations"),
          "{'autoscaling.knative.dev/class':'kpa.autoscaling.knative.dev','autoscaling.knative.dev/"
          "metric':"
          "'concurrency'}");
    check(&KR_PODAUTOSCALER, c,
          "{'metadata':{'name':'p','annotations':{'autoscaling.knative.dev/class':'x'}}}", NULL,
          JPATH("metadata", "annotations"), "{'autoscaling.knative.dev/class':'x'}");
    check(&KR_INGRESS, c,
          "{'metadata':{'name':'i'},'spec':{'rules':[{'http':{'paths':[{'splits':[{}]}]}}]}}", NULL,
          ONE("rules"),
          "[{'http':{'paths':[{'splits':[{'percent':100}]}]},'visibility':'ExternalIP'}]");
    contract_config_free(c);
}

/* ---- readers ---- */
static void test_images(void **state)
{
    static const struct {
        const char *image, *registry, *repository;
    } cases[] = {
        {"nginx", "index.docker.io", "index.docker.io/library/nginx"},
        {"nginx:1.25", "index.docker.io", "index.docker.io/library/nginx"},
        {"a/b", "index.docker.io", "index.docker.io/a/b"},
        {"docker.io/a/b:t", "index.docker.io", "index.docker.io/a/b"},
        {"localhost:5000/hello:v1", "localhost:5000", "localhost:5000/hello"},
        {"localhost/hello", "localhost", "localhost/hello"},
        {"gcr.io/p/i@sha256:00", "gcr.io", "gcr.io/p/i"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *registry = image_registry(cases[i].image),
                            *repository = image_repository(cases[i].image);
        assert_string_equal(registry, cases[i].registry);
        assert_string_equal(repository, cases[i].repository);
    }
    assert_true(image_has_digest("a@sha256:0"));
    assert_false(image_has_digest("a:b"));
}

static void test_reading_revisions(void **state)
{
    _cleanup_kobj_ const struct kobj *two = object(REV(
        "'containers':[{},{'ports':[{'name':'h2c','containerPort':9}]}],'initContainers':[{}]"));
    _cleanup_kobj_ const struct kobj *one =
        object(REV("'containers':[{}],'containerConcurrency':3"));
    size_t at;

    revision_serving_container(jget(kobj_root(two), "spec"), &at);
    assert_int_equal(at, 1);
    assert_int_equal(revision_serving_port(jget(kobj_root(two), "spec")), 9);
    assert_string_equal(revision_protocol(jget(kobj_root(two), "spec")), "h2c");
    assert_int_equal(revision_container_count(jget(kobj_root(two), "spec")), 3);
    assert_int_equal(revision_serving_port(jget(kobj_root(one), "spec")), 8080);
    assert_string_equal(revision_protocol(jget(kobj_root(one), "spec")), "http1");
    assert_int_equal(revision_concurrency(jget(kobj_root(one), "spec")), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_revision_specs),    cmocka_unit_test(test_config_defaults_matter),
        cmocka_unit_test(test_secure_defaults),   cmocka_unit_test(test_services),
        cmocka_unit_test(test_internal_kinds),    cmocka_unit_test(test_images),
        cmocka_unit_test(test_reading_revisions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
