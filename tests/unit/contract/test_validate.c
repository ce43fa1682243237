/*
 * Validation as a table: an object, what is judged, the refusal's whole text. Objects are JSON with
 * single quotes; a case names only what differs from a good Service.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/buf.h"
#include "contract/admit.h"
#include "contract/names.h"

#define DNS1035                                                                                    \
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "   \
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "           \
    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
#define C0    "spec.template.spec.containers[0]"
#define NOTES "spec.template.metadata.annotations"
#define AUTO  "autoscaling.knative.dev/"
#define OK    NULL

static struct kobj *object(const char *text)
{
    struct err e;
    char *json = xstrdup(text);

    for (char *p = json; *p; p++) {
        if (*p == '\'')
            *p = '"';
    }
    struct kobj *o = kobj_parse(json, strlen(json), &e);
    if (!o)
        fail_msg("%s in %s", e.msg, json);
    free(json);
    return o;
}

static struct contract_config *config(const char *features, const char *autoscaler)
{
    struct contract_config *c = contract_config_new("cluster.local");
    struct err e;

    if (features) {
        char *text = xasprintf("{'metadata':{'name':'config-features'},'data':{%s}}", features);
        const struct kobj *map = object(text);
        assert_int_equal(contract_config_read(c, CONFIG_FEATURES, map, &e), 0);
        kobj_unref(map);
        free(text);
    }
    if (autoscaler) {
        char *text = xasprintf("{'metadata':{'name':'config-autoscaler'},'data':{%s}}", autoscaler);
        const struct kobj *map = object(text);
        if (contract_config_read(c, CONFIG_AUTOSCALER, map, &e) < 0)
            fail_msg("%s", e.msg);
        kobj_unref(map);
        free(text);
    }
    return c;
}

/* Defaulted, then judged; compares with the text expected after "validation failed: ". */
static void judge(const struct kube_resource *r, const char *text, const char *old_text,
                  const struct contract_config *c, const char *want)
{
    const struct kobj *o = object(text), *old = old_text ? object(old_text) : NULL;
    struct kmut *m = kmut_from(o);
    struct err e = {0};

    assert_int_equal(contract_default(r, m, old, NULL, c, &e), 0);
    const struct kobj *full = kmut_freeze(m);
    int rc = contract_validate(r, full, old, "", c, NULL, NULL, &e);
    if (!want) {
        if (rc < 0)
            fail_msg("refused: %s\n%s", e.msg, text);
    } else {
        char *line = xasprintf("validation failed: %s", want);
        if (rc == 0)
            fail_msg("accepted, but wanted: %s\n%s", line, text);
        if (strncmp(e.msg, line, strlen(line)) != 0 ||
            (want[strlen(want) - 1] != '\n' && !streq(e.msg, line)))
            fail_msg("refused: %s\nwanted: %s\nof %s", e.msg, line, text);
        free(line);
    }
    kobj_unref(full);
    kmut_free(m);
    kobj_unref(o);
    kobj_unref(old);
}

/* ---- Services by their template's spec ---- */
struct spec_case {
    const char *spec, *want, *features;
};

