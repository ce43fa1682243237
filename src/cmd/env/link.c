/*
 * A read-write lock per link: calls share it, offering and withdrawing take it alone. Calls through
 * links are rare (some a second), so the lock costs nothing that could be measured.
 */
#include "cmd/env/link.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>

void env_link_init(struct env_link *l)
{
    pthread_rwlock_init(&l->lock, NULL);
    l->ops = NULL;
    l->ctx = NULL;
}

void env_link_done(struct env_link *l)
{
    assert(!l->ops);
    pthread_rwlock_destroy(&l->lock);
}

static void set(struct env_link *l, const void *ops, void *ctx)
{
    pthread_rwlock_wrlock(&l->lock);
    l->ops = ops;
    l->ctx = ctx;
    pthread_rwlock_unlock(&l->lock);
}

void env_link_offer(struct env_link *l, const void *ops, void *ctx)
{
    assert(ops && !l->ops);
    set(l, ops, ctx);
}

void env_link_withdraw(struct env_link *l)
{
    set(l, NULL, NULL);
}

/* The table that is offered, or NULL; the link stays as it is until let_go. */
static const void *take(struct env_link *l)
{
    pthread_rwlock_rdlock(&l->lock);
    return l->ops;
}

static void let_go(struct env_link *l)
{
    pthread_rwlock_unlock(&l->lock);
}

struct kube_client *env_client(struct env_link *l, struct loop *loop, const char *user)
{
    const struct env_client_ops *ops = take(l);
    struct kube_client *c = ops ? ops->client(l->ctx, loop, user) : NULL;

    let_go(l);
    return c;
}

void env_arrived(struct env_link *l, const char *ns, const char *revision)
{
    const struct env_arrival_ops *ops = take(l);

    if (ops)
        ops->arrived(l->ctx, ns, revision);
    let_go(l);
}

void env_collect(struct env_link *l, struct loop *loop, env_traffic_fn *fn, void *to)
{
    const struct env_traffic_ops *ops = take(l);

    if (ops)
        ops->collect(l->ctx, loop, fn, to);
    let_go(l);
}

uint64_t env_in_flight(struct env_link *l, const char *ns, const char *revision, const char *ip)
{
    const struct env_traffic_ops *ops = take(l);
    uint64_t n = ops ? ops->in_flight(l->ctx, ns, revision, ip) : 0;

    let_go(l);
    return n;
}

/* ---- pods ---- */

static void refuse(struct http_exchange *x, bool anybody, const char *what)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
                     "\"Failure\",\"message\":\"%s: %s\",\"reason\":\"%s\",\"details\":{},"
                     "\"code\":%d}\n",
                     what,
                     anybody ? "the node does not offer this"
                             : "no node runs pods at the moment; try again",
                     anybody ? "NotImplemented" : "ServiceUnavailable", anybody ? 501 : 503);

    http_reply(x, anybody ? 501 : 503, "application/json", text, (size_t)n);
}

#define FORWARD(op)                                                                                \
    static void op(void *ctx, struct http_exchange *x, const struct kubelet_##op *o)               \
    {                                                                                              \
        struct env_link *l = ctx;                                                                  \
        const struct kubelet_ops *ops = take(l);                                                   \
                                                                                                   \
        if (ops && ops->op)                                                                        \
            ops->op(l->ctx, x, o);                                                                 \
        else                                                                                       \
            refuse(x, ops, #op);                                                                   \
        let_go(l);                                                                                 \
    }
FORWARD(logs)
FORWARD(exec)
FORWARD(attach)
FORWARD(port_forward)

const struct kubelet_ops env_kubelet_ops = {logs, exec, attach, port_forward};
