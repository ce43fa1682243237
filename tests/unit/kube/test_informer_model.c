/*
 * The model of an informer is the server itself: whatever was written while lists were paged,
 * watches cut or dead, and histories forgotten, at rest the cache holds what the server holds, and
 * the changes it told lead there one by one. Random, from a printed seed (NONAGON_TEST_SEED runs
 * that one again); over a fake server whose pages are snapshots, over one whose pages are not, and
 * over the real API server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/map.h"
#include "cluster/apiserver/apiserver.h"
#include "fake_api.h"
#include "flaky.h"
#include "kube/reflector.h"

#define NAMES  30
#define STEPS  250
#define PAGE   4
#define ROUNDS 15

struct world;
struct backend {
    const char *name;
    int rounds;
    void (*open)(struct world *w);
    void (*close)(struct world *w);
    void (*forget)(struct world *w); /* who resumes gets 410 */
    void (*go_back)(struct world *w);
};

struct world {
    const struct backend *b;
    struct loop *loop;
    struct fake_api *fake;
    struct store *store;
    struct apiserver *server;
    char dir[32];
    http_handler_fn *handler;
    void *handler_ctx;

    struct kube_client *writer, *reader;
    struct kube_transport *flaky;
    struct cache *cache;
    struct reflector *reflector;
    struct map *told; /* name -> kobj, as the changes said */

    uint64_t random, epoch;
    int steps, in_flight;
    struct timer *tick;
    int64_t deadline;
    bool asking, equal, ready;
    char difference[200];
    VEC(struct kobj *) answers; /* of own writes, learned some time later */
};

static uint64_t roll(struct world *w, uint64_t n)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random >> 11) % n;
}

/* ---- servers ---- */
static void fake_open(struct world *w)
{
    w->fake = fake_api_new();
    w->epoch = 1ull << 60;
    fake_api_set_version(w->fake, w->epoch);
    w->handler = fake_api_handle;
    w->handler_ctx = w->fake;
}

static void fake_open_snapshots(struct world *w)
{
    fake_open(w);
    fake_api_keep_snapshots(w->fake);
}

static void fake_close(struct world *w)
{
    fake_api_free(w->fake);
}

static void fake_forget(struct world *w)
{
    fake_api_compact(w->fake);
}

/* Far back: a server that has caught up meanwhile could not be told from one that never went. */
static void fake_go_back(struct world *w)
{
    w->epoch /= 2;
    fake_api_set_version(w->fake, w->epoch);
}

static void on_ready(void *ctx, const struct err *why)
{
    struct world *w = ctx;

    assert_null(why);
    w->ready = true;
    loop_stop(w->loop);
}

static void real_open(struct world *w)
{
    struct err e = {0};

    strcpy(w->dir, "/tmp/informer-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    _cleanup_free_ char *path = xasprintf("%s/db", w->dir);
    w->store = store_open(w->loop, &(struct store_opts){.path = path}, &e);
    assert_non_null(w->store);
    w->server = apiserver_new(w->loop, &(struct apiserver_opts){.store = w->store}, &e);
    assert_non_null(w->server);
    apiserver_on_ready(w->server, on_ready, w);
    if (!w->ready)
        loop_run(w->loop);
    w->handler = apiserver_handle;
    w->handler_ctx = w->server;
}

static void real_close(struct world *w)
{
    static const char *const files[] = {"db", "db-wal", "db-shm"};

    apiserver_free(w->server);
    store_close(w->store);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", w->dir, files[i]);
        unlink(path);
    }
    _cleanup_free_ char *command = xasprintf("rm -rf %s", w->dir);
    assert_int_equal(system(command), 0);
}

static void wrote(void *ctx, const struct kube_status *st, struct str body)
{
    struct world *w = ctx;

    w->in_flight--;
}

/* The history is bounded in bytes: one kind's large objects push the others out, or themselves. */
static void real_forget(struct world *w)
{
    for (int i = 0; i < 6; i++) {
        _cleanup_free_ char *fill = xcalloc(1, 1000001);
        memset(fill, 'x', 1000000);
        _cleanup_free_ char *text =
            xasprintf("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
                      "\"large\",\"namespace\":\"default\"},\"data\":{\"v\":\"%d%s\"}}",
                      i, fill);
        w->in_flight += 2;
        kube_do(w->writer,
                &(struct kube_request){
                    .verb = KUBE_DELETE, .res = &KR_CONFIGMAP, .ns = "default", .name = "large"},
                wrote, w);
        kube_do(
            w->writer,
            &(struct kube_request){
                .verb = KUBE_CREATE, .res = &KR_CONFIGMAP, .ns = "default", .body = str_of(text)},
            wrote, w);
    }
}

