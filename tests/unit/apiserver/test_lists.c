/*
 * Lists are snapshots: whatever is written between the pages of one, and however many are read at a
 * time, all its pages together are the state at the revision that each of them names.
 */
#include "rig.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "cluster/apiserver/request/limits.h"
#include "cluster/apiserver/verbs/snapshot.h"

#define NAMES  60
#define READER 5
#define STEPS  1500

/* The state as a text: "NAME=VERSION " in key order. */
struct model {
    uint64_t version[NAMES]; /* resourceVersion, 0 = absent */
    unsigned seed;
};

struct reader {
    bool under_way;
    unsigned limit, label; /* label: 0 = none, else the selector asks for it */
    char *want, *token;
    uint64_t rev;
    struct buf got;
};

static unsigned roll(struct model *m, unsigned n)
{
    m->seed = m->seed * 1103515245 + 12345;
    return (m->seed >> 16) % n;
}

static unsigned label_of(int name)
{
    return (unsigned)name % 3 + 1;
}

static char *state(const struct model *m, unsigned label)
{
    struct buf b = BUF_INIT(64 * 1024);

    for (int i = 0; i < NAMES; i++)
        if (m->version[i] && (!label || label == label_of(i)))
            buf_addf(&b, "n%02d=%llu ", i, (unsigned long long)m->version[i]);
    buf_addz(&b, "");
    return buf_steal(&b, NULL);
}

static uint64_t version_of(const yyjson_val *o)
{
    uint64_t v = 0;

    assert_int_equal(str_u64(str_of(jget_str(o, "metadata", "resourceVersion")), &v), 0);
    return v;
}

static void change(struct world *w, struct model *m)
{
    int i = (int)roll(m, NAMES);
    char path[128], body[256];
    unsigned value = roll(m, 1000000);

    snprintf(path, sizeof(path), MAPS "/n%02d", i);
    if (m->version[i] && roll(m, 3) == 0) {
        yyjson_doc_free(ask_json(w, 200, "DELETE", path, ""));
        m->version[i] = 0;
        return;
    }
    snprintf(
        body, sizeof(body),
        "{\"metadata\":{\"name\":\"n%02d\",\"labels\":{\"l\":\"%u\"}},\"data\":{\"v\":\"%u\"}}", i,
        label_of(i), value);
    _cleanup_jdoc_ yyjson_doc *d = m->version[i] ? ask_json(w, 200, "PATCH", path, body)
                                                 : ask_json(w, 201, "POST", MAPS, body);

    m->version[i] = version_of(yyjson_doc_get_root(d));
}

static void begin(struct reader *r, struct model *m)
{
    r->under_way = true;
    r->limit = 1 + roll(m, 20);
    r->label = roll(m, 2) ? roll(m, 4) : 0;
    r->want = state(m, r->label);
    r->got = BUF_INIT(64 * 1024);
    buf_addz(&r->got, "");
}

static void finish(struct reader *r)
{
    assert_string_equal(buf_z(&r->got), r->want);
    free(steal(&r->want));
    buf_done(&r->got);
    r->under_way = false;
    r->rev = 0;
}

static size_t count_in(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == ' ';
    return n;
}

static void page(struct world *w, struct reader *r, struct model *m)
{
    yyjson_val *o;
    size_t i, n;

    if (!r->under_way)
        begin(r, m);
    char selector[64] = "";

    if (r->label)
        snprintf(selector, sizeof(selector), "&labelSelector=l%%3D%u", r->label);
    _cleanup_free_ char *path = xasprintf(MAPS "?limit=%u%s%s%s", r->limit, selector,
                                          r->token ? "&continue=" : "", r->token ? r->token : "");
    _cleanup_jdoc_ yyjson_doc *d = ask_json(w, 200, "GET", path, "");
    yyjson_val *root = yyjson_doc_get_root(d), *items = jget(root, "items");

    if (!r->rev)
        r->rev = version_of(root);
    assert_true(version_of(root) == r->rev);
    yyjson_arr_foreach(items, i, n, o) buf_addf(
        &r->got, "%s=%llu ", jget_str(o, "metadata", "name"), (unsigned long long)version_of(o));
    free(steal(&r->token));
    if (jget_str(root, "metadata", "continue"))
        r->token = xstrdup(jget_str(root, "metadata", "continue"));
    if (!r->label)
        assert_int_equal(jget_int(root, 0, "metadata", "remainingItemCount"),
                         count_in(r->want) - count_in(buf_z(&r->got)));
    else
        assert_null(jget(root, "metadata", "remainingItemCount"));
    if (!r->token)
        finish(r);
}

