/* The tables of built-in kinds: every field of every kind, and what is read from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/map.h"
#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/kinds.h"

#define DEEP 12 /* types that contain themselves are followed so far */

/* ---- a value for every field ---- */
static yyjson_mut_val *sample(yyjson_mut_doc *d, const struct ktype *t, int depth);

static yyjson_mut_val *sample_one(yyjson_mut_doc *d, const struct kfield *f, int depth)
{
    switch (f->base) {
    case K_INT32:
    case K_INT64:
    case K_INT_OR_STR:
        return yyjson_mut_sint(d, 7);
    case K_BOOL:
    case K_SCHEMA_OR_BOOL:
        return yyjson_mut_bool(d, true);
    case K_DOUBLE:
        return yyjson_mut_real(d, 1.5);
    case K_BYTES:
        return yyjson_mut_str(d, "QQ==");
    case K_TIME:
        return yyjson_mut_str(d, "2026-01-02T03:04:05Z");
    case K_MICRO_TIME:
        return yyjson_mut_str(d, "2026-01-02T03:04:05.000006Z");
    case K_QUANTITY:
        return yyjson_mut_str(d, "1500m");
    case K_OBJ:
    case K_SCHEMA_OR_LIST:
        return sample(d, f->of, depth + 1);
    case K_SCHEMA_OR_STRS:
        return yyjson_mut_arr(d);
    default:
        return yyjson_mut_str(d, f->words ? f->words[0] : "x");
    }
}

static yyjson_mut_val *sample_field(yyjson_mut_doc *d, const struct kfield *f, int depth)
{
    yyjson_mut_val *one = sample_one(d, f, depth), *o = one;

    if (f->shape == K_LIST || f->shape == K_MAP_OF_LISTS) {
        o = yyjson_mut_arr(d);
        yyjson_mut_arr_append(o, one);
    }
    if (f->shape == K_MAP || f->shape == K_MAP_OF_LISTS) {
        yyjson_mut_val *map = yyjson_mut_obj(d);

        yyjson_mut_obj_add_val(d, map, "k", o);
        o = map;
    }
    return o;
}

static void sample_into(yyjson_mut_doc *d, const struct ktype *t, yyjson_mut_val *o, int depth)
{
    for (const struct kfield *f = t->fields; f->name; f++) {
        if (f->base == K_INLINE)
            sample_into(d, f->of, o, depth);
        else if (f->base != K_SKIPPED && (!f->of || depth < DEEP))
            yyjson_mut_obj_add_val(d, o, f->name, sample_field(d, f, depth));
    }
}

static yyjson_mut_val *sample(yyjson_mut_doc *d, const struct ktype *t, int depth)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);

    /* a schema has schemas in a dozen places: one level of them is enough */
    sample_into(d, t, o, t == &kt_json_schema_props ? depth + DEEP - 5 : depth);
    return o;
}

static void count(void *ctx, const char *path)
{
    ++*(size_t *)ctx;
}

static void test_every_field_is_read(void **state)
{
    for (const struct api_kind *k = api_builtin_kinds; k->res.plural; k++) {
        _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
        yyjson_mut_val *o = sample(d, k->builtin->type, 0);
        _cleanup_free_ char *before = json_mut_text(o, NULL);
        size_t unknown = 0;
        struct kdecode how = {count, &unknown, false};
        struct err e = {0};

        if (ktype_decode(k->builtin->type, d, o, &how, &e) < 0)
            fail_msg("%s: %s", k->res.kind, e.msg);
        _cleanup_free_ char *after = json_mut_text(o, NULL);

        assert_int_equal(unknown, 0);
        assert_string_equal(before, after);
    }
}

/* ---- wrong types: at every place of every kind ---- */
struct place {
    const struct api_kind *kind;
    const char *path[16];
    size_t n;
};

/* {a: {b: [{c: v}]}} along the place; lists and maps get one item. */
static yyjson_mut_val *wrap(yyjson_mut_doc *d, const struct ktype *t, const struct place *p,
                            size_t at, yyjson_mut_val *v)
{
    const struct kfield *f = ktype_field(t, p->path[at]);
    yyjson_mut_val *o = yyjson_mut_obj(d), *inner = v;

    if (at + 1 < p->n) {
        inner = wrap(d, f->of, p, at + 1, v);
        if (f->shape == K_LIST) {
            yyjson_mut_val *list = yyjson_mut_arr(d);

            yyjson_mut_arr_append(list, inner);
            inner = list;
        } else if (f->shape == K_MAP) {
            yyjson_mut_val *map = yyjson_mut_obj(d);

            yyjson_mut_obj_add_val(d, map, "k", inner);
            inner = map;
        }
    }
    yyjson_mut_obj_add_val(d, o, p->path[at], inner);
    return o;
}