static const struct spec_case spec_cases[] = {
    {"'containers':[{'image':'gcr.io/x/y:1'}]", OK},
    {"'containers':[{'image':'ubuntu@sha256:"
     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'}]",
     OK},
    {"'containers':[]", "missing field(s): spec.template.spec.containers"},
    {"'containers':[{}]", "missing field(s): " C0},
    {"'containers':[{'name':'a'}]", "missing field(s): " C0 ".image"},
    {"'containers':[{'image':'foo:BAR:x'}]",
     "Failed to parse image reference: " C0
     ".image\nimage: \"foo:BAR:x\", error: could not parse reference: foo:BAR:x"},
    {"'containers':[{'image':'a/B'}]",
     "Failed to parse image reference: " C0
     ".image\nimage: \"a/B\", error: could not parse reference: a/B"},
    {"'containers':[{'image':'foo@sha256:12'}]",
     "Failed to parse image reference: " C0
     ".image\nimage: \"foo@sha256:12\", error: could not parse reference: foo@sha256:12"},
    {"'affinity':{'a':1},'containers':[{'image':'foo'}]",
     "must not set the field(s): spec.template.spec.affinity"},
    {"'affinity':{'a':1},'containers':[{'image':'foo'}]", OK,
     "'kubernetes.podspec-affinity':'allowed'"},
    {"'nodeName':'n','hostNetwork':true,'containers':[{'image':'foo'}]",
     "must not set the field(s): spec.template.spec.hostNetwork, spec.template.spec.nodeName"},
    {"'hostNetwork':false,'containers':[{'image':'foo'}]", OK},
    {"'automountServiceAccountToken':true,'containers':[{'image':'foo'}]",
     "must not set the field(s): spec.template.spec.automountServiceAccountToken"},
    {"'automountServiceAccountToken':false,'containers':[{'image':'foo'}]", OK},
    {"'serviceAccountName':'foo@bar.baz','containers':[{'image':'foo'}]",
     "invalid value: foo@bar.baz: spec.template.spec.serviceAccountName\n"},
    {"'timeoutSeconds':601,'containers':[{'image':'foo'}]",
     "expected 0 <= 601 <= 600: spec.template.spec.timeoutSeconds"},
    {"'timeoutSeconds':-1,'containers':[{'image':'foo'}]",
     "expected 0 <= -1 <= 600: spec.template.spec.timeoutSeconds"},
    {"'containerConcurrency':1001,'containers':[{'image':'foo'}]",
     "expected 0 <= 1001 <= 1000: spec.template.spec.containerConcurrency"},
    {"'containerConcurrency':-2,'containers':[{'image':'foo'}]",
     "expected 0 <= -2 <= 1000: spec.template.spec.containerConcurrency"},
    /* containers */
    {"'containers':[{'image':'foo','lifecycle':{'x':1},'tty':true}]",
     "must not set the field(s): " C0 ".lifecycle, " C0 ".tty"},
    {"'containers':[{'image':'foo','name':'Upper'}]", "invalid value: Upper: " C0 ".name\n"},
    {"'containers':[{'image':'foo','name':'under_score'}]",
     "invalid value: under_score: " C0 ".name\n"},
    {"'containers':[{'image':'foo','env':[{'name':'A=B','value':'x'}]}]",
     "invalid value: A=B: " C0 ".env[0].name\n"},
    {"'containers':[{'image':'foo','env':[{'name':'A','value':'x','valueFrom':{'secretKeyRef':{"
     "'name':'s','key':'k'}}}]}]",
     "expected exactly one, got both: " C0 ".env[0].value, " C0 ".env[0].valueFrom"},
    {"'containers':[{'image':'foo','name':'queue-proxy'}]",
     "\"queue-proxy\" is a reserved container name: " C0 ".name"},
    {"'containers':[{'image':'foo','name':'a','ports':[{'containerPort':1}]},{'image':'foo','name':"
     "'a'}]",
     "duplicate container name \"a\": spec.template.spec.containers[1].name"},
    {"'containers':[{'image':'foo'},{'image':'bar'}]",
     "missing field(s): spec.template.spec.containers[*].ports"},
    {"'containers':[{'image':'foo','ports':[{'containerPort':80}]},{'image':'bar'}]", OK},
    {"'containers':[{'image':'foo','ports':[{'containerPort':80}]},{'image':'bar'}]",
     "multi-container is off, but found 2 containers: ", "'multi-container':'disabled'"},
    {"'containers':[{'image':'foo','ports':[{'containerPort':80},{'containerPort':81}]}]",
     "more than one container port is set: spec.template.spec.containers[*].ports\n"
     "Only a single port is allowed across all containers"},
    {"'containers':[{'image':'foo','ports':[{'containerPort':8012}]}]",
     "invalid value: 8012 is a reserved port: " C0 ".ports.containerPort\n"
     "8012 is a reserved port, please use a different value"},
    {"'containers':[{'image':'foo','ports':[{'containerPort':8112}]}]", OK},
    {"'containers':[{'image':'foo','ports':[{'containerPort':65536}]}]",
     "expected 0 <= 65536 <= 65535: " C0 ".ports.containerPort"},
    {"'containers':[{'image':'foo','ports':[{'name':'grpc','containerPort':80}]}]",
     "Port name grpc is not allowed: " C0 ".ports\nName must be empty, or one of: 'h2c', 'http1'"},
    {"'containers':[{'image':'foo','ports':[{'name':'h2c','containerPort':80}]}]", OK},
    {"'containers':[{'image':'foo','ports':[{'protocol':'UDP','containerPort':80}]}]",
     "invalid value: UDP: " C0 ".ports.protocol"},
    {"'containers':[{'image':'foo','ports':[{'hostPort':80,'containerPort':80}]}]",
     "must not set the field(s): " C0 ".ports.hostPort"},
    {"'containers':[{'image':'foo','terminationMessagePolicy':'Never'}]",
     "invalid value: Never: " C0 ".terminationMessagePolicy"},
    {"'containers':[{'image':'foo','resources':{'claims':[{'name':'x'}]}}]",
     "must not set the field(s): " C0 ".resources.claims"},
    /* environment */
    {"'containers':[{'image':'foo','env':[{'value':'x'}]}]",
     "missing field(s): " C0 ".env[0].name"},
    {"'containers':[{'image':'foo','env':[{'name':'A'},{'name':'PORT','value':'x'}]}]",
     "\"PORT\" is a reserved environment variable: " C0 ".env[1].name"},
    {"'containers':[{'image':'foo','env':[{'name':'K_SERVICE','value':'x'}]}]",
     "\"K_SERVICE\" is a reserved environment variable: " C0 ".env[0].name"},
    {"'containers':[{'image':'foo','ports':[{'containerPort':80}]},{'image':'bb','env':[{'name':'"
     "PORT','value':'1'}]}]",
     OK},
    {"'containers':[{'image':'foo','env':[{'name':'A','valueFrom':{'fieldRef':{'fieldPath':'a'}}}]}"
     "]",
     "must not set the field(s): " C0 ".env[0].valueFrom.fieldRef"},
    {"'containers':[{'image':'foo','env':[{'name':'A','valueFrom':{'fieldRef':{'fieldPath':'a'}}}]}"
     "]",
     OK, "'kubernetes.podspec-fieldref':'enabled'"},
    {"'containers':[{'image':'foo','envFrom':[{'prefix':'A'}]}]",
     "expected exactly one, got neither: " C0 ".envFrom.configMapRef, " C0 ".envFrom.secretRef"},
    {"'containers':[{'image':'foo','envFrom':[{'configMapRef':{'name':'a'},'secretRef':{'name':'b'}"
     "}]}]",
     "expected exactly one, got both: " C0 ".envFrom.configMapRef, " C0 ".envFrom.secretRef"},
    /* security */
    {"'containers':[{'image':'foo','securityContext':{'privileged':true}}]",
     "must not set the field(s): " C0 ".securityContext.privileged"},
    {"'containers':[{'image':'foo','securityContext':{'privileged':false,'runAsUser':65532}}]", OK},
    {"'containers':[{'image':'foo','securityContext':{'runAsUser':-1}}]",
     "expected 0 <= -1 <= 2147483647: " C0 ".securityContext.runAsUser"},
    {"'containers':[{'image':'foo','securityContext':{'capabilities':{'add':['NET_ADMIN']}}}]",
     "must not set the field(s): " C0 ".securityContext.capabilities.add"},
    {"'containers':[{'image':'foo','securityContext':{'capabilities':{'drop':['ALL']}}}]", OK},
    {"'securityContext':{'runAsUser':0,'fsGroup':1},'containers':[{'image':'foo'}]",
     "must not set the field(s): spec.template.spec.securityContext"},
    {"'securityContext':{'runAsUser':1,'fsGroup':-1},'containers':[{'image':'foo'}]",
     "expected 0 <= -1 <= 2147483647: spec.template.spec.securityContext.fsGroup",
     "'kubernetes.podspec-securitycontext':'enabled'"},
    /* probes */
    {"'containers':[{'image':'foo','livenessProbe':{'periodSeconds':1}}]",
     "expected exactly one, got neither: " C0 ".livenessProbe.exec, " C0 ".livenessProbe.grpc, " C0
     ".livenessProbe.httpGet, " C0 ".livenessProbe.tcpSocket"},
    {"'containers':[{'image':'foo','livenessProbe':{'httpGet':{'path':'/'},'grpc':{'port':1}}}]",
     "expected exactly one, got both: " C0 ".livenessProbe.gRPC, " C0 ".livenessProbe.httpGet"},
    {"'containers':[{'image':'foo','readinessProbe':{'httpGet':{'path':'/','port':'web'}}}]",
     "invalid value: web: " C0
     ".readinessProbe.httpGet.port\nProbe port must match container port"},
    {"'containers':[{'image':'foo','readinessProbe':{'httpGet':{'path':'/','port':'http'}}}]", OK},
    {"'containers':[{'image':'foo','readinessProbe':{'periodSeconds':-1,'httpGet':{'path':'/'}}}]",
     "expected 0 <= -1 <= 2147483647: " C0 ".readinessProbe.periodSeconds"},
    {"'containers':[{'image':'foo','readinessProbe':{'failureThreshold':2,'httpGet':{'path':'/"
     "'}}}]",
     "failureThreshold is disallowed when periodSeconds is zero: " C0
     ".readinessProbe.failureThreshold"},
    {"'containers':[{'image':'foo','readinessProbe':{'timeoutSeconds':2,'httpGet':{'path':'/'}}}]",
     "timeoutSeconds is disallowed when periodSeconds is zero: " C0
     ".readinessProbe.timeoutSeconds"},
    {"'containers':[{'image':'foo','ports':[{'containerPort':80}]},{'image':'bb','livenessProbe':{'"
     "tcpSocket':{}}}]",
     "must not set the field(s): spec.template.spec.containers[1].livenessProbe"},
    {"'containers':[{'image':'foo','ports':[{'containerPort':80}]},{'image':'bb','livenessProbe':{'"
     "tcpSocket':{}}}]",
     "invalid value: 0: spec.template.spec.containers[1].livenessProbe.tcpSocket.port\nProbe port "
     "must be specified",
     "'multi-container-probing':'enabled'"},
    /* init containers */
    {"'initContainers':[{'image':'i'}],'containers':[{'image':'foo'}]",
     "must not set the field(s): spec.template.spec.initContainers"},
    {"'initContainers':[{'image':'i2'}],'containers':[{'image':'foo'}]",
     "pod spec support for init-containers is off, but found 1 init containers: ",
     "'kubernetes.podspec-init-containers':'allowed'"},
    {"'initContainers':[{'image':'i2'}],'containers':[{'image':'foo'}]", OK,
     "'kubernetes.podspec-init-containers':'enabled'"},
    {"'initContainers':[{'image':'i2','readinessProbe':{'exec':{}}}],'containers':[{'image':'foo'}"
     "]",
     "field not allowed in an init container: " C0 ".readinessProbe",
     "'kubernetes.podspec-init-containers':'enabled'"},
    /* volumes */
    {"'volumes':[{'name':'v','emptyDir':{}}],'containers':[{'image':'foo'}]",
     "volume with name \"v\" not mounted: spec.template.spec.volumes[0].name"},
    {"'volumes':[{'name':'v','emptyDir':{}}],"
     "'containers':[{'image':'foo','volumeMounts':[{'name':'v','mountPath':'/v'}]}]",
     OK},
    {"'volumes':[{'name':'v'}],'containers':[{'image':'foo','volumeMounts':[{'name':'v','mountPath'"
     ":'/v'}]}]",
     "expected exactly one, got neither: spec.template.spec.volumes[0].configMap, "
     "spec.template.spec.volumes[0].emptyDir, spec.template.spec.volumes[0].projected, "
     "spec.template.spec.volumes[0].secret"},
    {"'volumes':[{'name':'V!','secret':{'secretName':'s'}}],"
     "'containers':[{'image':'foo','volumeMounts':[{'name':'V!','mountPath':'/v'}]}]",
     "invalid value: V!: spec.template.spec.volumes[0].name"},
    {"'volumes':[{'secret':{'secretName':'s'}}],'containers':[{'image':'foo'}]",
     "missing field(s): spec.template.spec.volumes[0].name"},
    {"'volumes':[{'name':'v','emptyDir':{'medium':'Disk'}}],"
     "'containers':[{'image':'foo','volumeMounts':[{'name':'v','mountPath':'/v'}]}]",
     "invalid value: Disk: spec.template.spec.volumes[0].emptyDir.medium"},
    {"'volumes':[{'name':'v','hostPath':{'path':'/'}}],"
     "'containers':[{'image':'foo','volumeMounts':[{'name':'v','mountPath':'/v'}]}]",
     "HostPath volume support is disabled, but found HostPath volume v: \n"
     "must not set the field(s): spec.template.spec.volumes[0].hostPath"},
    {"'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'c','readOnly':true}}],"
     "'containers':[{'image':'foo','volumeMounts':[{'name':'v','mountPath':'/"
     "v','readOnly':true}]}]",
     "Persistent volume claim support is disabled, but found persistent volume claim c: \n"
     "must not set the field(s): spec.template.spec.volumes[0].persistentVolumeClaim"},
    {"'volumes':[{'name':'v','projected':{'sources':[{}]}}],"
     "'containers':[{'image':'foo','volumeMounts':[{'name':'v','mountPath':'/v'}]}]",
     "expected exactly one, got neither: spec.template.spec.volumes[0].projected[0].configMap, "
     "spec.template.spec.volumes[0].projected[0].downwardAPI, "
     "spec.template.spec.volumes[0].projected[0].secret, "
     "spec.template.spec.volumes[0].projected[0].serviceAccountToken"},
    {"'containers':[{'image':'foo','volumeMounts':[{'name':'v','mountPath':'/v'}]}]",
     "volumeMount has no matching volume: " C0 ".volumeMounts[0].name"},
    {"'volumes':[{'name':'v','emptyDir':{}}],"
     "'containers':[{'image':'foo','volumeMounts':[{'name':'v','mountPath':'/dev/'}]}]",
     "mountPath \"/dev\" is a reserved path: " C0 ".volumeMounts[0].mountPath"},
    {"'volumes':[{'name':'v','emptyDir':{}}],"
     "'containers':[{'image':'foo','volumeMounts':[{'name':'v','mountPath':'v'}]}]",
     "invalid value: v: " C0 ".volumeMounts[0].mountPath"},
    {"'volumes':[{'name':'v','emptyDir':{}}],'containers':[{'image':'foo','volumeMounts':["
     "{'name':'v','mountPath':'/a'},{'name':'v','mountPath':'/b/../a/'}]}]",
     "invalid value: \"/b/../a/\" must be unique: " C0 ".volumeMounts[1].mountPath"},
    {"'volumes':[{'name':'v','emptyDir':{}}],"
     "'containers':[{'image':'foo','volumeMounts':[{'name':'v','mountPath':'/"
     "v','mountPropagation':'None'}]}]",
     "Volume Mount Propagation support is disabled, but found volume mount v with mount "
     "propagation: "},
    /* several at once: sorted by message, paths united */
    {"'timeoutSeconds':-1,'affinity':{'a':1},'containers':[{'tty':true}]",
     "expected 0 <= -1 <= 600: spec.template.spec.timeoutSeconds\n"
     "missing field(s): " C0 ".image\n"
     "must not set the field(s): spec.template.spec.affinity, " C0 ".tty"},
};

