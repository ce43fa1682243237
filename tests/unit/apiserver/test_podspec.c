/*
 * Every field of v1 PodSpec is honoured or refused with its path: the rows of kube/podspec.h are
 * held against the API's own table, field by field, and each field is asked for alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "cluster/apiserver/kinds/builtin.h"
#include "cluster/apiserver/kinds/kind_types.h"
#include "kube/podspec.h"

/* ---- the rows themselves ---- */
static void test_rows(void **state)
{
    for (size_t i = 0; i < kube_podspec_rows_len; i++) {
        const struct kube_podspec_row *r = &kube_podspec_rows[i];

        if (i && strcmp(r[-1].path, r->path) >= 0)
            fail_msg("%s is not in its place", r->path);
        if (r->state != KUBE_PODSPEC_BELOW && !r->text)
            fail_msg("%s says neither who nor why", r->path);
        assert_int_equal(r->state == KUBE_PODSPEC_VALUES, r->values != NULL);
        assert_int_equal(r->state == KUBE_PODSPEC_CHECKED, r->fits != NULL);
    }
}

/* What is accepted without effect: no more than these, and each is a gap to be closed. */
static void test_gaps(void **state)
{
    static const char *const known[] = {
        "containers.securityContext.seccompProfile.localhostProfile",
        "containers.securityContext.seccompProfile.type",
        "enableServiceLinks",
        "securityContext.seccompProfile.localhostProfile",
        "securityContext.seccompProfile.type",
    };
    size_t n = 0;

    for (size_t i = 0; i < kube_podspec_rows_len; i++)
        if (kube_podspec_rows[i].state == KUBE_PODSPEC_TOLERATED)
            assert_string_equal(kube_podspec_rows[i].path, known[n++]);
    assert_int_equal(n, ARRAY_LEN(known));
}

/* ---- each field has a row ---- */
struct gate {
    struct map *used; /* rows that a field led to */
    size_t fields;
};

static void check_type(struct gate *g, const struct ktype *t, const char *at);

/* A place may say why all its members but those with rows are refused: kinds of volumes, resources.
 */
static bool refuses_others(const char *at)
{
    const struct kube_podspec_row *r = *at ? kube_podspec_row(at) : NULL;

    return r && r->state == KUBE_PODSPEC_BELOW && r->text;
}

static void check_field(struct gate *g, const struct kfield *f, const char *at)
{
    _cleanup_free_ char *path = xasprintf("%s%s%s", at, *at ? "." : "", f->name);
    const struct kube_podspec_row *r = kube_podspec_row(path);

    g->fields++;
    if (!r && refuses_others(at))
        return;
    if (!r)
        fail_msg("spec.%s has no row: honour it or refuse it in kube/podspec_rows.c", path);
    map_set(g->used, r->path, g);
    if (r->state == KUBE_PODSPEC_BELOW && f->base == K_OBJ)
        check_type(g, f->of, path);
    else if (r->state == KUBE_PODSPEC_HONOURED && f->base == K_OBJ)
        fail_msg("spec.%s is honoured as a whole: give its members rows, so that none is forgotten",
                 path);
}

static void check_type(struct gate *g, const struct ktype *t, const char *at)
{
    for (const struct kfield *f = t->fields; f->name; f++) {
        if (f->base == K_INLINE)
            check_type(g, f->of, at);
        else
            check_field(g, f, at);
    }
}

static void test_every_field_has_a_row(void **state)
{
    struct gate g = {map_new(NULL), 0};

    check_type(&g, &kt_pod_spec, "");
    assert_true(g.fields > 300);
    for (size_t i = 0; i < kube_podspec_rows_len; i++) {
        const char *path = kube_podspec_rows[i].path;
        const char *resource =
            strstr(path, ".limits.") ? strstr(path, ".limits.") : strstr(path, ".requests.");

        if (!resource && !map_has(g.used, path))
            fail_msg("%s is the row of no field", path);
    }
    map_free(g.used);
}

/* ---- each field alone, in a pod and in a template ---- */
struct ask {
    yyjson_mut_doc *d;
    const struct builtin *kind;
    bool template;
    size_t asked;
};

static yyjson_mut_val *value_of(yyjson_mut_doc *d, const struct kfield *f)
{
    yyjson_mut_val *v = f->base == K_INT32 || f->base == K_INT64 || f->base == K_INT_OR_STR
                            ? yyjson_mut_sint(d, 7)
                        : f->base == K_BOOL     ? yyjson_mut_bool(d, true)
                        : f->base == K_OBJ      ? yyjson_mut_obj(d)
                        : f->base == K_QUANTITY ? yyjson_mut_str(d, "1")
                                                : yyjson_mut_str(d, f->words ? f->words[0] : "x"),
                   *o = v;

    if (f->base == K_OBJ) /* something must be in it */
        yyjson_mut_obj_add_str(d, v, "x", "x");
    if (f->shape == K_LIST) {
        o = yyjson_mut_arr(d);
        yyjson_mut_arr_append(o, v);
    } else if (f->shape == K_MAP) {
        o = yyjson_mut_obj(d);
        yyjson_mut_obj_add_val(d, o, "x", v);
    }
    return o;
}

