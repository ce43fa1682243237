/*
 * The server: connections accepted, counted and shut down. What happens on one of them is in
 * session.c.
 */
#include "http/server.h"

#include "base/clock.h"
#include "http/session.h"
#include "net/trimmer.h"

#define HEAD_TIMEOUT_MS 15000
#define IDLE_TIMEOUT_MS 120000
#define BODY_GRACE_MS   20000
#define BODY_RATE       4096

static void on_conn(void *ctx, struct conn *c)
{
    http_server_adopt(ctx, c);
}

static void or_else(size_t *value, size_t instead)
{
    *value = *value ? *value : instead;
}

static void fill_in(struct http_server_opts *o)
{
    or_else(&o->max_body, LIMIT_HTTP_BODY);
    or_else(&o->max_connections, LIMIT_HTTP_CONNECTIONS);
    or_else(&o->max_held, LIMIT_HTTP_HELD);
    or_else(&o->head_timeout_ms, HEAD_TIMEOUT_MS);
    or_else(&o->idle_timeout_ms, IDLE_TIMEOUT_MS);
    or_else(&o->body_grace_ms, BODY_GRACE_MS);
    or_else(&o->body_rate, BODY_RATE);
}

/* Of strangers anybody who is not being answered right now may go, of the others who is idle. */
static bool may_go(const struct http_session *k)
{
    return k->known ? session_is_idle(k) : !k->exchange;
}

static bool drop_one(struct list *sessions)
{
    list_for_each(it, sessions)
    {
        struct http_session *k = list_entry(it, struct http_session, link);
        if (may_go(k)) {
            session_abort(k);
            return true;
        }
    }
    return false;
}

static bool make_room(void *ctx)
{
    struct http_server *s = ctx;

    return drop_one(&s->strangers) || drop_one(&s->known);
}

struct http_server *http_server_new(struct loop *l, const struct http_server_opts *o, struct err *e)
{
    struct http_server *s = xnew(struct http_server);
    struct listen_opts lo = o->listen;

    s->loop = l;
    s->o = *o;
    fill_in(&s->o);
    list_init(&s->strangers);
    list_init(&s->known);
    lo.max_connections = s->o.max_connections;
    lo.make_room = make_room;
    if (lo.fd_class == FD_UNCOUNTED)
        lo.fd_class = FD_CONTROL;
    s->listener = listener_new(l, &lo, on_conn, s, e);
    if (!s->listener) {
        free(s);
        return NULL;
    }
    s->trimmer = trimmer_new(l);
    return s;
}

int http_server_port(const struct http_server *s)
{
    return listener_port(s->listener);
}

void http_server_adopt(struct http_server *s, struct conn *c)
{
    if (s->stopping || (s->n_sessions >= s->o.max_connections && !make_room(s)))
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
    trimmer_free(s->trimmer);
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

static void each_session(struct http_server *s, void (*fn)(struct http_session *k))
{
    list_for_each_safe(it, &s->strangers) fn(list_entry(it, struct http_session, link));
    list_for_each_safe(it, &s->known) fn(list_entry(it, struct http_session, link));
}

static void grace_over(void *ctx)
{
    struct http_server *s = ctx;

    each_session(s, session_abort);
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
    each_session(s, session_close_if_idle);
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