static void test_specs(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(spec_cases); i++) {
        struct contract_config *c = config(spec_cases[i].features, NULL);
        char *text = xasprintf(
            "{'metadata':{'name':'svc','namespace':'default'},'spec':{'template':{'spec':{%s}}}}",
            spec_cases[i].spec);
        judge(&KR_KSERVICE, text, NULL, c, spec_cases[i].want);
        free(text);
        contract_config_free(c);
    }
}

/* ---- template annotations ---- */
struct note_case {
    const char *key, *value, *want;
};

static const struct note_case note_cases[] = {
    {AUTO "min-scale", "0", OK},
    {AUTO "minScale", "2147483647", OK},
    {AUTO "min-scale", "-1", "expected 0 <= -1 <= 2147483647: " NOTES "." AUTO "min-scale"},
    {AUTO "min-scale", "abc", "invalid value: abc: " NOTES "." AUTO "min-scale"},
    {AUTO "minScale", "2147483648",
     "expected 0 <= 2147483648 <= 2147483647: " NOTES "." AUTO "minScale"},
    {AUTO "max-scale", "1.5", "invalid value: 1.5: " NOTES "." AUTO "max-scale"},
    {AUTO "initial-scale", "0",
     "invalid value: 0: " NOTES "." AUTO "initial-scale=0 not allowed by cluster"},
    {AUTO "initial-scale", "-1",
     "invalid value: -1: " NOTES "." AUTO "initial-scale must be greater than 0"},
    {AUTO "initial-scale", "x", "invalid value: x: " NOTES "." AUTO "initial-scale"},
    {AUTO "initial-scale", "3", OK},
    {AUTO "activation-scale", "2", OK},
    {AUTO "activation-scale", "1",
     "expected 2 <= 1 <= 2147483647: " NOTES "." AUTO "activation-scale"},
    {AUTO "activation-scale", "x", "invalid value: x: " NOTES "." AUTO "activation-scale"},
    {AUTO "target", "0.01", OK},
    {AUTO "target", "0", "target 0 should be at least 0.01: " NOTES "." AUTO "target"},
    {AUTO "target", "0.009", "target 0.009 should be at least 0.01: " NOTES "." AUTO "target"},
    {AUTO "target-utilization-percentage", "100", OK},
    {AUTO "targetUtilizationPercentage", "0.5",
     "expected 1 <= 0.5 <= 100: " NOTES "." AUTO "targetUtilizationPercentage"},
    {AUTO "target-burst-capacity", "-1", OK},
    {AUTO "target-burst-capacity", "-0.5",
     "invalid value: -0.5: " NOTES "." AUTO "target-burst-capacity"},
    {AUTO "window", "6s", OK},
    {AUTO "window", "1h", OK},
    {AUTO "window", "5s", "expected 6s <= 5s <= 1h0m0s: " NOTES "." AUTO "window"},
    {AUTO "window", "1h1s", "expected 6s <= 1h1s <= 1h0m0s: " NOTES "." AUTO "window"},
    {AUTO "window", "6.5s",
     "must be specified with at most second precision: " NOTES "." AUTO "window"},
    {AUTO "window", "60", "invalid value: 60: " NOTES "." AUTO "window"},
    {AUTO "panic-window-percentage", "0.9",
     "expected 1 <= 0.9 <= 100: " NOTES "." AUTO "panic-window-percentage"},
    {AUTO "panic-threshold-percentage", "110", OK},
    {AUTO "panic-threshold-percentage", "109",
     "expected 110 <= 109 <= 1000: " NOTES "." AUTO "panic-threshold-percentage"},
    {AUTO "scale-down-delay", "0s", OK},
    {AUTO "scale-down-delay", "500ms",
     "must be specified with at most second precision: " NOTES "." AUTO "scale-down-delay"},
    {AUTO "scale-to-zero-pod-retention-period", "500ms", OK},
    {AUTO "metric", "rps", OK},
    {AUTO "metric", "cpu", "invalid value: cpu: " NOTES "." AUTO "metric"},
    {AUTO "class", "foo.autoscaling.knative.dev",
     "invalid value: foo.autoscaling.knative.dev: " NOTES "." AUTO "class"},
    {AUTO "class", "autoscaler.example.com", OK},
    {AUTO "no-such-key", "x", OK},
    {"networking.knative.dev/ingress-class", "x", OK},
    {"networking.knative.dev/foo", "x", "invalid key name \"networking.knative.dev/foo\": " NOTES},
    {"queue.sidecar.serving.knative.dev/cpu-resource-request", "much",
     "invalid value: much: " NOTES ".[queue.sidecar.serving.knative.dev/cpu-resource-request]"},
    {"queue.sidecar.serving.knative.dev/resource-percentage", "101",
     "expected 0.1 <= 101 <= 100: " NOTES
     ".[queue.sidecar.serving.knative.dev/resource-percentage]"},
    {"serving.knative.dev/progress-deadline", "10m", OK},
    {"serving.knative.dev/progress-deadline", "x",
     "invalid value: x: " NOTES ".serving.knative.dev/progress-deadline"},
    {"serving.knative.dev/progress-deadline", "1500ms",
     "progress-deadline=1500ms is not at second precision: " NOTES
     ".serving.knative.dev/progress-deadline"},
    {"serving.knative.dev/progress-deadline", "-1s",
     "progress-deadline=-1s must be positive: " NOTES ".serving.knative.dev/progress-deadline"},
};

