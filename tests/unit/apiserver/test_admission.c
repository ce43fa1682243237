/*
 * Hooks that answer later: a write waits for them and for nothing else, is made anew when it was
 * overtaken, gives up at some point, and is answered when the server goes.
 */
#include "rig.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/vec.h"

/* A hook that holds what it is asked, for tests to answer. Objects labelled "quick" pass at once.
 */
static struct {
    VEC(struct admission_request *) held;
    int asked, validated;
} hook;

static int mutate(void *ctx, struct admission_request *rq, struct err *e)
{
    hook.asked++;
    if (jm_get_str(rq->obj->root, "metadata", "labels", "quick"))
        return 0;
    if (jm_get_str(rq->obj->root, "metadata", "labels", "inside")) {
        admission_answer(rq, 0, NULL);
        return ADMISSION_LATER;
    }
    vec_push(&hook.held, rq);
    return ADMISSION_LATER;
}

static int validate(void *ctx, struct admission_request *rq, admission_warn_fn *warn, void *to,
                    struct err *e)
{
    hook.validated++;
    warn(to, "seen");
    return jm_get_str(rq->obj->root, "data", "forbidden") ? err_set(e, -EPERM, "not this") : 0;
}

/* Answers the oldest that is held. */
static void let_go(int result, const char *why)
{
    struct admission_request *rq = hook.held.p[0];
    struct err e = {0};

    vec_remove(&hook.held, 0);
    if (result == 0)
        jm_set_str(KM(rq->obj), "yes", "metadata", "annotations", "mutated");
    else
        err_set(&e, result, "%s", why);
    admission_answer(rq, result, &e);
}

static int setup(void **state)
{
    static const struct admission ad = {.name = "late.example.com",
                                        .mutate_name = "late.example.com",
                                        .res = &KR_CONFIGMAP,
                                        .mutate = mutate,
                                        .validate = validate,
                                        .may_wait = true};

    hook.asked = hook.validated = 0;
    *state = world_new(&(struct apiserver_opts){.admissions = &ad, .n_admissions = 1});
    return 0;
}

static int teardown(void **state)
{
    assert_int_equal(hook.held.n, 0);
    vec_done(&hook.held);
    world_free(*state);
    return 0;
}

static void send(struct world *w, struct answer *a, const char *method, const char *path,
                 const char *body)
{
    const char *type = streq(method, "PATCH") ? "application/merge-patch+json" : "application/json";

    ask_as(w, a, "admin", "system:masters", method, path, type, body);
}

static void create(struct world *w, const char *name)
{
    struct answer a;
    _cleanup_free_ char *body = config_map(name, "a");

    send(w, &a, "POST", MAPS, body);
    assert_false(a.ended);
    let_go(0, NULL);
    wait_for(w, &a);
    assert_int_equal(a.status, 201);
    answer_done(&a);
}

/* The object changes by somebody whom the hook lets through at once. */
static void overtake(struct world *w, const char *path, const char *value)
{
    _cleanup_free_ char *body = xasprintf("{\"metadata\":{\"labels\":{\"quick\":\"%s\"}}}", value);

    yyjson_doc_free(ask_json(w, 200, "PATCH", path, body));
    yyjson_doc_free(
        ask_json(w, 200, "PATCH", path, "{\"metadata\":{\"labels\":{\"inside\":\"1\"}}}"));
}

static void test_later(void **state)
{
    struct world *w = *state;
    struct answer a, other;

    send(w, &a, "POST", MAPS, "{\"metadata\":{\"name\":\"a\"}}");
    assert_false(a.ended);
    /* others are not held up */
    ask(w, &other, "GET", MAPS, "", "");
    assert_int_equal(other.status, 200);
    answer_done(&other);
    let_go(0, NULL);
    wait_for(w, &a);
    assert_int_equal(a.status, 201);
    assert_non_null(strstr(buf_z(&a.body), "\"mutated\":\"yes\""));
    assert_string_equal(a.warning, "299 - \"seen\"");
    answer_done(&a);

    send(w, &a, "POST", MAPS, "{\"metadata\":{\"name\":\"b\"}}");
    let_go(-EPERM, "no");
    assert_true(a.ended);
    assert_int_equal(a.status, 400);
    assert_non_null(strstr(buf_z(&a.body), "denied the request: no"));
    answer_done(&a);

    ask(w, &a, "POST", MAPS, "application/json",
        "{\"metadata\":{\"name\":\"c\",\"labels\":{\"inside\":\"1\"}}}");
    assert_int_equal(a.status, 201);
    answer_done(&a);
}

