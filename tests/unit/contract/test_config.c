/* ConfigMaps, name templates and the embedded contracts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/admit.h"
#include "contract/crds.h"
#include "contract/names.h"
#include "contract/template.h"
#include "json/yaml.h"

static yyjson_doc *document(const char *text)
{
    char *json = xstrdup(text);
    struct err e;

    for (char *p = json; *p; p++) {
        if (*p == '\'')
            *p = '"';
    }
    yyjson_doc *d = json_parse(json, strlen(json), &e);
    if (!d)
        fail_msg("%s in %s", e.msg, json);
    free(json);
    return d;
}

static int read_map(struct contract_config *c, enum config_section s, const char *data,
                    struct err *e)
{
    _cleanup_free_ char *text =
        xasprintf("{'metadata':{'name':'%s'},'data':{%s}}", config_section_name(s), data);
    _cleanup_kobj_ const struct kobj *map = kobj_from_doc(document(text));

    return contract_config_read(c, s, map, e);
}

static void test_defaults(void **state)
{
    struct contract_config *c = contract_config_new("cluster.local");

    assert_int_equal(c->defaults.timeout_s, 300);
    assert_int_equal(c->defaults.max_timeout_s, 600);
    assert_int_equal(c->defaults.container_concurrency_max, 1000);
    assert_int_equal(c->deployment.progress_deadline_s, 600);
    assert_string_equal(c->network.ingress_class, CLASS_GATEWAY);
    assert_string_equal(c->network.domain_template, "{{.Name}}.{{.Namespace}}.{{.Domain}}");
    assert_string_equal(c->image_class, CLASS_NOTHING);
    assert_int_equal(c->features[FEATURE_MULTI_CONTAINER], FLAG_ENABLED);
    assert_int_equal(c->features[FEATURE_INIT_CONTAINERS], FLAG_DISABLED);
    assert_string_equal(config_domain_for(c, NULL), "svc.cluster.local");
    contract_config_free(c);
}

struct bad {
    enum config_section section;
    const char *data, *why;
};
static const struct bad bads[] = {
    {CONFIG_DEFAULTS, "'revision-timeout-seconds':'x'",
     "cannot read ConfigMap config-defaults: revision-timeout-seconds is \"x\" but must be a whole "
     "number"},
    {CONFIG_DEFAULTS, "'revision-timeout-seconds':'601'",
     "cannot read ConfigMap config-defaults: revision-timeout-seconds is 601 but must be between 0 "
     "and 600"},
    {CONFIG_DEFAULTS, "'revision-cpu-limit':'much'", NULL},
    {CONFIG_DEFAULTS, "'container-concurrency':'1001'", NULL},
    {CONFIG_NETWORK, "'http-protocol':'maybe'",
     "cannot read ConfigMap config-network: http-protocol is \"maybe\" but must be enabled, "
     "redirected or disabled"},
    {CONFIG_NETWORK, "'rollout-duration':'-1'", NULL},
    {CONFIG_NETWORK, "'domain-template':'{{.Name'",
     "cannot read ConfigMap config-network: domain-template: template: {{ without }}"},
    {CONFIG_NETWORK, "'domain-template':'{{.Nope}}.{{.Domain}}'", NULL},
    {CONFIG_NETWORK, "'domain-template':'{{.Domain}}/{{.Name}}'", NULL},
    {CONFIG_NETWORK, "'tag-template':'{{.Domain}}-{{.Tag}}'", NULL},
    {CONFIG_NETWORK, "'system-internal-tls':'yes'", NULL},
    {CONFIG_DOMAIN, "'x.com':'selector: ['", NULL},
    {CONFIG_DEPLOYMENT, "'progress-deadline':'1500ms'", NULL},
    {CONFIG_DEPLOYMENT, "'digest-resolution-timeout':'0s'", NULL},
    {CONFIG_DEPLOYMENT, "'default-affinity-type':'other'", NULL},
    {CONFIG_AUTOSCALER, "'initial-scale':'0'", NULL},
    {CONFIG_AUTOSCALER, "'min-scale':'4','max-scale':'3'", NULL},
    {CONFIG_AUTOSCALER, "'max-scale':'0','max-scale-limit':'11'", NULL},
    {CONFIG_AUTOSCALER, "'allow-zero-initial-scale':'maybe'", NULL},
};

static void test_bad_maps_change_nothing(void **state)
{
    struct contract_config *c = contract_config_new("cluster.local");
    struct err e;

    assert_int_equal(read_map(c, CONFIG_NETWORK, "'ingress-class':' mine '", &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
        if (read_map(c, bads[i].section, bads[i].data, &e) == 0)
            fail_msg("accepted: %s", bads[i].data);
        if (bads[i].why)
            assert_string_equal(e.msg, bads[i].why);
    }
    assert_string_equal(c->network.ingress_class, "mine");
    assert_int_equal(c->defaults.timeout_s, 300);
    assert_int_equal(contract_config_read(c, CONFIG_NETWORK, NULL, &e), 0);
    assert_string_equal(c->network.ingress_class, CLASS_GATEWAY);
    contract_config_free(c);
}

static void test_domains(void **state)
{
    struct contract_config *c = contract_config_new("cluster.local");
    _cleanup_jdoc_ yyjson_doc *plain = document("{'a':'b'}"),
                              *both = document("{'app':'x','tier':'web'}");
    struct err e;

    assert_int_equal(read_map(c, CONFIG_DOMAIN,
                              "'_example':'x','two.org':'selector:\\n  app: x\\n  tier: web'", &e),
                     0);
    assert_string_equal(config_domain_for(c, yyjson_doc_get_root(plain)), "svc.cluster.local");
    assert_int_equal(read_map(c, CONFIG_DOMAIN,
                              "'z.com':'','b.com':'','one.org':'selector:\\n  app: x',"
                              "'two.org':'selector:\\n  app: x\\n  tier: web'",
                              &e),
                     0);
    assert_string_equal(config_domain_for(c, yyjson_doc_get_root(plain)), "b.com");
    assert_string_equal(config_domain_for(c, yyjson_doc_get_root(both)), "two.org");
    contract_config_free(c);
}

static void test_features_and_old_spellings(void **state)
{
    struct contract_config *c = contract_config_new("cluster.local");
    struct err e;

    assert_int_equal(
        read_map(c, CONFIG_FEATURES,
                 "'multi-container':'Disabled','kubernetes.podspec-affinity':'ALLOWED',"
                 "'secure-pod-defaults':'allowed','tag-header-based-routing':'what'",
                 &e),
        0);
    assert_int_equal(c->features[FEATURE_MULTI_CONTAINER], FLAG_DISABLED);
    assert_int_equal(c->features[FEATURE_AFFINITY], FLAG_ALLOWED);
    assert_int_equal(c->features[FEATURE_SECURE_POD_DEFAULTS], FLAG_DISABLED);
    assert_int_equal(c->features[FEATURE_TAG_HEADER], FLAG_DISABLED);
    assert_int_equal(read_map(c, CONFIG_NETWORK,
                              "'domainTemplate':'{{.Name}}.x','httpProtocol':'Redirected'", &e),
                     0);
    assert_string_equal(c->network.domain_template, "{{.Name}}.x");
    assert_int_equal(c->network.http_protocol, HTTP_OPTION_REDIRECTED);
    contract_config_free(c);
}

static void test_templates(void **state)
{
    static const struct {
        const char *text, *want; /* NULL: refused */
    } cases[] = {
        {"{{.Name}}.{{.Namespace}}.{{.Domain}}", "n.ns.d"},
        {"plain", "plain"},
        {"{{ .Name }}-x", "n-x"},
        {"a {{- .Name -}} b", "anb"},
        {"{{.Labels.app}}", "l"},
        {"{{.Labels.none}}!", "!"},
        {"{{index .Labels \"k8s.io/app\"}}", "q"},
        {"{{index .Labels \"none\"}}", ""},
        {"{{.None}}", NULL},
        {"{{.Name", NULL},
        {"{{if .Name}}x{{end}}", NULL},
        {"{{index .Labels app}}", NULL},
        {"{{.Labels}}", NULL},
    };
    _cleanup_jdoc_ yyjson_doc *data = document(
        "{'Name':'n','Namespace':'ns','Domain':'d','Labels':{'app':'l','k8s.io/app':'q'}}");

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e;
        _cleanup_free_ char *text = template_fill(cases[i].text, yyjson_doc_get_root(data), &e);
        if (!cases[i].want)
            assert_null(text);
        else
            assert_string_equal(text ? text : e.msg, cases[i].want);
    }
}