static void test_annotations(void **state)
{
    struct contract_config *c = config(NULL, NULL);

    for (size_t i = 0; i < ARRAY_LEN(note_cases); i++) {
        char *text = xasprintf(
            "{'metadata':{'name':'svc'},'spec':{'template':{'metadata':{'annotations':{'%s':'%s'}},"
            "'spec':{'containers':[{'image':'foo'}]}}}}",
            note_cases[i].key, note_cases[i].value);
        judge(&KR_KSERVICE, text, NULL, c, note_cases[i].want);
        free(text);
    }
    contract_config_free(c);
}

#define NOTED(notes)                                                                               \
    "{'metadata':{'name':'svc'},'spec':{'template':{'metadata':{'annotations':{" notes             \
    "}},'spec':{'containers':[{'image':'foo'}]}}}}"

static void test_scale_bounds(void **state)
{
    struct contract_config *c = config(NULL, NULL),
                           *limited = config(NULL, "'max-scale-limit':'10','max-scale':'5'");

    judge(&KR_KSERVICE, NOTED("'" AUTO "min-scale':'2','" AUTO "max-scale':'1'"), NULL, c,
          "max-scale=1 is less than min-scale=2: " NOTES "." AUTO "max-scale, " NOTES "." AUTO
          "min-scale");
    judge(&KR_KSERVICE, NOTED("'" AUTO "min-scale':'2','" AUTO "max-scale':'0'"), NULL, c, OK);
    judge(&KR_KSERVICE, NOTED("'" AUTO "activation-scale':'2','" AUTO "min-scale':'3'"), NULL, c,
          "activation-scale=2 is less than min-scale=3: " NOTES "." AUTO "activation-scale");
    judge(&KR_KSERVICE, NOTED("'" AUTO "max-scale':'10'"), NULL, limited, OK);
    judge(&KR_KSERVICE, NOTED("'" AUTO "max-scale':'11'"), NULL, limited,
          "expected 1 <= 11 <= 10: " NOTES "." AUTO "max-scale");
    judge(&KR_KSERVICE, NOTED("'" AUTO "max-scale':'0'"), NULL, limited,
          "max-scale=0 (unlimited), must be less than 10: " NOTES "." AUTO "max-scale");
    judge(&KR_KSERVICE,
          NOTED("'" AUTO "class':'kpa.autoscaling.knative.dev','" AUTO
                "metric-aggregation-algorithm':'median'"),
          NULL, c, "invalid value: median: " NOTES "." AUTO "metric-aggregation-algorithm");
    contract_config_free(c);
    contract_config_free(limited);
}

