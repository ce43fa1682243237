/* A manager that is not started, caches filled by hand, and one run of a reconciler. */
#ifndef TEST_WORKLOAD_BENCH_H
#define TEST_WORKLOAD_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cluster/workload/selection.h"
#include "cluster/workload/workload_internal.h"
#include "kube/slices.h"

#define NOW_TEXT "2026-05-01T12:00:00Z"

struct bench {
    struct loop *loop;
    struct kube_client *client;
    struct manager *m;
    struct workload w;
    int64_t now_ns;
    uint64_t rv;
};

static inline void no_server(void *ctx, struct http_exchange *x)
{
    fail_msg("a reconciler asked the server");
}

static inline int bench_set_up(void **state)
{
    struct bench *b = xnew(struct bench);

    b->loop = loop_new(NULL);
    b->client = kube_client_new(
        b->loop, kube_transport_inproc(b->loop, b->loop, no_server, NULL, "system:test"));
    b->m = manager_new(b->loop, b->client, "test");
    b->w.m = b->m;
    clock_rfc3339_parse(NOW_TEXT, &b->now_ns);
    selection_add_indices(manager_cache(b->m, &KR_SERVICE), manager_cache(b->m, &KR_POD));
    slices_add_index(manager_cache(b->m, &KR_ENDPOINTSLICE));
    *state = b;
    return 0;
}

static inline int bench_tear_down(void **state)
{
    struct bench *b = *state;

    manager_free(b->m);
    kube_client_free(b->client);
    loop_free(b->loop);
    free(b);
    return 0;
}

/* Puts an object written in JSON with ' for " (so that tables stay readable); gives it a new
 * version. */
static inline const struct kobj *bench_put(struct bench *b, const struct kube_resource *r,
                                           const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static inline const struct kobj *bench_put(struct bench *b, const struct kube_resource *r,
                                           const char *fmt, ...)
{
    _cleanup_buf_ struct buf text = BUF_INIT(100000);
    struct err e = {0};
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&text, fmt, ap);
    va_end(ap);
    for (char *c = text.p; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    _cleanup_kobj_ const struct kobj *given = kobj_parse(text.p, text.n, &e);
    if (!given)
        fail_msg("%s in %s", e.msg, text.p);
    _cleanup_(kmut_freep) struct kmut *m = kmut_from(given);
    char rv[24];
    snprintf(rv, sizeof(rv), "%llu", (unsigned long long)++b->rv);
    jm_set_str(KM(m), rv, "metadata", "resourceVersion");
    _cleanup_kobj_ const struct kobj *o = kmut_freeze(m);
    cache_put(manager_cache(b->m, r), o);
    return cache_get(manager_cache(b->m, r), kobj_namespace(o), kobj_name(o));
}

static inline struct plan *bench_run(struct bench *b, reconcile_fn *fn, const struct kobj *obj)
{
    _cleanup_free_ char *key = kobj_key(obj);
    struct reconcile_ctx rc = {.m = b->m,
                               .key = key,
                               .ns = kobj_namespace(obj),
                               .name = kobj_name(obj),
                               .obj = obj,
                               .now_ns = b->now_ns};
    struct plan *p = plan_new();

    fn(&b->w, &rc, p);
    return p;
}

/* One line for a plan: "create pods, delete pods/ns/name, status deployments". Creates are counted.
 */
static inline char *bench_summary(const struct plan *p)
{
    static const char *const ops[] = {"create", "update", "status", "patch", "delete", "event"};
    struct buf b = BUF_INIT(10000);

    for (size_t i = 0, n = 1; i < plan_len(p); i += n, n = 1) {
        const struct plan_entry *en = plan_at(p, i);
        while (en->op == PLAN_CREATE && i + n < plan_len(p) && plan_at(p, i + n)->op == PLAN_CREATE)
            n++;
        buf_addf(&b, "%s%s %s", i ? ", " : "", ops[en->op],
                 en->op == PLAN_EVENT ? en->reason : en->res->plural);
        if (n > 1)
            buf_addf(&b, " x%zu", n);
        if (en->op == PLAN_DELETE)
            buf_addf(&b, "/%s", en->name);
    }
    return buf_steal(&b, NULL);
}

static inline char *bench_json(const yyjson_mut_val *v)
{
    char *text = json_mut_text(v, NULL);

    for (char *c = text; *c; c++)
        *c = *c == '"' ? '\'' : *c;
    return text;
}

#define BENCH_TEST(fn) cmocka_unit_test_setup_teardown(fn, bench_set_up, bench_tear_down)

#endif
