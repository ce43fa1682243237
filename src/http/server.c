/*
 * The server: connections accepted, counted and shut down. What happens on one of them is in
 * session.c.
 */
#include "http/server.h"

#include "base/clock.h"
#include "base/limits.h"
#include "http/session.h"

#define HEAD_TIMEOUT_MS 15000
#define IDLE_TIMEOUT_MS 120000

static void on_conn(void *ctx, struct conn *c)
{
    http_server_adopt(ctx, c);
}

struct http_server *http_server_new(struct loop *l, const struct http_server_opts *o, struct err *e)
{
    struct http_server *s = xnew(struct http_server);

    s->loop = l;
    s->o = *o;
    s->o.max_body = o->max_body ? o->max_body : LIMIT_API_BODY;
    s->o.max_connections = o->max_connections ? o->max_connections : LIMIT_HTTP_CONNECTIONS;
    s->o.head_timeout_ms = o->head_timeout_ms ? o->head_timeout_ms : HEAD_TIMEOUT_MS;
    s->o.idle_timeout_ms = o->idle_timeout_ms ? o->idle_timeout_ms : IDLE_TIMEOUT_MS;
    list_init(&s->sessions);
    s->listener = listener_new(l, &o->listen, on_conn, s, e);
    if (s->listener)
        return s;
    free(s);
    return NULL;
}

int http_server_port(const struct http_server *s)
{
    return listener_port(s->listener);
}

void http_server_adopt(struct http_server *s, struct conn *c)
{
    if (s->stopping || s->n_sessions >= s->o.max_connections)
        conn_close(c);
    else
        session_new(s, c);
}

static void finish(void *arg)
{
    struct http_server *s = arg;
    void (*done)(void *ctx) = s->done;
    void *ctx = s->done_ctx;

    timer_free(s->grace);
    free(s);
    if (done)
        done(ctx);
}

static void finish_if_empty(struct http_server *s)
{
    if (!s->stopping || s->n_sessions > 0 || s->finishing)
        return;
    s->finishing = true;
    loop_defer(s->loop, finish, s);
}

void http_server_session_gone(struct http_server *s)
{
    s->n_sessions--;
    finish_if_empty(s);
}

static void grace_over(void *ctx)
{
    struct http_server *s = ctx;

    list_for_each_safe(it, &s->sessions) session_abort(list_entry(it, struct http_session, link));
}

void http_server_shutdown(struct http_server *s, uint64_t grace_ms, void (*done)(void *ctx),
                          void *ctx)
{
    s->stopping = true;
    s->done = done;
    s->done_ctx = ctx;
    listener_free(s->listener);
    s->listener = NULL;
    s->grace = timer_new(s->loop, grace_over, s);
    timer_start(s->grace, grace_ms);
    list_for_each_safe(it, &s->sessions)
        session_close_if_idle(list_entry(it, struct http_session, link));
    finish_if_empty(s);
}

const char *http_server_date(struct http_server *s)
{
    int64_t now = loop_now_ns(s->loop) / NS_PER_SEC;

    if (now != s->date_second || !s->date[0]) {
        time_t wall = (time_t)(loop_wall_ns(s->loop) / NS_PER_SEC);
        struct tm tm;
        strftime(s->date, sizeof(s->date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&wall, &tm));
        s->date_second = now;
    }
    return s->date;
}