static const struct backend backends[] = {
    {"fake", ROUNDS, fake_open, fake_close, fake_forget, fake_go_back},
    {"fake with snapshots", ROUNDS, fake_open_snapshots, fake_close, fake_forget, fake_go_back},
    {"API server", 2, real_open, real_close, real_forget, NULL},
};

/* ---- the cache under test ---- */
static void on_change(void *ctx, const struct kobj *before, const struct kobj *after)
{
    struct world *w = ctx;
    const char *name = kobj_name(after ? after : before);
    const struct kobj *last = map_get(w->told, name);

    assert_true(before || after);
    assert_ptr_equal(before, last); /* nothing was left out */
    if (after)
        map_set(w->told, name, kobj_ref(after));
    else
        map_del(w->told, name);
}

static void on_synced(void *ctx)
{
}

static void on_trouble(void *ctx, const struct kube_status *st)
{
}

static void unref(void *o)
{
    kobj_unref(o);
}

/* ---- random writes ---- */
static void on_answer(void *ctx, const struct kube_status *st, struct str body)
{
    struct world *w = ctx;
    struct kobj *o = st->err.code ? NULL : kobj_parse(body.p, body.n, NULL);

    w->in_flight--;
    if (o && streq(kobj_kind(o), "ConfigMap"))
        vec_push(&w->answers, o);
    else
        kobj_unref(o);
}

static void write_one(struct world *w)
{
    char name[16];
    uint64_t what = roll(w, 10);

    snprintf(name, sizeof(name), "c%02d", (int)roll(w, NAMES));
    _cleanup_free_ char *text =
        xasprintf("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\","
                  "\"namespace\":\"default\"},\"data\":{\"v\":\"%d\"}}",
                  name, w->steps);
    w->in_flight++;
    kube_do(w->writer,
            &(struct kube_request){.verb = what < 4   ? KUBE_CREATE
                                           : what < 7 ? KUBE_PATCH_MERGE
                                                      : KUBE_DELETE,
                                   .res = &KR_CONFIGMAP,
                                   .ns = "default",
                                   .name = name,
                                   .body = what < 7 ? str_of(text) : STR("")},
            what < 7 ? on_answer : wrote, w);
}

static void learn_one(struct world *w)
{
    size_t at = roll(w, w->answers.n);
    struct kobj *o = w->answers.p[at];

    if (cache_len(w->cache)) /* as managers do: not before the first list */
        reflector_learn(w->reflector, o);
    kobj_unref(o);
    vec_remove(&w->answers, at);
}

static void drop_answers(struct world *w)
{
    for (size_t i = 0; i < w->answers.n; i++)
        kobj_unref(w->answers.p[i]);
    vec_done(&w->answers);
}

static void disturb(struct world *w)
{
    uint64_t what = roll(w, 80);

    if (what < 3)
        flaky_cut(w->flaky);
    else if (what == 3)
        flaky_freeze(w->flaky);
    else if (what < 6)
        w->b->forget(w);
    else if (what == 6 && w->b->go_back && w->in_flight == 0) {
        drop_answers(w); /* they are of another time */
        w->b->go_back(w);
    }
}

/* ---- at rest ---- */
static bool same(struct world *w, yyjson_val *items)
{
    yyjson_val *item;
    size_t i, max;

    snprintf(w->difference, sizeof(w->difference), "%zu cached, %zu told, %zu at the server",
             cache_len(w->cache), map_len(w->told), yyjson_arr_size(items));
    if (cache_len(w->cache) != yyjson_arr_size(items) || map_len(w->told) != yyjson_arr_size(items))
        return false;
    yyjson_arr_foreach(items, i, max, item)
    {
        _cleanup_kobj_ const struct kobj *o = kobj_from_val(item);
        const struct kobj *mine = cache_get(w->cache, kobj_namespace(o), kobj_name(o));
        snprintf(w->difference, sizeof(w->difference), "%s: version %llu, the server has %llu",
                 kobj_name(o), (unsigned long long)kobj_rv(mine), (unsigned long long)kobj_rv(o));
        if (kobj_rv(mine) != kobj_rv(o) || mine != map_get(w->told, kobj_name(o)))
            return false;
    }
    return true;
}

