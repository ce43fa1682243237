/* Deletion: what the policies make of finalizers, grace that cannot overflow, collections of any
 * size. */
#include "rig.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/vec.h"
#include "cluster/apiserver/request/limits.h"

#define PODS "/api/v1/namespaces/default/pods"

static char *make(struct world *w, const char *name, const char *extra, int status)
{
    _cleanup_free_ char *body =
        xasprintf("{\"metadata\":{\"name\":\"%s\"%s},\"data\":{\"a\":\"1\"}}", name, extra);
    _cleanup_jdoc_ yyjson_doc *d = ask_json(w, status, "POST", MAPS, body);

    return xstrdup(jget_str(yyjson_doc_get_root(d), "metadata", "uid"));
}

static char *make_dependent(struct world *w, const char *name, const char *owner, const char *uid)
{
    _cleanup_free_ char *refs = xasprintf(",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":"
                                          "\"ConfigMap\",\"name\":\"%s\",\"uid\":"
                                          "\"%s\",\"blockOwnerDeletion\":true}]",
                                          owner, uid);

    return make(w, name, refs, 201);
}

/* The finalizers as one text; NULL when the object is gone. */
static char *finalizers(struct world *w, const char *path, bool *ret_deleting)
{
    struct answer a;
    struct buf b = BUF_INIT(4096);
    yyjson_val *f;
    size_t i, n;

    ask(w, &a, "GET", path, "", "");
    _cleanup_jdoc_ yyjson_doc *d = json_parse(buf_z(&a.body), a.body.n, NULL);
    bool there = a.status == 200;

    answer_done(&a);
    if (!there)
        return NULL;
    buf_addz(&b, "");
    yyjson_arr_foreach(jget(yyjson_doc_get_root(d), "metadata", "finalizers"), i, n, f)
        buf_addf(&b, "%s%s", i ? "," : "", yyjson_get_str(f));
    *ret_deleting = jget(yyjson_doc_get_root(d), "metadata", "deletionTimestamp");
    return buf_steal(&b, NULL);
}

static void test_policies(void **state_)
{
    static const struct {
        const char *before; /* finalizers, as JSON */
        bool dependent;
        const char *policy, *after; /* NULL = gone */
    } rows[] = {
        {"", false, "Background", NULL},
        {"", true, "Background", NULL},
        {"", true, "Orphan", NULL},
        {"", true, "", NULL},
        {"", false, "Foreground", NULL}, /* nothing to wait for */
        {"", true, "Foreground", "foregroundDeletion"},
        {"\"x.io/f\"", true, "Foreground", "x.io/f,foregroundDeletion"},
        {"\"x.io/f\"", true, "Background", "x.io/f"},
        {"\"x.io/f\",\"orphan\"", true, "Background", "x.io/f"},
        {"\"orphan\"", true, "Foreground", "foregroundDeletion"},
        {"\"foregroundDeletion\"", true, "Foreground", "foregroundDeletion"},
        {"\"foregroundDeletion\"", true, "", "foregroundDeletion"},
        {"\"foregroundDeletion\"", true, "Background", NULL},
        {"\"foregroundDeletion\"", true, "Orphan", NULL},
    };
    struct world *w = world_new(&(struct apiserver_opts){0});

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[32], child[32];
        bool deleting = false;

        snprintf(name, sizeof(name), "o%zu", i);
        snprintf(child, sizeof(child), "c%zu", i);
        _cleanup_free_ char *extra = xasprintf(",\"finalizers\":[%s]", rows[i].before);
        _cleanup_free_ char *uid = make(w, name, extra, 201);
        _cleanup_free_ char *path = xasprintf(MAPS "/%s", name);
        _cleanup_free_ char *del = xasprintf("%s?propagationPolicy=%s", path, rows[i].policy);

        if (rows[i].dependent)
            free(make_dependent(w, child, name, uid));
        yyjson_doc_free(ask_json(w, 200, "DELETE", del, ""));
        _cleanup_free_ char *now = finalizers(w, path, &deleting);

        if (!now != !rows[i].after || (now && !streq(now, rows[i].after)))
            fail_msg("row %zu: %s", i, now ? now : "gone");
        if (now)
            assert_true(deleting);
    }
    world_free(w);
}

/* A second deletion changes its mind; the collector's update ends it. */
static void test_foreground_goes_on(void **state_)
{
    struct world *w = world_new(&(struct apiserver_opts){0});
    bool deleting = false;
    _cleanup_free_ char *uid = make(w, "owner", "", 201);

    free(make_dependent(w, "child", "owner", uid));
    yyjson_doc_free(ask_json(w, 200, "DELETE", MAPS "/owner?propagationPolicy=Foreground", ""));
    yyjson_doc_free(ask_json(w, 200, "DELETE", MAPS "/owner?propagationPolicy=Foreground", ""));
    _cleanup_free_ char *f = finalizers(w, MAPS "/owner", &deleting);

    assert_string_equal(f, "foregroundDeletion");
    yyjson_doc_free(ask_json(w, 200, "DELETE", MAPS "/child", ""));
    yyjson_doc_free(
        ask_json(w, 200, "PATCH", MAPS "/owner", "{\"metadata\":{\"finalizers\":null}}"));
    yyjson_doc_free(ask_json(w, 404, "GET", MAPS "/owner", ""));
    world_free(w);
}