/* ---- metadata ---- */
#define GOOD "'spec':{'template':{'spec':{'containers':[{'image':'foo'}]}}}"

static void test_metadata(void **state)
{
    struct contract_config *c = config(NULL, NULL);

    judge(&KR_KSERVICE, "{'metadata':{'name':'Svc'}," GOOD "}", NULL, c,
          "not a DNS 1035 label: [" DNS1035 "]: metadata.name");
    judge(&KR_KSERVICE, "{'metadata':{'name':'svc','generateName':'a_'}," GOOD "}", NULL, c,
          "not a DNS 1035 label prefix: [" DNS1035 "]: metadata.generateName");
    judge(&KR_KSERVICE, "{'metadata':{'name':'svc','generateName':'a-'}," GOOD "}", NULL, c, OK);
    judge(
        &KR_KSERVICE,
        "{'metadata':{'name':'svc','annotations':{'" AUTO "min-scale':'1'}}," GOOD "}", NULL, c,
        "invalid key name \"" AUTO "min-scale\": metadata.annotations\n"
        "autoscaling annotations must be put under \"spec.template.metadata.annotations\" to work");
    judge(&KR_KSERVICE,
          "{'metadata':{'name':'svc','annotations':{'serving.knative.dev/"
          "rollout-duration':'1.5s'}}," GOOD "}",
          NULL, c,
          "rollout-duration=1.5s is not at second precision: "
          "metadata.annotations.serving.knative.dev/rollout-duration");
    judge(&KR_CONFIGURATION,
          "{'metadata':{'name':'c','labels':{'serving.knative.dev/service':'s'}}," GOOD "}", NULL,
          c, "missing field(s): metadata.labels.serving.knative.dev/service");
    judge(&KR_CONFIGURATION,
          "{'metadata':{'name':'c','labels':{'serving.knative.dev/service':'s'},"
          "'ownerReferences':[{'kind':'Service','name':'s'}]}," GOOD "}",
          NULL, c, OK);
    contract_config_free(c);
}