/* A spec that is right, with the value at the path: lists on the way have one item. */
static yyjson_mut_val *spec_with(yyjson_mut_doc *d, const char *path, yyjson_mut_val *v,
                                 const char *shown)
{
    static const char base[] = "{\"containers\":[{\"name\":\"a\",\"image\":\"b\"}]}";
    _cleanup_jdoc_ yyjson_doc *b = json_parse(base, sizeof(base) - 1, NULL);
    yyjson_mut_val *spec = yyjson_val_mut_copy(d, yyjson_doc_get_root(b)), *at = spec;
    struct str rest = str_of(shown), step;

    (void)path;
    while (str_split(&rest, '.', &step)) {
        bool list = step.n > 3 && step.p[step.n - 1] == ']';
        _cleanup_free_ char *key = xstrndup(step.p, step.n - (list ? 3 : 0));

        if (!rest.n) {
            yyjson_mut_obj_put(at, yyjson_mut_strcpy(d, key), v);
        } else if (list) {
            yyjson_mut_val *items = jm_arr(d, at, key);

            at =
                yyjson_mut_arr_size(items) ? yyjson_mut_arr_get_first(items) : jm_add_obj(d, items);
        } else {
            at = jm_obj(d, at, key);
        }
    }
    return spec;
}

static bool is_refused(const struct ask *a, yyjson_mut_val *spec, const char *shown)
{
    _cleanup_errors_ struct field_errors errs = {0};
    yyjson_mut_val *root = yyjson_mut_obj(a->d);
    struct kmut o = {.d = a->d, .root = root};
    const char *at = a->template ? "spec.template.spec" : "spec";
    _cleanup_free_ char *want = xasprintf("%s.%s", at, shown);

    if (a->template)
        jm_set(a->d, root, spec, "spec", "template", "spec");
    else
        jm_set(a->d, root, spec, "spec");
    a->kind->validate(&o, NULL, &errs);
    for (size_t i = 0; i < errs.v.n; i++)
        if (errs.v.p[i].type == FE_FORBIDDEN && z_starts(errs.v.p[i].path, want))
            return true;
    return false;
}

static void ask_type(struct ask *a, const struct ktype *t, const char *plain, const char *shown);

static void ask_field(struct ask *a, const struct kfield *f, const char *plain, const char *shown)
{
    _cleanup_free_ char *path = xasprintf("%s%s%s", plain, *plain ? "." : "", f->name);
    _cleanup_free_ char *at = xasprintf("%s%s%s", shown, *shown ? "." : "", f->name);
    _cleanup_free_ char *in = xasprintf("%s%s", at, f->shape == K_LIST ? "[0]" : "");
    const struct kube_podspec_row *r = kube_podspec_row(path);
    bool refused = is_refused(a, spec_with(a->d, path, value_of(a->d, f), at), at);

    a->asked++;
    if (!r) {
        if (!refused)
            fail_msg("spec.%s is accepted, though it has no row", at);
        return;
    }
    if (r->state == KUBE_PODSPEC_BELOW && f->base == K_OBJ) {
        if (!refused) /* of the member "x" */
            fail_msg("a strange member of spec.%s is accepted", at);
        ask_type(a, f->of, path, in);
    } else if (r->state == KUBE_PODSPEC_REFUSED && !refused) {
        fail_msg("spec.%s is accepted, though refused", at);
    } else if (refused && (r->state == KUBE_PODSPEC_HONOURED || r->state == KUBE_PODSPEC_MOOT ||
                           r->state == KUBE_PODSPEC_TOLERATED)) {
        fail_msg("spec.%s is refused, though honoured", at);
    }
}

static void ask_type(struct ask *a, const struct ktype *t, const char *plain, const char *shown)
{
    for (const struct kfield *f = t->fields; f->name; f++) {
        if (f->base == K_INLINE)
            ask_type(a, f->of, plain, shown);
        else
            ask_field(a, f, plain, shown);
    }
}

static void test_each_field_alone(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct ask a = {yyjson_mut_doc_new(NULL), i ? &builtin_deployment : &builtin_pod, i, 0};

        ask_type(&a, &kt_pod_spec, "", "");
        assert_true(a.asked > 300);
        yyjson_mut_doc_free(a.d);
    }
}

/* ---- values ---- */
static void list_refused(void *ctx, const char *path, const char *why)
{
    buf_addf(ctx, "%s ", path);
}