static void test_pages_are_one_revision(void **state_)
{
    struct world *w = world_new(&(struct apiserver_opts){0});
    struct model m = {.seed = 7};
    struct reader readers[READER] = {0};

    for (int i = 0; i < STEPS; i++) {
        if (roll(&m, 2))
            change(w, &m);
        else
            page(w, &readers[roll(&m, READER)], &m);
    }
    for (int i = 0; i < READER; i++) {
        while (readers[i].under_way)
            page(w, &readers[i], &m);
        free(readers[i].token);
    }
    world_free(w);
}

/* ---- what is not kept ---- */
static void make(struct world *w, int n)
{
    for (int i = 0; i < n; i++) {
        char name[32];

        snprintf(name, sizeof(name), "m%03d", i);
        _cleanup_free_ char *body = config_map(name, "a");

        yyjson_doc_free(ask_json(w, 201, "POST", MAPS, body));
    }
}

static char *first_page(struct world *w)
{
    _cleanup_jdoc_ yyjson_doc *d = ask_json(w, 200, "GET", MAPS "?limit=1", "");

    return xasprintf(MAPS "?limit=2&continue=%s",
                     jget_str(yyjson_doc_get_root(d), "metadata", "continue"));
}

static void check_expired(struct world *w, const char *path)
{
    _cleanup_jdoc_ yyjson_doc *d = ask_json(w, 410, "GET", path, "");
    yyjson_val *root = yyjson_doc_get_root(d);

    assert_string_equal(jget_str(root, "reason"), "Expired");
    assert_non_null(strstr(jget_str(root, "message"), "continue parameter is too old"));
    _cleanup_free_ char *on =
        xasprintf(MAPS "?continue=%s", jget_str(root, "metadata", "continue"));
    _cleanup_jdoc_ yyjson_doc *rest = ask_json(w, 200, "GET", on, "");
    yyjson_val *items = jget(yyjson_doc_get_root(rest), "items");

    /* what is there now, behind the key where the list stood */
    assert_int_equal(yyjson_arr_size(items), 3);
    assert_string_equal(jget_str(yyjson_arr_get_first(items), "metadata", "name"), "m001");
}

static void test_too_many_lists(void **state_)
{
    struct world *w = world_new(&(struct apiserver_opts){0});

    make(w, 4);
    _cleanup_free_ char *old = first_page(w);

    yyjson_doc_free(ask_json(w, 200, "GET", old, ""));
    yyjson_doc_free(ask_json(w, 200, "GET", old, "")); /* asked again */
    for (int i = 0; i < LIMIT_SNAPSHOTS; i++)
        free(first_page(w));
    check_expired(w, old);
    world_free(w);
}

static int64_t stepped;
static int64_t mono(void *ctx)
{
    return clock_mono_ns() + stepped;
}

static int64_t wall(void *ctx)
{
    return clock_wall_ns();
}

static void test_too_slow(void **state_)
{
    static const struct clock clock = {mono, wall, NULL};
    struct world *w = world_new(&(struct apiserver_opts){0});

    make(w, 4);
    stepped = 0;
    loop_set_clock(w->loop, &clock);
    _cleanup_free_ char *old = first_page(w);

    stepped = (LIMIT_SNAPSHOT_SECONDS - 2) * NS_PER_SEC;
    yyjson_doc_free(ask_json(w, 200, "GET", old, ""));
    stepped = (LIMIT_SNAPSHOT_SECONDS + 1) * NS_PER_SEC;
    check_expired(w, old);
    world_free(w);
}

static void test_tokens_of_others(void **state_)
{
    struct world *w = world_new(&(struct apiserver_opts){0});

    make(w, 3);
    _cleanup_free_ char *page2 = first_page(w);
    const char *token = strstr(page2, "continue=");
    _cleanup_free_ char *pods = xasprintf("/api/v1/pods?limit=2&%s", token);
    _cleanup_free_ char *both = xasprintf("%s&resourceVersion=1", page2);

    yyjson_doc_free(ask_json(w, 400, "GET", pods, ""));
    yyjson_doc_free(ask_json(w, 400, "GET", both, ""));
    yyjson_doc_free(ask_json(w, 400, "GET", MAPS "?continue=0123456789abcdef", ""));
    world_free(w);
}

