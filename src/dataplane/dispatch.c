/* From a routed request to a connection: a pod with a free slot, an idle or a new connection, or
 * the queue. */
#include <stdio.h>

#include "base/clock.h"
#include "dataplane/dp.h"
#include "dataplane/routing.h"

#define RETRY_FOR_NS (10 * NS_PER_SEC)

void client_dispatch(struct client *c)
{
    struct worker *w = c->worker;
    struct backend *b = c->backend;

    if (!c->pod) {
        struct pod *p = backend_pick(w, b, c->failed_pod);
        if (p)
            c->pod = pod_ref(p);
    }
    if (c->pod) {
        struct upstream *u = upstream_take(w, c->pod);
        if (u)
            client_activate(c, u);
        else
            upstream_connect(c);
        return;
    }
    c->state = CLIENT_WAIT;
    if (!backend_wait(w, b, c))
        routing_refuse_full(c);
    else
        backend_serve(w, b); /* a slot may have come free just before the bit was set */
}

void client_activate(struct client *c, struct upstream *u)
{
    c->up = u;
    u->client = c;
    u->got_bytes = u->final_head = u->complete = u->switched = false;
    c->state = CLIENT_ACTIVE;
    if (c->is_head)
        h1_expect_head(u->parser);
    if (c->feeding)
        return; /* goes out with the body that may be in this very read */
    struct iovec iov[2] = {{c->up_head.p, c->up_head.n}, {c->up_body.p, c->up_body.n}};
    c->head_unsent = false;
    if (!u->reused)
        c->body_lost = true;
    ssize_t left = conn_write(u->conn, iov, c->up_body.n ? 2 : 1);
    if (c->body_lost)
        buf_done(&c->up_body);
    if (left <= LIMIT_CONN_OUT)
        client_resume(c);
}

void client_connect_failed(struct client *c, const struct err *why)
{
    const struct settings *s = backend_settings(c->backend, c->worker);
    int64_t now = loop_now_ns(c->worker->loop);
    struct pod *p = steal(&c->pod);
    char body[ERR_MSG_MAX + 2];

    backend_release(c->worker, c->backend, p);
    c->failed_pod = p; /* only compared */
    pod_unref(p);
    if (c->first_failure_ns == 0)
        c->first_failure_ns = now;
    c->attempts++;
    if (now - c->first_failure_ns > RETRY_FOR_NS) {
        snprintf(body, sizeof(body), "%s\n", why->msg);
        client_reply(c, 503, "Retry-After: 1\r\n", body);
        return;
    }
    c->state = CLIENT_WAIT;
    /* Another pod at once; the same ones after a pause, which new endpoints end. */
    if (s && c->attempts < s->n_pods)
        c->retry_ns = 0;
    else
        c->retry_ns = now + (10LL << (c->attempts < 6 ? c->attempts : 6)) * NS_PER_MS;
    if (!backend_wait(c->worker, c->backend, c)) {
        routing_refuse_full(c);
        return;
    }
    client_arm(c);
    backend_serve(c->worker, c->backend);
}