/* ---- the embedded texts ---- */
static yyjson_doc *yaml(const char *text)
{
    struct err e;
    yyjson_doc *d = yaml_parse(text, strlen(text), &e);

    if (!d)
        fail_msg("%s", e.msg);
    return d;
}

static yyjson_val *schema(yyjson_doc *d)
{
    return jget(yyjson_arr_get_first(jget(yyjson_doc_get_root(d), "spec", "versions")), "schema",
                "openAPIV3Schema", "properties");
}

static void test_crds(void **state)
{
    static const struct kube_resource *const kinds[] = {
        &KR_KSERVICE, &KR_CONFIGURATION, &KR_REVISION, &KR_ROUTE,       &KR_PODAUTOSCALER,
        &KR_METRIC,   &KR_INGRESS,       &KR_SKS,      &KR_CERTIFICATE, &KR_IMAGE};
    size_t n = 0;

    for (; contract_crds[n]; n++) {
        _cleanup_jdoc_ yyjson_doc *d = yaml(contract_crds[n]);
        yyjson_val *spec = jget(yyjson_doc_get_root(d), "spec");
        assert_true(n < ARRAY_LEN(kinds));
        assert_string_equal(jget_str(spec, "group"), kinds[n]->group);
        assert_string_equal(jget_str(spec, "names", "plural"), kinds[n]->plural);
        assert_string_equal(jget_str(spec, "names", "kind"), kinds[n]->kind);
        assert_string_equal(jget_str(yyjson_arr_get_first(jget(spec, "versions")), "name"),
                            kinds[n]->version);
        _cleanup_free_ char *name = xasprintf("%s.%s", kinds[n]->plural, kinds[n]->group);
        assert_string_equal(jget_str(yyjson_doc_get_root(d), "metadata", "name"), name);
    }
    assert_int_equal(n, ARRAY_LEN(kinds));
}

