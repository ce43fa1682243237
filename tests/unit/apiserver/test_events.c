/* What watchers share: an event is parsed once for all of them, and its text is made once. */
#include "rig.h"

#include <stdio.h>

#include "base/mem.h"
#include "cluster/apiserver/verbs/event_cache.h"

static int keep(void *ctx, const struct store_obj *o)
{
    const struct store_obj **at = ctx;

    while (*at)
        at++;
    *at = store_obj_ref(o);
    return 0;
}

static void test_cache(void **state)
{
    struct world *w = world_new(&(struct apiserver_opts){0});
    const struct store_obj *o[4] = {0};
    struct event_cache c = {0};
    static const char added[] = "ADDED", deleted[] = "DELETED";

    for (int i = 0; i < 3; i++) {
        char name[16];

        snprintf(name, sizeof(name), "m%d", i);
        _cleanup_free_ char *body = config_map(name, "a");

        yyjson_doc_free(ask_json(w, 201, "POST", MAPS, body));
    }
    store_each(w->store, "/configmaps/default/", keep, o);
    /* an object and the one before it stay parsed, whoever asks */
    const yyjson_val *now = event_parsed(&c, o[0]), *before = event_parsed(&c, o[1]);

    assert_string_equal(jget_str(now, "metadata", "name"), "m0");
    for (int i = 0; i < 10; i++) {
        assert_ptr_equal(event_parsed(&c, o[0]), now);
        assert_ptr_equal(event_parsed(&c, o[1]), before);
    }
    assert_string_equal(jget_str(event_parsed(&c, o[2]), "metadata", "name"), "m2");
    assert_ptr_equal(event_parsed(&c, o[1]), before);

    struct buf text = BUF_INIT(100);

    buf_addz(&text, "frame");
    event_keep(&c, o[0], added, &text);
    assert_true(str_eq(event_text(&c, o[0], added), STR("frame")));
    assert_int_equal(event_text(&c, o[0], deleted).n, 0);
    assert_int_equal(event_text(&c, o[1], added).n, 0);
    event_cache_done(&c);
    for (int i = 0; i < 3; i++)
        store_obj_unref((struct store_obj *)(uintptr_t)o[i]);
    world_free(w);
}

/* Entering, staying in and leaving a selector, seen by watchers with other ones at the same time.
 */
static void test_selectors(void **state)
{
    static const struct {
        const char *selector, *want;
    } rows[] = {
        {"", "ADDED MODIFIED MODIFIED MODIFIED DELETED "},
        {"&labelSelector=l%3Da", "ADDED MODIFIED DELETED "},
        {"&labelSelector=l%3Db", "ADDED DELETED "},
        {"&labelSelector=l%3Dnone", ""},
        {"&fieldSelector=metadata.name%3Dx", "ADDED MODIFIED MODIFIED MODIFIED DELETED "},
    };
    static const char *const patches[] = {
        "{\"metadata\":{\"labels\":{\"l\":\"a\"}},\"data\":{\"k\":\"2\"}}",
        "{\"metadata\":{\"labels\":{\"l\":\"b\"}}}",
        "{\"metadata\":{\"labels\":{\"l\":\"c\"}}}",
    };
    struct world *w = world_new(&(struct apiserver_opts){0});
    struct answer a[ARRAY_LEN(rows)];
    struct http_exchange *x[ARRAY_LEN(rows)];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *path = xasprintf(MAPS "?watch=1%s", rows[i].selector);

        x[i] = ask_as(w, &a[i], "admin", "system:masters", "GET", path, "", "");
    }
    yyjson_doc_free(
        ask_json(w, 201, "POST", MAPS, "{\"metadata\":{\"name\":\"x\",\"labels\":{\"l\":\"a\"}}}"));
    for (size_t i = 0; i < ARRAY_LEN(patches); i++)
        yyjson_doc_free(ask_json(w, 200, "PATCH", MAPS "/x", patches[i]));
    yyjson_doc_free(ask_json(w, 200, "DELETE", MAPS "/x", ""));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_buf_ struct buf got = BUF_INIT(4096);
        struct str rest = buf_str(&a[i].body), line;

        buf_addz(&got, "");
        while (rest.n && str_split(&rest, '\n', &line)) {
            _cleanup_jdoc_ yyjson_doc *d = json_parse(line.p, line.n, NULL);

            if (d)
                buf_addf(&got, "%s ", jget_str(yyjson_doc_get_root(d), "type"));
        }
        assert_string_equal(buf_z(&got), rows[i].want);
        http_exchange_gone(x[i]);
        answer_done(&a[i]);
    }
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cache),
                                       cmocka_unit_test(test_selectors)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