#define NAMED(meta, name, image)                                                                   \
    "{'metadata':{" meta "},'spec':{'template':{'metadata':{'name':'" name                         \
    "'},'spec':{'containers':[{'image':'" image "'}]}}}}"

static void test_revision_name(void **state)
{
    struct contract_config *c = config(NULL, NULL);
    const char *old = "{'metadata':{'name':'svc'},'spec':{'template':{'metadata':{'name':'svc-a'},"
                      "'spec':{'containers':[{'image':'foo'}]}}}}";

    judge(&KR_KSERVICE, NAMED("'name':'svc'", "svc-a", "foo"), NULL, c, OK);
    judge(&KR_KSERVICE, NAMED("'name':'svc'", "x", "foo"), NULL, c,
          "invalid value: \"x\" must have prefix \"svc-\": spec.template.metadata.name");
    judge(&KR_KSERVICE, NAMED("'name':'svc'", "svc-A", "foo"), NULL, c,
          "invalid value: not a DNS 1035 label: [" DNS1035 "]: spec.template.metadata.name");
    judge(&KR_KSERVICE, NAMED("'generateName':'svc-'", "svc-a", "foo"), NULL, c,
          "must not set the field(s): spec.template.metadata.name");
    judge(&KR_KSERVICE, NAMED("'name':'svc'", "svc-a", "foo"), old, c, OK);
    judge(&KR_KSERVICE, NAMED("'name':'svc'", "svc-b", "bar"), old, c, OK);
    judge(
        &KR_KSERVICE, NAMED("'name':'svc'", "svc-a", "bar"), old, c,
        "Saw the following changes without a name change (-old +new): spec.template.metadata.name\n"
        "{*v1.RevisionTemplateSpec}.spec.containers[0].image:\n\t-: \"foo\"\n\t+: \"bar\"");
    contract_config_free(c);
}