/* Service, Configuration and Revision carry the same pod; their files must not drift apart. */
static void test_templates_agree(void **state)
{
    _cleanup_jdoc_ yyjson_doc *service = yaml(contract_crds[0]),
                              *configuration = yaml(contract_crds[1]),
                              *revision = yaml(contract_crds[2]);
    const char *const path[] = {"spec", "properties", "template", NULL};
    yyjson_val *template = jget_p(schema(service), path);

    assert_non_null(template);
    assert_true(json_equal(template, jget_p(schema(configuration), path)));
    assert_true(json_equal(jget(template, "properties", "spec"), jget(schema(revision), "spec")));
}

static void test_embedded_config_maps(void **state)
{
    for (size_t i = 0; contract_configs[i]; i++) {
        const struct kobj *map = kobj_from_doc(yaml(contract_configs[i]));
        struct err e;
        assert_non_null(map);
        assert_string_equal(kobj_namespace(map), SYSTEM_NAMESPACE);
        assert_true(z_starts(kobj_name(map), "config-"));
        assert_int_equal(contract_validate_config(map, "cluster.local", &e), 0);
        /* the examples are valid settings themselves */
        const char *example = jget_str(kobj_root(map), "data", "_example");
        _cleanup_jdoc_ yyjson_doc *d = yaml(example);
        struct kmut *m = kmut_from(map);
        jm_set_copy(KM(m), yyjson_doc_get_root(d), "data");
        const struct kobj *shown = kmut_freeze(m);
        if (contract_validate_config(shown, "cluster.local", &e) < 0)
            fail_msg("%s", e.msg);
        kmut_free(m);
        kobj_unref(shown);
        kobj_unref(map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),        cmocka_unit_test(test_bad_maps_change_nothing),
        cmocka_unit_test(test_domains),         cmocka_unit_test(test_features_and_old_spellings),
        cmocka_unit_test(test_templates),       cmocka_unit_test(test_crds),
        cmocka_unit_test(test_templates_agree), cmocka_unit_test(test_embedded_config_maps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
