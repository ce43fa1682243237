/* Pods, settings and backends as objects: made on the control's thread, reference-counted. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "dataplane/up/up.h"

#define IDLE_NS (60 * NS_PER_SEC)

static void *new_aligned(size_t n)
{
    void *p = aligned_alloc(DP_CACHE_LINE, (n + DP_CACHE_LINE - 1) / DP_CACHE_LINE * DP_CACHE_LINE);

    if (!p)
        abort();
    memset(p, 0, n);
    return p;
}

struct dp_pod *dp_pod_new(const struct dp_endpoint *ep, int workers)
{
    struct dp_pod *p = new_aligned(sizeof(*p) + (size_t)workers * sizeof(p->w[0]));

    atomic_init(&p->refs, 1);
    atomic_init(&p->idle_limit_ns, IDLE_NS);
    p->ip = xstrdup(ep->ip);
    p->name = xstrdup(ep->pod ? ep->pod : "");
    p->port = ep->port;
    for (int i = 0; i < workers; i++)
        list_init(&p->w[i].idle);
    return p;
}

struct dp_pod *dp_pod_ref(struct dp_pod *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void dp_pod_unref(struct dp_pod *p)
{
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    free(p->ip);
    free(p->name);
    free(p);
}

bool dp_pod_is(const struct dp_pod *p, const struct dp_endpoint *ep)
{
    return p->port == ep->port && streq(p->ip, ep->ip) && streq(p->name, ep->pod ? ep->pod : "");
}

void dp_settings_unref(struct dp_settings *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    for (size_t i = 0; i < s->n_pods; i++)
        dp_pod_unref(s->pods[i]);
    free(s);
}

struct dp_back *dp_back_new(const struct dp_split *key, int workers, struct dp_up *const *ups)
{
    struct dp_back *b = new_aligned(sizeof(*b) + (size_t)workers * sizeof(b->w[0]));

    atomic_init(&b->refs, 1);
    b->ns = xstrdup(key->ns);
    b->service = xstrdup(key->service);
    b->port = key->port;
    b->n_workers = workers;
    for (int i = 0; i < workers; i++) {
        b->w[i].up = ups[i];
        atomic_init(&b->w[i].oldest_ns, INT64_MAX);
        list_init(&b->w[i].waiting);
        list_init(&b->w[i].busy);
    }
    return b;
}

struct dp_back *dp_back_ref(struct dp_back *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void dp_back_unref(struct dp_back *b)
{
    if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
        return;
    dp_settings_unref(b->current);
    for (int i = 0; i < b->n_workers; i++)
        dp_settings_unref(b->w[i].set);
    for (size_t i = 0; i < b->left.n; i++)
        dp_pod_unref(b->left.p[i]);
    vec_done(&b->left);
    free(b->ns);
    free(b->service);
    free(b->revision);
    free(b);
}

/* ---- as a worker sees them ---- */

struct dp_back *dp_back_of(struct dp_back_worker *bw)
{
    return container_of(bw - bw->up->index, struct dp_back, w);
}

const struct dp_settings *dp_back_settings(const struct dp_back *b, const struct dp_up *u)
{
    return b->w[u->index].set;
}

const char *dp_back_revision(const struct dp_back *b, const struct dp_up *u)
{
    return b->w[u->index].was_set ? b->revision : NULL;
}

struct dp_back *dp_back_find(struct dp_up *u, struct str ns, struct str revision)
{
    char key[600];
    int n = snprintf(key, sizeof(key), STR_FMT "/" STR_FMT, STR_ARG(ns), STR_ARG(revision));

    return u->known && n > 0 && n < (int)sizeof(key) ? map_getn(u->known, key, (size_t)n) : NULL;
}