static void on_truth(void *ctx, const struct kube_status *st, struct str body)
{
    struct world *w = ctx;
    _cleanup_jdoc_ yyjson_doc *d = json_parse(body.p, body.n, NULL);

    assert_non_null(d);
    w->asking = false;
    w->equal = same(w, jget(yyjson_doc_get_root(d), "items"));
}

static void ask_truth(struct world *w)
{
    w->asking = true;
    kube_do(w->reader, &(struct kube_request){.verb = KUBE_LIST, .res = &KR_CONFIGMAP}, on_truth,
            w);
}

static void on_tick(void *ctx)
{
    struct world *w = ctx;

    timer_start(w->tick, w->steps > 0 ? roll(w, 3) : 1);
    if (w->steps > 0) {
        w->steps--;
        for (uint64_t n = roll(w, 3); n > 0; n--)
            write_one(w);
        disturb(w);
        if (w->answers.n && roll(w, 3) == 0)
            learn_one(w);
        w->deadline = clock_mono_ns() + 20 * NS_PER_SEC;
        return;
    }
    while (w->answers.n)
        learn_one(w);
    if (w->in_flight == 0 && w->equal)
        loop_stop(w->loop);
    else if (clock_mono_ns() > w->deadline)
        loop_stop(w->loop);
    else if (!w->asking && w->in_flight == 0)
        ask_truth(w);
}

/* ---- one round ---- */
static struct kube_transport *in_process(struct world *w)
{
    return kube_transport_inproc(w->loop, w->loop, w->handler, w->handler_ctx, "system:test");
}

static void round_open(struct world *w, const struct backend *b, uint64_t seed)
{
    *w = (struct world){.b = b, .random = seed * 2654435761u + 88172645463325252u};
    w->steps = STEPS;
    w->loop = loop_new(NULL);
    b->open(w);
    w->writer = kube_client_new(w->loop, in_process(w));
    w->flaky = flaky_new(w->loop, in_process(w), 3);
    w->reader = kube_client_new(w->loop, w->flaky);
    w->cache = cache_new(&KR_CONFIGMAP);
    w->told = map_new(unref);
    w->reflector = reflector_new(&(struct reflector_opts){.client = w->reader,
                                                          .res = &KR_CONFIGMAP,
                                                          .cache = w->cache,
                                                          .on_change = on_change,
                                                          .on_synced = on_synced,
                                                          .on_trouble = on_trouble,
                                                          .ctx = w,
                                                          .page = PAGE,
                                                          .watch_ms = 40,
                                                          .grace_ms = 10});
    w->tick = timer_new(w->loop, on_tick, w);
}

static void round_close(struct world *w)
{
    timer_free(w->tick);
    reflector_free(w->reflector);
    kube_client_free(w->reader);
    kube_client_free(w->writer);
    w->b->close(w);
    drop_answers(w);
    map_free(w->told);
    cache_free(w->cache);
    loop_free(w->loop);
}

static void play(const struct backend *b, uint64_t seed)
{
    struct world w;

    round_open(&w, b, seed);
    for (int i = 0; i < 3 * PAGE; i++)
        write_one(&w);
    reflector_start(w.reflector);
    timer_start(w.tick, 0);
    loop_run(w.loop);
    if (!w.equal)
        fail_msg("%s, seed %llu: %s", b->name, (unsigned long long)seed, w.difference);
    round_close(&w);
}

static void rounds(const struct backend *b)
{
    const char *given = getenv("NONAGON_TEST_SEED");
    uint64_t first = given ? strtoull(given, NULL, 10) : (uint64_t)clock_wall_ns() / 1000;

    print_message("%s: seeds from %llu\n", b->name, (unsigned long long)first);
    for (int i = 0; i < (given ? 1 : b->rounds); i++)
        play(b, first + (uint64_t)i);
}

static void test_fake(void **state)
{
    rounds(&backends[0]);
}

static void test_fake_with_snapshots(void **state)
{
    rounds(&backends[1]);
}

static void test_api_server(void **state)
{
    rounds(&backends[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fake),
        cmocka_unit_test(test_fake_with_snapshots),
        cmocka_unit_test(test_api_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
