/* Ages, the cells of built-in kinds, merge keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cluster/apiserver/crd/crd.h"
#include "cluster/apiserver/kinds/table.h"

static void test_ages(void **state)
{
    static const struct {
        int64_t seconds;
        const char *want;
    } rows[] = {
        {0, "0s"},
        {119, "119s"},
        {120, "2m"},
        {125, "2m5s"},
        {599, "9m59s"},
        {600, "10m"},
        {10799, "179m"},
        {10800, "3h"},
        {11000, "3h3m"},
        {28800, "8h"},
        {172799, "47h"},
        {172800, "2d"},
        {180000, "2d2h"},
        {691200, "8d"},
        {86400 * 400, "400d"},
        {86400 * 800, "2y70d"},
        {86400LL * 365 * 9, "9y"},
        {-60, "<invalid>"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char stamp[RFC3339_LEN], age[32];
        int64_t now = 1800000000LL * NS_PER_SEC;

        clock_rfc3339(now - rows[i].seconds * NS_PER_SEC, stamp);
        human_age(stamp, now, age);
        assert_string_equal(age, rows[i].want);
    }
}

/* The cells of an object of a kind, without its name and age. */
static void check_cells(const char *group, const char *plural, const char *object, const char *want)
{
    struct kinds *ks = kinds_new();
    const struct api_kind *k = kinds_storage(ks, group, plural);
    _cleanup_jdoc_ yyjson_doc *d = json_parse(object, strlen(object), NULL);
    _cleanup_buf_ struct buf b = BUF_INIT(65536);

    assert_non_null(k);
    assert_non_null(d);
    for (const struct api_column *c = k->builtin->columns; c->name; c++) {
        if (streq(c->name, "Age"))
            continue;
        c->cell(&b, yyjson_doc_get_root(d), 0);
        buf_addc(&b, ' ');
    }
    assert_string_equal(buf_z(&b), want);
    kinds_free(ks);
}

static void test_cells(void **state)
{
    check_cells(
        "", "pods",
        "{\"spec\":{\"nodeName\":\"n\",\"containers\":[{},{}]},\"status\":{\"phase\":\"Running\","
        "\"podIP\":\"1.2.3.4\",\"containerStatuses\":[{\"ready\":true,\"restartCount\":2},"
        "{\"state\":{\"waiting\":{\"reason\":\"ImagePullBackOff\"}},\"restartCount\":1}]}}",
        "\"1/2\" \"ImagePullBackOff\" \"3\" \"1.2.3.4\" \"n\" \"<none>\" \"<none>\" ");
    check_cells("", "pods",
                "{\"metadata\":{\"deletionTimestamp\":\"x\"},\"status\":{\"phase\":\"Running\"}}",
                "\"0/0\" \"Terminating\" \"0\" \"<none>\" \"<none>\" \"<none>\" \"<none>\" ");
    check_cells(
        "", "services",
        "{\"spec\":{\"type\":\"LoadBalancer\",\"clusterIP\":\"10.96.0.1\",\"ports\":[{\"port\":80,"
        "\"protocol\":\"TCP\",\"nodePort\":30000},{\"port\":53,\"protocol\":\"UDP\"}],\"selector\":"
        "{\"a\":"
        "\"b\",\"c\":\"d\"}}}",
        "\"LoadBalancer\" \"10.96.0.1\" \"<pending>\" \"80:30000/TCP,53/UDP\" \"a=b,c=d\" ");
    check_cells("", "services", "{\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"e.x\"}}",
                "\"ExternalName\" \"<none>\" \"e.x\" \"<none>\" \"<none>\" ");
    check_cells(
        "apps", "deployments",
        "{\"spec\":{\"replicas\":3,\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{"
        "\"spec\":{"
        "\"containers\":[{\"name\":\"x\",\"image\":\"i\"}]}}},\"status\":{\"readyReplicas\":1,"
        "\"updatedReplicas\":2,\"availableReplicas\":1}}",
        "\"1/3\" 2 1 \"x\" \"i\" \"a=b\" ");
    check_cells(
        "", "nodes",
        "{\"metadata\":{\"labels\":{\"node-role.kubernetes.io/"
        "worker\":\"\"}},\"spec\":{\"unschedulable\":"
        "true},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}],\"addresses\":"
        "[{"
        "\"type\":\"InternalIP\",\"address\":\"1.1.1.1\"}],\"nodeInfo\":{\"kubeletVersion\":\"v1\"}"
        "}}",
        "\"Ready,SchedulingDisabled\" \"worker\" \"v1\" \"1.1.1.1\" \"<none>\" \"<unknown>\" "
        "\"<unknown>\" \"<unknown>\" ");
    check_cells("", "endpoints",
                "{\"subsets\":[{\"addresses\":[{\"ip\":\"1\"},{\"ip\":\"2\"},{\"ip\":\"3\"},{"
                "\"ip\":\"4\"}],"
                "\"ports\":[{\"port\":80}]}]}",
                "\"1:80,2:80,3:80 + 1 more...\" ");
    check_cells("", "configmaps", "{\"data\":{\"a\":\"\"},\"binaryData\":{\"b\":\"\"}}", "2 ");
    check_cells("", "secrets", "{\"type\":\"t\",\"data\":{}}", "\"t\" 0 ");
    check_cells("", "namespaces", "{\"status\":{\"phase\":\"Terminating\"}}", "\"Terminating\" ");
    check_cells("", "events",
                "{\"type\":\"Normal\",\"reason\":\"R\",\"message\":\"m\\n\",\"involvedObject\":{"
                "\"kind\":\"Pod\","
                "\"name\":\"p\"},\"lastTimestamp\":\"1970-01-01T00:00:00Z\"}",
                "\"0s\" \"Normal\" \"R\" \"pod/p\" \"\" null \"m\" \"<unknown>\" 1 null ");
}

/* Any JSON may sit where a column looks: no cell may end the text early or crash. */
static void test_cells_of_odd_objects(void **state)
{
    static const char *const odd[] = {
        "{}", "{\"metadata\":1,\"spec\":[],\"status\":\"x\",\"subsets\":{},\"ports\":1}",
        "{\"subsets\":[1,{\"addresses\":[2],\"ports\":[null]}],\"endpoints\":[[]],\"ports\":[1]}",
        "{\"spec\":{\"ports\":[1],\"selector\":{\"a\":1}},\"status\":{\"conditions\":[1]}}"};
    struct kinds *ks = kinds_new();

    for (size_t i = 0; i < kinds_len(ks); i++)
        for (size_t j = 0; j < ARRAY_LEN(odd); j++) {
            _cleanup_jdoc_ yyjson_doc *d = json_parse(odd[j], strlen(odd[j]), NULL), *t = NULL;
            _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);

            table_begin(&b, kinds_at(ks, i), false, "{}");
            table_row(&b, kinds_at(ks, i), false, yyjson_doc_get_root(d), INCLUDE_OBJECT, 0);
            table_end(&b);
            t = json_parse(b.p, b.n, NULL);
            if (!t)
                fail_msg("%s %s: %s", kinds_at(ks, i)->res.plural, odd[j], buf_z(&b));
        }
    kinds_free(ks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_cells_of_odd_objects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