/* A kept list that outweighs all others is kept alone; what is dropped is given back. */
static void test_bytes_are_bounded(void **state_)
{
    struct world *w = world_new(&(struct apiserver_opts){0});
    struct snapshots *p =
        snapshots_new(w->loop, &(struct snapshots_limits){.most = 8, .bytes = 1000, .seconds = 60});
    struct snapshot *s[3];

    make(w, 4);
    for (size_t i = 0; i < ARRAY_LEN(s); i++) {
        s[i] = snapshot_take(w->store, "/configmaps/", NULL);
        assert_true(s[i]->bytes > 500);
        snapshots_pin(p, s[i]);
    }
    assert_true(s[2]->id && !s[1]->id && !s[0]->id);
    assert_ptr_equal(snapshots_find(p, s[2]->id), s[2]);
    assert_null(snapshots_find(p, 0));
    snapshots_free(p);
    for (size_t i = 0; i < ARRAY_LEN(s); i++)
        snapshot_unref(s[i]);
    world_free(w);
}

/* A reader that takes his time holds what he has not taken, not the whole list; and it is the list
 * as it was when he asked. */
#define BIG  (100 * 1024)
#define BIGS 60

static void make_big(struct world *w)
{
    _cleanup_free_ char *filler = xcalloc(1, BIG + 1);

    memset(filler, 'x', BIG);
    for (int i = 0; i < BIGS; i++) {
        _cleanup_free_ char *body =
            xasprintf("{\"metadata\":{\"name\":\"big%02d\"},\"data\":{\"x\":\"%s\"}}", i, filler);

        yyjson_doc_free(ask_json(w, 201, "POST", MAPS, body));
    }
}

static void test_slow_reader(void **state_)
{
    struct world *w = world_new(&(struct apiserver_opts){0});
    struct answer a;
    int rounds = 0;

    make_big(w);
    struct http_exchange *x = ask_slow(w, &a, MAPS);

    assert_false(a.ended);
    yyjson_doc_free(ask_json(w, 200, "DELETE", MAPS "/big59", ""));
    yyjson_doc_free(ask_json(w, 200, "DELETE", MAPS "/big00", ""));
    for (; !a.ended; rounds++) {
        assert_in_range(a.waiting, LIMIT_LIST_UNREAD, LIMIT_LIST_UNREAD + 4 * BIG + 256 * 1024);
        a.waiting = 0;
        http_exchange_drained(x);
    }
    assert_in_range(rounds, 3, 10);
    _cleanup_jdoc_ yyjson_doc *d = json_parse(buf_z(&a.body), a.body.n, NULL);

    assert_int_equal(yyjson_arr_size(jget(yyjson_doc_get_root(d), "items")), BIGS);
    answer_done(&a);

    /* he leaves in the middle, and so does the server */
    x = ask_slow(w, &a, MAPS);
    assert_false(a.ended);
    http_exchange_gone(x);
    answer_done(&a);
    x = ask_slow(w, &a, MAPS);
    world_close(w);
    http_exchange_gone(x);
    answer_done(&a);
    world_open(w, &(struct apiserver_opts){0});
    world_free(w);
}

static void test_one_by_name(void **state_)
{
    struct world *w = world_new(&(struct apiserver_opts){0});

    make(w, 3);
    _cleanup_jdoc_ yyjson_doc *d =
        ask_json(w, 200, "GET", MAPS "?fieldSelector=metadata.name%3Dm001", "");
    yyjson_val *items = jget(yyjson_doc_get_root(d), "items");

    assert_int_equal(yyjson_arr_size(items), 1);
    assert_string_equal(jget_str(yyjson_arr_get_first(items), "metadata", "name"), "m001");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_are_one_revision),
        cmocka_unit_test(test_too_many_lists),
        cmocka_unit_test(test_too_slow),
        cmocka_unit_test(test_tokens_of_others),
        cmocka_unit_test(test_bytes_are_bounded),
        cmocka_unit_test(test_one_by_name),
        cmocka_unit_test(test_slow_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