/* The patch is applied to what came between. */
static void test_overtaken_patch(void **state)
{
    struct world *w = *state;
    struct answer a;

    create(w, "p");
    send(w, &a, "PATCH", MAPS "/p", "{\"data\":{\"mine\":\"1\"},\"metadata\":{\"labels\":null}}");
    overtake(w, MAPS "/p", "1");
    int asked = hook.asked;

    let_go(0, NULL); /* for the old object: it is asked again for the new one */
    assert_false(a.ended);
    assert_int_equal(hook.asked, asked + 1);
    let_go(0, NULL);
    wait_for(w, &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(buf_z(&a.body), "\"mine\":\"1\""));
    assert_non_null(strstr(buf_z(&a.body), "\"a\":\"1\""));
    assert_string_equal(a.warning, "299 - \"seen\""); /* told once */
    answer_done(&a);
}

/* A PUT that names its version conflicts; one that does not is made again from the same body. */
static void test_overtaken_put(void **state)
{
    struct world *w = *state;
    struct answer a;

    create(w, "u");
    _cleanup_jdoc_ yyjson_doc *d = ask_json(w, 200, "GET", MAPS "/u", "");
    _cleanup_free_ char *body =
        xasprintf("{\"metadata\":{\"name\":\"u\",\"resourceVersion\":\"%s\"},\"data\":{}}",
                  jget_str(yyjson_doc_get_root(d), "metadata", "resourceVersion"));

    send(w, &a, "PUT", MAPS "/u", body);
    overtake(w, MAPS "/u", "1");
    let_go(0, NULL);
    wait_for(w, &a);
    assert_int_equal(a.status, 409);
    answer_done(&a);

    send(w, &a, "PUT", MAPS "/u", "{\"metadata\":{\"name\":\"u\"},\"data\":{\"new\":\"1\"}}");
    overtake(w, MAPS "/u", "2");
    let_go(0, NULL);
    let_go(0, NULL);
    wait_for(w, &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(buf_z(&a.body), "\"data\":{\"new\":\"1\"}"));
    answer_done(&a);
}

static void test_overtaken_for_ever(void **state)
{
    struct world *w = *state;
    struct answer a;
    int rounds = 0;

    create(w, "f");
    send(w, &a, "PATCH", MAPS "/f", "{\"data\":{\"mine\":\"1\"},\"metadata\":{\"labels\":null}}");
    for (; !a.ended && rounds < 100; rounds++) {
        char value[16];

        snprintf(value, sizeof(value), "%d", rounds);
        overtake(w, MAPS "/f", value);
        let_go(0, NULL);
    }
    assert_true(a.ended);
    assert_int_equal(a.status, 409);
    assert_in_range(rounds, 2, 20);
    answer_done(&a);
}

/* The object, and its namespace, went meanwhile. */
static void test_gone_meanwhile(void **state)
{
    struct world *w = *state;
    struct answer a;

    create(w, "g");
    send(w, &a, "PATCH", MAPS "/g", "{\"data\":{\"mine\":\"1\"}}");
    yyjson_doc_free(ask_json(w, 200, "DELETE", MAPS "/g", ""));
    let_go(0, NULL);
    wait_for(w, &a);
    assert_int_equal(a.status, 404);
    answer_done(&a);

    yyjson_doc_free(
        ask_json(w, 201, "POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"short\"}}"));
    send(w, &a, "POST", "/api/v1/namespaces/short/configmaps", "{\"metadata\":{\"name\":\"x\"}}");
    yyjson_doc_free(ask_json(w, 200, "DELETE", "/api/v1/namespaces/short", ""));
    let_go(0, NULL);
    wait_for(w, &a);
    assert_int_equal(a.status, 403);
    answer_done(&a);
}

/* The asker leaves, or the server does, while a hook has the request. */
static void test_leaving(void **state)
{
    struct world *w = *state;
    struct answer left, last;
    struct http_exchange *x = ask_as(w, &left, "admin", "system:masters", "POST", MAPS,
                                     "application/json", "{\"metadata\":{\"name\":\"left\"}}");

    http_exchange_gone(x);
    let_go(0, NULL);
    answer_done(&left);
    send(w, &last, "POST", MAPS, "{\"metadata\":{\"name\":\"last\"}}");
    world_close(w);
    assert_false(last.ended);
    let_go(0, NULL);
    assert_true(last.ended);
    assert_int_equal(last.status, 503);
    answer_done(&last);
    world_open(w, &(struct apiserver_opts){0});
    yyjson_doc_free(ask_json(w, 200, "GET", MAPS "/left", ""));
    yyjson_doc_free(ask_json(w, 404, "GET", MAPS "/last", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overtaken_patch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overtaken_put, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overtaken_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leaving, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