static void test_grace(void **state_)
{
    static const struct {
        const char *query, *body;
        int status;
        int64_t grace;
    } rows[] = {
        {"?gracePeriodSeconds=9223372036854775807", "", 200, LIMIT_API_SECONDS},
        {"", "{\"gracePeriodSeconds\":9223372036854775807}", 200, LIMIT_API_SECONDS},
        {"", "{\"gracePeriodSeconds\":18446744073709551615}", 200, LIMIT_API_SECONDS},
        {"", "{\"gracePeriodSeconds\":5}", 200, 5},
        {"", "{\"gracePeriodSeconds\":-1}", 400, 0},
        {"", "{\"gracePeriodSeconds\":\"5\"}", 400, 0},
        {"", "", 200, 7}, /* the pod's own */
    };
    struct world *w = world_new(&(struct apiserver_opts){0});

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[32];

        snprintf(name, sizeof(name), "p%zu", i);
        _cleanup_free_ char *pod = xasprintf(
            "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"terminationGracePeriodSeconds\":7,"
            "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}",
            name);
        _cleanup_free_ char *path = xasprintf(PODS "/%s", name);
        _cleanup_free_ char *status = xasprintf("%s/status", path);
        _cleanup_free_ char *del = xasprintf("%s%s", path, rows[i].query);

        yyjson_doc_free(ask_json(w, 201, "POST", PODS, pod));
        yyjson_doc_free(ask_json(w, 200, "PATCH", status,
                                 "{\"status\":{\"startTime\":\"2026-01-01T00:00:00Z\"}}"));
        _cleanup_jdoc_ yyjson_doc *d = ask_json(w, rows[i].status, "DELETE", del, rows[i].body);
        yyjson_val *meta = jget(yyjson_doc_get_root(d), "metadata");

        if (rows[i].status == 200) {
            assert_int_equal(jget_int(meta, -1, "deletionGracePeriodSeconds"), rows[i].grace);
            assert_in_range(jget_str(meta, "deletionTimestamp")[0], '2', '9');
        }
    }
    world_free(w);
}

/* ---- collections ---- */
#define MANY  10500 /* more than the store takes at a time */
#define BATCH 3000

/* extra: more of the metadata, as JSON after a comma */
static void fill_with(struct world *w, const char *path, int n, const char *extra)
{
    struct answer *a = xcalloc(BATCH, sizeof(*a));

    for (int done = 0; done < n;) {
        int batch = n - done < BATCH ? n - done : BATCH;

        for (int i = 0; i < batch; i++) {
            _cleanup_free_ char *body =
                xasprintf("{\"metadata\":{\"name\":\"m%05d\",\"labels\":{\"odd\":\"%d\"}%s}}",
                          done + i, i % 2, extra);

            ask_as(w, &a[i], "admin", "system:masters", "POST", path, "application/json", body);
        }
        for (int i = 0; i < batch; i++) {
            wait_for(w, &a[i]);
            assert_int_equal(a[i].status, 201);
            answer_done(&a[i]);
        }
        done += batch;
    }
    free(a);
}

static void fill(struct world *w, int n)
{
    fill_with(w, MAPS, n, "");
}

static void test_large_collection(void **state_)
{
    struct world *w = world_new(&(struct apiserver_opts){0});
    struct answer a, other;

    fill(w, MANY);
    ask_as(w, &a, "admin", "system:masters", "DELETE", MAPS "?labelSelector=odd%3D1",
           "application/json", "");
    assert_false(a.ended);
    /* somebody else's write is not held up until the end */
    ask(w, &other, "POST", MAPS, "application/json", "{\"metadata\":{\"name\":\"other\"}}");
    assert_int_equal(other.status, 201);
    assert_false(a.ended);
    answer_done(&other);
    wait_for(w, &a);
    assert_int_equal(a.status, 200);
    _cleanup_jdoc_ yyjson_doc *d = json_parse(buf_z(&a.body), a.body.n, NULL);

    assert_int_equal(yyjson_arr_size(jget(yyjson_doc_get_root(d), "items")), MANY / 2);
    answer_done(&a);
    ask(w, &a, "DELETE", MAPS, "application/json", "");
    assert_int_equal(a.status, 200);
    answer_done(&a);
    assert_int_equal(store_count(w->store, "/configmaps/default/"), 0);
    world_free(w);
}