/* ---- users ---- */
#define BY(creator, modifier, image)                                                               \
    "{'metadata':{'name':'svc','annotations':{'serving.knative.dev/creator':'" creator             \
    "','serving.knative.dev/lastModifier':'" modifier                                              \
    "'}},'spec':{'traffic':[{'percent':100,'latestRevision':true}],'template':{'metadata':{'name'" \
    ":'svc-" image "'},'spec':{'containers':[{'image':'" image "'}]}}}}"

static void test_users(void **state)
{
    struct contract_config *c = config(NULL, NULL);

    judge(&KR_KSERVICE, BY("a", "a", "foo"), BY("a", "a", "foo"), c, OK);
    judge(&KR_KSERVICE, BY("b", "a", "foo"), BY("a", "a", "foo"), c,
          "annotation value is immutable: metadata.annotations.serving.knative.dev/creator");
    judge(&KR_KSERVICE, BY("a", "b", "foo"), BY("a", "a", "foo"), c,
          "invalid value: b: metadata.annotations.serving.knative.dev/lastModifier");
    judge(&KR_KSERVICE, BY("a", "b", "bar"), BY("a", "a", "foo"), c, OK);
    contract_config_free(c);
}

/* ---- traffic ---- */
struct traffic_case {
    const struct kube_resource *res;
    const char *traffic, *want;
};

static const struct traffic_case traffic_cases[] = {
    {&KR_KSERVICE, "", OK},
    {&KR_ROUTE, "", "Traffic targets sum to 0, want 100: spec.traffic"},
    {&KR_KSERVICE, "{'percent':90}", "Traffic targets sum to 90, want 100: spec.traffic"},
    {&KR_KSERVICE, "{'percent':80},{'revisionName':'svc-1','percent':20,'tag':'old'}", OK},
    {&KR_KSERVICE, "{'percent':101}",
     "Traffic targets sum to 101, want 100: spec.traffic\nexpected 0 <= 101 <= 100: "
     "spec.traffic[0].percent"},
    {&KR_KSERVICE, "{'percent':100,'configurationName':'c'}",
     "must not set the field(s): spec.traffic[0].configurationName"},
    {&KR_ROUTE, "{'percent':100,'configurationName':'c','revisionName':'r'}",
     "expected exactly one, got both: spec.traffic[0].configurationName, "
     "spec.traffic[0].revisionName"},
    {&KR_ROUTE, "{'percent':100}",
     "expected exactly one, got neither: spec.traffic[0].configurationName, "
     "spec.traffic[0].revisionName"},
    {&KR_ROUTE, "{'percent':100,'configurationName':'c'}", OK},
    {&KR_KSERVICE, "{'percent':100,'revisionName':'r','latestRevision':true}",
     "may not set revisionName \"r\" when latestRevision is true: spec.traffic[0].latestRevision"},
    {&KR_KSERVICE, "{'percent':100,'latestRevision':false}",
     "may not set revisionName \"\" when latestRevision is false: spec.traffic[0].latestRevision"},
    {&KR_KSERVICE, "{'percent':100,'tag':'A'}",
     "invalid value: not a DNS 1035 label: [" DNS1035 "]: spec.traffic.tag[0]"},
    {&KR_KSERVICE, "{'percent':100,'tag':'a'},{'revisionName':'r','tag':'a'}",
     "Multiple definitions for \"a\": spec.traffic[0].tag, spec.traffic[1].tag"},
    {&KR_KSERVICE, "{'percent':100,'url':'http://x'}",
     "must not set the field(s): spec.traffic[0].url"},
    {&KR_KSERVICE, "{'percent':100,'revisionName':'a b'}",
     "invalid key name \"a b\": spec.traffic[0].revisionName\n"},
};

static void test_traffic(void **state)
{
    struct contract_config *c = config(NULL, NULL);

    for (size_t i = 0; i < ARRAY_LEN(traffic_cases); i++) {
        char *text = xasprintf("{'metadata':{'name':'svc'},'spec':{'traffic':[%s],"
                               "'template':{'spec':{'containers':[{'image':'foo'}]}}}}",
                               traffic_cases[i].traffic);
        judge(traffic_cases[i].res, text, NULL, c, traffic_cases[i].want);
        free(text);
    }
    contract_config_free(c);
}

/* ---- revisions and the internal kinds ---- */
static void test_revision_immutable(void **state)
{
    struct contract_config *c = config(NULL, NULL);
    const char *a = "{'metadata':{'name':'r'},'spec':{'containers':[{'image':'foo'}]}}";

    judge(&KR_REVISION, a, NULL, c, OK);
    judge(&KR_REVISION,
          "{'metadata':{'name':'r','labels':{'x':'y'}},'spec':{'containers':[{'image':'foo'}]}}", a,
          c, OK);
    judge(&KR_REVISION, "{'metadata':{'name':'r'},'spec':{'containers':[{'image':'bar'}]}}", a, c,
          "Immutable fields changed (-old +new): spec\n"
          "{v1.RevisionSpec}.containers[0].image:\n\t-: \"foo\"\n\t+: \"bar\"");
    contract_config_free(c);
}