static void test_values(void **state)
{
    static const struct {
        const char *spec, *refused;
    } rows[] = {
        /* what clients send as a matter of course */
        {"{\"containers\":[{\"name\":\"a\",\"image\":\"b\",\"resources\":{},\"imagePullPolicy\":"
         "\"Always\",\"terminationMessagePath\":\"/dev/termination-log\","
         "\"terminationMessagePolicy\":\"File\",\"securityContext\":{},\"stdin\":false}],"
         "\"dnsPolicy\":\"ClusterFirst\",\"restartPolicy\":\"Always\",\"schedulerName\":"
         "\"default-scheduler\",\"securityContext\":{},\"enableServiceLinks\":true,"
         "\"preemptionPolicy\":\"PreemptLowerPriority\",\"priority\":0,\"tolerations\":[{\"key\":"
         "\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\"}],\"affinity\":{},"
         "\"initContainers\":[],\"hostNetwork\":false,\"nodeSelector\":{\"kubernetes.io/os\":"
         "\"linux\"},\"automountServiceAccountToken\":false,\"os\":{\"name\":\"linux\"}}",
         ""},
        {"{\"securityContext\":{\"seccompProfile\":{\"type\":\"RuntimeDefault\"},\"runAsNonRoot\":"
         "true,\"fsGroup\":1}}",
         ""},
        {"{\"activeDeadlineSeconds\":2}", "activeDeadlineSeconds "},
        {"{\"hostUsers\":true}", ""},
        {"{\"hostUsers\":false}", "hostUsers "},
        {"{\"hostNetwork\":true,\"shareProcessNamespace\":true}",
         "hostNetwork shareProcessNamespace "},
        {"{\"nodeSelector\":{\"disk\":\"ssd\"}}", "nodeSelector "},
        {"{\"schedulerName\":\"mine\",\"runtimeClassName\":\"gvisor\"}",
         "schedulerName runtimeClassName "},
        {"{\"securityContext\":{\"sysctls\":[{\"name\":\"a\",\"value\":\"1\"}]}}",
         "securityContext.sysctls "},
        {"{\"securityContext\":{\"sysctls\":[],\"seLinuxOptions\":null}}", ""},
        {"{\"volumes\":[{\"name\":\"a\",\"emptyDir\":{\"medium\":\"Memory\",\"sizeLimit\":\"1\"}},"
         "{\"name\":\"b\",\"emptyDir\":{\"sizeLimit\":\"1\"}},{\"name\":\"c\","
         "\"persistentVolumeClaim\":{\"claimName\":\"x\"}},{\"name\":\"d\",\"emptyDir\":{"
         "\"medium\":\"HugePages\"}}]}",
         "volumes[1].emptyDir.sizeLimit volumes[2].persistentVolumeClaim "
         "volumes[3].emptyDir.medium "},
        {"{\"containers\":[{\"resources\":{\"limits\":{\"cpu\":\"1\",\"ephemeral-storage\":\"1Gi\","
         "\"nvidia.com/gpu\":\"1\"},\"requests\":{\"ephemeral-storage\":\"1Gi\"}}}]}",
         "containers[0].resources.limits.ephemeral-storage "
         "containers[0].resources.limits.nvidia.com/gpu "},
        {"{\"containers\":[{},{\"lifecycle\":{\"preStop\":{}},\"ports\":[{\"hostPort\":80},{"
         "\"hostPort\":0}],\"securityContext\":{\"privileged\":true,\"procMount\":\"Default\"},"
         "\"livenessProbe\":{\"grpc\":{\"port\":1}},\"tty\":true}]}",
         "containers[1].lifecycle containers[1].ports[0].hostPort "
         "containers[1].securityContext.privileged containers[1].livenessProbe.grpc "
         "containers[1].tty "},
        {"{\"initContainers\":[{\"name\":\"a\",\"restartPolicy\":\"Always\",\"readinessProbe\":{"
         "\"exec\":{}},\"env\":[{\"valueFrom\":{\"fileKeyRef\":{}}}]}]}",
         "initContainers[0].restartPolicy initContainers[0].readinessProbe "
         "initContainers[0].env[0].valueFrom.fileKeyRef "},
        {"{\"affinity\":{\"podAntiAffinity\":{"
         "\"preferredDuringSchedulingIgnoredDuringExecution\":[{}],"
         "\"requiredDuringSchedulingIgnoredDuringExecution\":[{}]}}}",
         "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution "},
        {"{\"fieldOfTomorrow\":1}", "fieldOfTomorrow "},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_jdoc_ yyjson_doc *d = json_parse(rows[i].spec, strlen(rows[i].spec), NULL);
        _cleanup_buf_ struct buf b = BUF_INIT(4096);

        assert_non_null(d);
        kube_podspec_check(yyjson_doc_get_root(d), list_refused, &b);
        assert_string_equal(buf_z(&b), rows[i].refused);
    }
}

/* An object that was stored before a field was refused can still change its labels. */
static void test_stored_before(void **state)
{
    static const char spec[] = "{\"containers\":[{\"name\":\"a\",\"image\":\"b\",\"tty\":true}]}";
    _cleanup_jdoc_ yyjson_doc *old = json_parse(spec, sizeof(spec) - 1, NULL);
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_doc_mut_copy(old, NULL);
    yyjson_mut_val *now = yyjson_mut_doc_get_root(d);
    _cleanup_errors_ struct field_errors errs = {0};
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;

    pod_spec_refuse(now, yyjson_doc_get_root(old), &path, &errs);
    assert_int_equal(errs.v.n, 0);
    jm_set_str(d, now, "Never", "restartPolicy");
    pod_spec_refuse(now, yyjson_doc_get_root(old), &path, &errs);
    assert_int_equal(errs.v.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_every_field_has_a_row),
        cmocka_unit_test(test_each_field_alone),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_stored_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