static int owned(void *ctx, const struct store_obj *o)
{
    struct str b = store_obj_bytes(o);

    *(int *)ctx += memmem(b.p, b.n, "ownerReferences", 15) != NULL;
    return 0;
}

/* None of them is left with an owner that is gone, which the collector would delete it for. */
static void test_many_orphans(void **state_)
{
    struct world *w = world_new(&(struct apiserver_opts){0});
    _cleanup_free_ char *uid = make(w, "owner", "", 201);
    _cleanup_free_ char *refs = xasprintf(
        ",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"owner\","
        "\"uid\":\"%s\"}]",
        uid);
    int left = 0;

    fill_with(w, MAPS, MANY, refs);
    yyjson_doc_free(ask_json(w, 200, "DELETE", MAPS "/owner?propagationPolicy=Orphan", ""));
    yyjson_doc_free(ask_json(w, 404, "GET", MAPS "/owner", ""));
    assert_int_equal(store_count(w->store, "/configmaps/default/"), MANY);
    store_each(w->store, "/configmaps/default/", owned, &left);
    assert_int_equal(left, 0);
    world_free(w);
}

#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

static void on_gone(void *ctx, enum store_event ev, const struct store_obj *o,
                    const struct store_obj *prev)
{
    if (ev == STORE_DELETED)
        loop_stop(ctx);
}

/* A definition goes when the last of its objects has, however many there are. */
static void test_large_definition(void **state_)
{
    static const char crd[] =
        "{\"metadata\":{\"name\":\"things.example.com\"},\"spec\":{\"group\":\"example.com\","
        "\"scope\":"
        "\"Namespaced\",\"names\":{\"plural\":\"things\",\"kind\":\"Thing\"},\"versions\":[{"
        "\"name\":"
        "\"v1\",\"served\":true,\"storage\":true,\"schema\":{\"openAPIV3Schema\":{\"type\":"
        "\"object\"}}}]}}";
    struct world *w = world_new(&(struct apiserver_opts){0});
    struct err e = {0};

    yyjson_doc_free(ask_json(w, 201, "POST", CRDS, crd));
    fill_with(w, "/apis/example.com/v1/namespaces/default/things", MANY, "");
    struct store_watch *sw =
        store_watch_start(w->store, "apiextensions.k8s.io/customresourcedefinitions/",
                          store_rev(w->store), on_gone, w->loop, &e);

    assert_non_null(sw);
    yyjson_doc_free(ask_json(w, 200, "DELETE", CRDS "/things.example.com", ""));
    loop_run(w->loop);
    store_watch_stop(sw);
    assert_int_equal(store_count(w->store, "example.com/things/"), 0);
    yyjson_doc_free(ask_json(w, 404, "GET", CRDS "/things.example.com", ""));
    world_free(w);
}

static void test_collection_options(void **state_)
{
    struct world *w = world_new(&(struct apiserver_opts){0});

    fill(w, 10);
    yyjson_doc_free(ask_json(w, 200, "DELETE", MAPS "?dryRun=All", ""));
    assert_int_equal(store_count(w->store, "/configmaps/default/"), 10);
    yyjson_doc_free(ask_json(w, 200, "DELETE", MAPS "?limit=3", ""));
    assert_int_equal(store_count(w->store, "/configmaps/default/"), 7);
    yyjson_doc_free(ask_json(w, 400, "DELETE", MAPS "?continue=000000000000000061", ""));
    yyjson_doc_free(ask_json(w, 400, "DELETE", MAPS "?propagationPolicy=Sideways", ""));
    assert_int_equal(store_count(w->store, "/configmaps/default/"), 7);
    world_free(w);
}

/* The asker leaves: it goes on. The server leaves: it ends. */
static void test_collection_is_left(void **state_)
{
    struct world *w = world_new(&(struct apiserver_opts){0});
    struct answer a, b;

    fill(w, 1000);
    struct http_exchange *x =
        ask_as(w, &a, "admin", "system:masters", "DELETE", MAPS, "application/json", "");

    http_exchange_gone(x);
    answer_done(&a);
    ask(w, &b, "DELETE", MAPS, "application/json", "");
    assert_int_equal(b.status, 200);
    answer_done(&b);
    assert_int_equal(store_count(w->store, "/configmaps/default/"), 0);
    fill(w, 1000);
    ask_as(w, &a, "admin", "system:masters", "DELETE", MAPS, "application/json", "");
    world_close(w);
    assert_true(a.ended);
    answer_done(&a);
    world_open(w, &(struct apiserver_opts){0});
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_foreground_goes_on),
        cmocka_unit_test(test_grace),
        cmocka_unit_test(test_large_collection),
        cmocka_unit_test(test_many_orphans),
        cmocka_unit_test(test_large_definition),
        cmocka_unit_test(test_collection_options),
        cmocka_unit_test(test_collection_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