static bool accepts(const struct place *p, const char *value)
{
    _cleanup_jdoc_ yyjson_doc *v = json_parse(value, strlen(value), NULL);
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    const struct ktype *t = p->kind->builtin->type;
    yyjson_mut_val *o = wrap(d, t, p, 0, yyjson_val_mut_copy(d, yyjson_doc_get_root(v)));
    struct kdecode how = {.defaults = false};
    struct err e = {0};
    int r = ktype_decode(t, d, o, &how, &e);

    if (r < 0 && !strstr(e.msg, p->path[p->n - 1]))
        fail_msg("%s does not name the field %s", e.msg, p->path[p->n - 1]);
    return r == 0;
}

/* What a field takes of: null, true, 7, 7.5, "x", [], {}, ["x"], {"k": "x"}. */
static void check_place(const struct place *p, const struct kfield *f)
{
    static const char *const values[] = {"true", "7", "7.5", "\"x\"", "[]", "{}"};
    static const char *const takes[] = {[K_STR] = "...s..",
                                        [K_INT32] = ".i....",
                                        [K_INT64] = ".i....",
                                        [K_BOOL] = "b.....",
                                        [K_DOUBLE] = ".id...",
                                        [K_BYTES] = "......",
                                        [K_TIME] = "......",
                                        [K_MICRO_TIME] = "......",
                                        [K_QUANTITY] = ".id...",
                                        [K_INT_OR_STR] = ".i.s..",
                                        [K_OBJ] = ".....o",
                                        [K_JSON] = "bidslo",
                                        [K_SCHEMA_OR_BOOL] = "b....o",
                                        [K_SCHEMA_OR_LIST] = "....lo",
                                        [K_SCHEMA_OR_STRS] = "....lo"};
    const char *want = f->shape == K_LIST  ? "....l."
                       : f->shape == K_ONE ? takes[f->base]
                                           : ".....o";

    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        if (accepts(p, values[i]) != (want[i] != '.'))
            fail_msg("%s %s…%s: %s", p->kind->res.kind, p->path[0], p->path[p->n - 1], values[i]);
    assert_true(accepts(p, "null"));
}

static size_t check_places(struct place *p, const struct ktype *t)
{
    size_t n = 0;

    for (const struct kfield *f = t->fields; f->name; f++) {
        if (f->base == K_INLINE) {
            n += check_places(p, f->of);
            continue;
        }
        if (f->base == K_SKIPPED)
            continue;
        p->path[p->n++] = f->name;
        check_place(p, f);
        n++;
        if (f->base == K_OBJ && p->n < ARRAY_LEN(p->path) && f->of != t)
            n += check_places(p, f->of);
        p->n--;
    }
    return n;
}

static void test_every_wrong_type_is_refused(void **state)
{
    size_t n = 0;

    for (const struct api_kind *k = api_builtin_kinds; k->res.plural; k++) {
        struct place p = {.kind = k};

        n += check_places(&p, k->builtin->type);
    }
    assert_true(n > 1500);
}

/* ---- single cases ---- */
/* What decoding says, or "" and the object that came of it in *ret. */
static char *decode(const char *kind, const char *text, bool defaults, char **ret)
{
    _cleanup_jdoc_ yyjson_doc *in = json_parse(text, strlen(text), NULL);
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_doc_mut_copy(in, NULL);
    const struct api_kind *k = api_builtin_kinds;
    struct kdecode how = {.defaults = defaults};
    struct err e = {0};

    while (!streq(k->res.kind, kind))
        k++;
    ktype_decode(k->builtin->type, d, yyjson_mut_doc_get_root(d), &how, &e);
    if (ret)
        *ret = json_mut_text(yyjson_mut_doc_get_root(d), NULL);
    return xstrdup(e.msg);
}

