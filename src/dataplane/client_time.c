/*
 * The limits of a client connection. One timer serves all of them: it is only ever moved to an
 * earlier time and looks again when it fires, so a request usually sets none.
 */
#include "base/clock.h"
#include "dataplane/dp.h"

#define HEAD_NS       (60 * NS_PER_SEC)
#define KEEP_ALIVE_NS (120 * NS_PER_SEC)

static int64_t sooner(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static int64_t request_due(const struct client *c)
{
    const struct settings *s = backend_settings(c->backend, c->worker);
    uint64_t total = s ? s->timeout_ms : DEFAULT_TIMEOUT;
    int64_t due = total ? c->started_ns + (int64_t)total * NS_PER_MS : 0;

    if (s && s->response_start_ms && !c->response_started)
        due = sooner(due, c->started_ns + (int64_t)s->response_start_ms * NS_PER_MS);
    if (s && s->idle_ms)
        due = sooner(due, c->active_ns + (int64_t)s->idle_ms * NS_PER_MS);
    return due;
}

static int64_t next_due(const struct client *c)
{
    if (c->state == CLIENT_IDLE || !c->backend)
        return c->active_ns + (h1_idle(c->parser) ? KEEP_ALIVE_NS : HEAD_NS);
    return sooner(request_due(c), c->in_queue ? c->retry_ns : 0);
}

void client_arm(struct client *c)
{
    int64_t due = next_due(c);

    if (due == 0 || (c->timer_due_ns != 0 && c->timer_due_ns <= due))
        return;
    int64_t left = due - loop_now_ns(c->worker->loop);
    c->timer_due_ns = due;
    timer_start(c->timer, left > 0 ? (uint64_t)((left + NS_PER_MS - 1) / NS_PER_MS) : 0);
}

static void idle_over(struct client *c)
{
    static const char late[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                               "Content-Length: 0\r\n\r\n";

    if (!h1_idle(c->parser) && !c->response_done)
        conn_write1(c->conn, late, sizeof(late) - 1);
    client_close(c, conn_close_flush);
}

void client_on_timer(void *ctx)
{
    struct client *c = ctx;
    int64_t now = loop_now_ns(c->worker->loop);

    c->timer_due_ns = 0;
    if (next_due(c) == 0 || now < next_due(c))
        client_arm(c);
    else if (c->state == CLIENT_IDLE || !c->backend)
        idle_over(c);
    else if (request_due(c) != 0 && now >= request_due(c))
        client_reply(c, 504, NULL, "request timeout");
    else
        backend_serve(c->worker, c->backend);
}