#define SPLIT "'serviceNamespace':'ns','serviceName':'s','servicePort':80"
static const struct {
    const struct kube_resource *res;
    const char *spec, *want;
} internal_cases[] = {
    {&KR_INGRESS, "'rules':[{'hosts':['a'],'http':{'paths':[{'splits':[{" SPLIT "}]}]}}]", OK},
    {&KR_INGRESS, "'rules':[]", "missing field(s): spec.rules"},
    {&KR_INGRESS, "", "missing field(s): spec"},
    {&KR_INGRESS,
     "'rules':[{'http':{'paths':[{'splits':[{" SPLIT ",'percent':30},{" SPLIT
     ",'percent':60}]}]}}]",
     "Traffic split percentage must total to 100, but was 90: spec.rules[0].http.paths[0].splits"},
    {&KR_INGRESS,
     "'rules':[{'http':{'paths':[{'splits':[{'serviceNamespace':'ns','servicePort':80}]}]}}]",
     "missing field(s): spec.rules[0].http.paths[0].splits[0].serviceName"},
    {&KR_INGRESS, "'httpOption':'Maybe','rules':[{'http':{'paths':[{'splits':[{" SPLIT "}]}]}}]",
     "invalid value: Maybe: spec.httpOption"},
    {&KR_PODAUTOSCALER,
     "'scaleTargetRef':{'apiVersion':'apps/"
     "v1','kind':'Deployment','name':'d'},'protocolType':'h2c'",
     OK},
    {&KR_PODAUTOSCALER, "'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'d'}",
     "missing field(s): spec.protocolType"},
    {&KR_PODAUTOSCALER,
     "'containerConcurrency':-1,'scaleTargetRef':{'apiVersion':'apps/"
     "v1','kind':'Deployment','name':'d','uid':'1'},"
     "'protocolType':'http1'",
     "expected 0 <= -1 <= 1000: spec.containerConcurrency\nmust not set the field(s): "
     "spec.scaleTargetRef.uid"},
    {&KR_SKS,
     "'mode':'Serve','protocolType':'h2c','objectRef':{'apiVersion':'apps/"
     "v1','kind':'Deployment','name':'d'}",
     OK},
    {&KR_SKS,
     "'mode':'Both','protocolType':'h2c','objectRef':{'apiVersion':'a','kind':'D','name':'d'}",
     "invalid value: Both: spec.mode"},
    {&KR_METRIC, "'stableWindow':1", OK},
    {&KR_METRIC, "", "missing field(s): spec"},
    {&KR_CERTIFICATE, "'dnsNames':['a.b.c'],'domain':'b.c','secretName':'s'", OK},
    {&KR_CERTIFICATE, "'dnsNames':['a.b.c'],'domain':'x.c'",
     "invalid value: x.c: spec.domain\nmissing field(s): spec.secretName"},
};

static void test_internal_kinds(void **state)
{
    struct contract_config *c = config(NULL, NULL);

    for (size_t i = 0; i < ARRAY_LEN(internal_cases); i++) {
        char *text = xasprintf("{'metadata':{'name':'x','namespace':'ns'},'spec':{%s}}",
                               internal_cases[i].spec);
        judge(internal_cases[i].res, text, NULL, c, internal_cases[i].want);
        free(text);
    }
    contract_config_free(c);
}

static void add_line(void *to, const char *text)
{
    buf_addf(to, "%s\n", text);
}

static void test_warnings_do_not_refuse(void **state)
{
    struct contract_config *c = config(NULL, NULL),
                           *secure = config("'secure-pod-defaults':'enabled'", NULL);
    const struct kobj *o =
        object("{'metadata':{'name':'svc'},'spec':{'traffic':[{'percent':100}],'template':{'spec':{"
               "'containers':[{'image':'foo','securityContext':{'runAsNonRoot':true,"
               "'allowPrivilegeEscalation':false,'capabilities':{}}}]}}}}");
    struct buf lines = BUF_INIT(4096);
    struct err e;

    assert_int_equal(contract_validate(&KR_KSERVICE, o, NULL, "", c, add_line, &lines, &e), 0);
    assert_string_equal(
        buf_z(&lines),
        "Kubernetes default value is insecure, Knative may default this to secure in a future "
        "release: " C0 ".securityContext.capabilities.drop, " C0
        ".securityContext.seccompProfile\n");
    buf_clear(&lines);
    assert_int_equal(contract_validate(&KR_KSERVICE, o, NULL, "", secure, add_line, &lines, &e), 0);
    assert_string_equal(buf_z(&lines), "");
    buf_done(&lines);
    kobj_unref(o);
    contract_config_free(c);
    contract_config_free(secure);
}

static void test_status_updates_skip_the_spec(void **state)
{
    struct contract_config *c = config(NULL, NULL);
    const struct kobj *o = object("{'metadata':{'name':'Svc'},'spec':{}}");
    struct err e;

    assert_int_equal(contract_validate(&KR_KSERVICE, o, o, "status", c, NULL, NULL, &e), 0);
    assert_true(contract_validate(&KR_ROUTE, o, o, "status", c, NULL, NULL, &e) < 0);
    kobj_unref(o);
    contract_config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_specs),
        cmocka_unit_test(test_annotations),
        cmocka_unit_test(test_scale_bounds),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_revision_name),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_traffic),
        cmocka_unit_test(test_revision_immutable),
        cmocka_unit_test(test_internal_kinds),
        cmocka_unit_test(test_warnings_do_not_refuse),
        cmocka_unit_test(test_status_updates_skip_the_spec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