static void test_words_of_type_errors(void **state)
{
    static const struct {
        const char *kind, *object, *want;
    } rows[] = {
        {"Pod", "{\"spec\":{\"hostNetwork\":\"yes\"}}",
         "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type "
         "bool"},
        {"Pod", "{\"spec\":{\"containers\":[{\"env\":[{\"value\":1}]}]}}",
         "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of "
         "type string"},
        {"Pod", "{\"spec\":{\"containers\":[{\"args\":[\"a\",8080]}]}}",
         "json: cannot unmarshal number into Go struct field Container.spec.containers.args of "
         "type "
         "string"},
        {"Pod", "{\"spec\":{\"nodeSelector\":{\"a\":1}}}",
         "json: cannot unmarshal number into Go struct field PodSpec.spec.nodeSelector of type "
         "string"},
        {"Pod", "{\"spec\":{\"tolerations\":\"x\"}}",
         "json: cannot unmarshal string into Go struct field PodSpec.spec.tolerations of type "
         "[]v1.Toleration"},
        {"Pod", "{\"spec\":{\"securityContext\":\"x\"}}",
         "json: cannot unmarshal string into Go struct field PodSpec.spec.securityContext of type "
         "v1.PodSecurityContext"},
        {"Deployment", "{\"spec\":{\"replicas\":3000000000}}",
         "json: cannot unmarshal number 3000000000 into Go struct field "
         "DeploymentSpec.spec.replicas of type int32"},
        {"Pod", "{\"spec\":{\"activeDeadlineSeconds\":18446744073709551615}}",
         "json: cannot unmarshal number 18446744073709551615 into Go struct field "
         "PodSpec.spec.activeDeadlineSeconds of type int64"},
        {"Pod", "{\"spec\":{\"priority\":1.5}}",
         "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type "
         "int32"},
        {"Service", "{\"spec\":{\"selector\":[]}}",
         "json: cannot unmarshal array into Go struct field ServiceSpec.spec.selector of type "
         "map[string]string"},
        {"Lease", "{\"spec\":{\"renewTime\":\"x\"}}",
         "parsing time \"x\" in spec.renewTime: it is not as RFC 3339 has it"},
        {"Secret", "{\"data\":{\"a\":\"%%\"}}", "illegal base64 data in data[a]"},
        {"Pod", "{\"spec\":{\"containers\":[{\"resources\":{\"limits\":{\"cpu\":\"much\"}}}]}}",
         "spec.containers[0].resources.limits[cpu]: quantities must match the regular expression "
         "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *got = decode(rows[i].kind, rows[i].object, false, NULL);

        assert_string_equal(got, rows[i].want);
    }
}

static void test_what_is_read(void **state)
{
    static const struct {
        const char *kind, *object, *want;
        bool defaults;
    } rows[] = {
        {"ConfigMap", "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"data\":{\"a\":null}}",
         "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"data\":{}}", true},
        {"Pod", "{\"spec\":{\"containers\":[{\"args\":[null]}],\"volumes\":null}}",
         "{\"spec\":{\"containers\":[{\"args\":[\"\"]}]}}", false},
        {"Pod", "{\"spec\":{\"overhead\":{\"cpu\":2,\"memory\":0.5}}}",
         "{\"spec\":{\"overhead\":{\"cpu\":\"2\",\"memory\":\"0.5\"}}}", false},
        {"Service", "{\"spec\":{\"ports\":[{\"port\":80}]}}",
         "{\"spec\":{\"ports\":[{\"port\":80,\"protocol\":\"TCP\"}],\"type\":\"ClusterIP\","
         "\"sessionAffinity\":\"None\"}}",
         true},
        {"EndpointSlice", "{\"ports\":[{\"port\":1}]}",
         "{\"ports\":[{\"port\":1,\"name\":\"\",\"protocol\":\"TCP\"}]}", true},
        {"Deployment", "{\"spec\":{\"replicas\":0,\"paused\":true}}",
         "{\"spec\":{\"replicas\":0,\"paused\":true,\"revisionHistoryLimit\":10,"
         "\"progressDeadlineSeconds\":600}}",
         true},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *got = NULL;
        _cleanup_free_ char *e = decode(rows[i].kind, rows[i].object, rows[i].defaults, &got);

        assert_string_equal(e, "");
        assert_string_equal(got, rows[i].want);
    }
}

static void list_path(void *ctx, const char *path)
{
    buf_addf(ctx, "%s ", path);
}

static void test_unknown_fields(void **state)
{
    static const char in[] =
        "{\"bogus\":1,\"spec\":{\"replica\":3,\"template\":{\"spec\":{\"containers\":[{\"name\":"
        "\"a\"},{\"contianerPort\":1}]}}},\"metadata\":{\"labels\":{\"x\":\"y\"}}}";
    _cleanup_jdoc_ yyjson_doc *d = json_parse(in, sizeof(in) - 1, NULL);
    _cleanup_jmut_ yyjson_mut_doc *m = yyjson_doc_mut_copy(d, NULL);
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    struct kdecode how = {list_path, &b, false};

    assert_int_equal(ktype_decode(&kt_deployment, m, yyjson_mut_doc_get_root(m), &how, NULL), 0);
    _cleanup_free_ char *out = json_mut_text(yyjson_mut_doc_get_root(m), NULL);

    assert_string_equal(buf_z(&b),
                        "bogus spec.replica spec.template.spec.containers[1].contianerPort ");
    assert_string_equal(out,
                        "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\"},{}"
                        "]}}},\"metadata\":{\"labels\":{\"x\":\"y\"}}}");
}

static void test_required_and_words(void **state)
{
    static const char in[] = "{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"\",\"ports\":["
                             "{\"protocol\":\"XTP\"}"
                             "],\"terminationMessagePolicy\":\"\"}],\"dnsPolicy\":\"Nope\"}}";
    static const char *const want[] = {
        "spec.containers[0].image: Required value",
        "spec.containers[0].ports[0].containerPort: Required value",
        "spec.containers[0].ports[0].protocol: Unsupported value: \"XTP\": supported values: "
        "\"SCTP\", \"TCP\", \"UDP\"",
        "spec.dnsPolicy: Unsupported value: \"Nope\": supported values: \"ClusterFirst\", "
        "\"ClusterFirstWithHostNet\", \"Default\", \"None\"",
    };
    _cleanup_jdoc_ yyjson_doc *d = json_parse(in, sizeof(in) - 1, NULL);
    _cleanup_jmut_ yyjson_mut_doc *m = yyjson_doc_mut_copy(d, NULL);
    _cleanup_errors_ struct field_errors errs = {0};
    _cleanup_path_ struct field_path path = FIELD_PATH_INIT;

    ktype_check(&kt_pod, yyjson_mut_doc_get_root(m), &path, &errs);
    assert_int_equal(errs.v.n, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        _cleanup_free_ char *got = xasprintf("%s: %s", errs.v.p[i].path, errs.v.p[i].text);

        assert_string_equal(got, want[i]);
    }
}

static void test_merge_keys(void **state)
{
    static const struct {
        const struct ktype *type;
        const char *path, *key;
    } rows[] = {
        {&kt_pod, "spec.containers", "name"},
        {&kt_pod, "spec.hostAliases", "ip"},
        {&kt_deployment, "spec.template.spec.containers.ports", "containerPort"},
        {&kt_deployment, "spec.template.spec.initContainers.env", "name"},
        {&kt_deployment, "spec.template.spec.containers.volumeMounts", "mountPath"},
        {&kt_deployment, "spec.template.spec.volumes", "name"},
        {&kt_deployment, "status.conditions", "type"},
        {&kt_service, "spec.ports", "port"},
        {&kt_node, "spec.taints", NULL},
        {&kt_node, "status.addresses", "type"},
        {&kt_config_map, "metadata.finalizers", ""},
        {&kt_config_map, "metadata.ownerReferences", "uid"},
        {&kt_service_account, "secrets", "name"},
        {&kt_pod, "spec.containers.args", NULL},
        {&kt_pod, "spec.tolerations", NULL},
        {&kt_pod, "spec.nope.containers", NULL},
        {&kt_pod, "", NULL},
        {&kt_endpoints, "subsets.ports", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *key = ktype_merge_key(rows[i].type, rows[i].path);

        if (!streq(key, rows[i].key))
            fail_msg("%s: %s", rows[i].path, key ? key : "atomic");
    }
}

/* ---- OpenAPI ---- */
static void check_refs(yyjson_val *v, yyjson_val *schemas)
{
    const char *ref = jget_str(v, "$ref");
    yyjson_val *k, *x;
    size_t i, n;

    if (ref && (!z_starts(ref, "#/components/schemas/") ||
                !jget(schemas, ref + strlen("#/components/schemas/"))))
        fail_msg("%s leads nowhere", ref);
    yyjson_obj_foreach(v, i, n, k, x) check_refs(x, schemas);
    yyjson_arr_foreach(v, i, n, x) check_refs(x, schemas);
}

static void test_openapi(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(8 << 20);
    struct map *seen = map_new(NULL);

    buf_addc(&b, '{');
    for (const struct api_kind *k = api_builtin_kinds; k->res.plural; k++)
        ktype_openapi(&b, k->builtin->type, seen, ",\"x\":1");
    buf_addc(&b, '}');
    _cleanup_jdoc_ yyjson_doc *d = json_parse(b.p, b.n, NULL);
    yyjson_val *all = yyjson_doc_get_root(d);

    assert_non_null(all);
    assert_int_equal(yyjson_obj_size(all), map_len(seen));
    check_refs(all, all);
    assert_string_equal(
        jget_str(all, "io.k8s.api.core.v1.PodSpec", "properties", "containers", "items", "$ref"),
        "#/components/schemas/io.k8s.api.core.v1.Container");
    assert_string_equal(jget_str(all, "io.k8s.api.core.v1.PodSpec", "properties", "containers",
                                 "x-kubernetes-patch-merge-key"),
                        "name");
    assert_int_equal(jget_int(all, 0, "io.k8s.api.core.v1.Pod", "x"), 1);
    map_free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_is_read),
        cmocka_unit_test(test_every_wrong_type_is_refused),
        cmocka_unit_test(test_words_of_type_errors),
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_unknown_fields),
        cmocka_unit_test(test_required_and_words),
        cmocka_unit_test(test_merge_keys),
        cmocka_unit_test(test_openapi),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
