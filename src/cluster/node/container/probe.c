/*
 * The kinds of attempt are a table of start functions; each ends in attempt_done, or is cancelled.
 * In the eager phase failures count at most once per period, so thresholds mean the same with and
 * without it.
 */
#include "cluster/node/container/probe.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"

#define EAGER_MAX_MS   100
#define EAGER_PHASE_MS 10000
#define EAGER_SHARE    20
#define USER_AGENT     "kube-probe/1.32"

struct probe {
    struct loop *loop;
    struct probe_opts o;
    char ip[64];
    struct probe_timing timing;
    const struct handler *handler;
    const yyjson_val *action;
    struct timer *timer;
    int64_t first_ns, counted_ns; /* first attempt; last counted failure */
    int successes, failures;
    bool succeeded, known, ok;
    /* the attempt that runs */
    struct http_running *call;
    struct connecting *connecting;
    struct proc *exec;
};

struct handler {
    const char *name;
    void (*start)(struct probe *p);
};

/* ---- timing ---- */
static int64_t seconds_ms(const yyjson_val *spec, const char *name, int64_t def)
{
    int64_t v = jget_int(spec, def, name);
    return (v < 0 ? def : v > 86400 ? 86400 : v) * 1000;
}

void probe_timing_read(const yyjson_val *spec, enum probe_kind kind, struct probe_timing *ret)
{
    int64_t period = seconds_ms(spec, "periodSeconds", 10);
    *ret = (struct probe_timing){
        .initial_delay_ms = seconds_ms(spec, "initialDelaySeconds", 0),
        .period_ms = period,
        .timeout_ms = seconds_ms(spec, "timeoutSeconds", 1),
        .success_threshold = (int)jget_int(spec, 1, "successThreshold"),
        .failure_threshold = (int)jget_int(spec, 3, "failureThreshold"),
    };
    ret->eager = kind != PROBE_LIVENESS && ret->initial_delay_ms == 0;
    if (ret->period_ms < 1)
        ret->period_ms = 1000;
    if (ret->timeout_ms < 1)
        ret->timeout_ms = 1000;
    /* A container is not judged dead in its first moments. */
    if (kind == PROBE_LIVENESS && ret->initial_delay_ms < ret->period_ms)
        ret->initial_delay_ms = ret->period_ms;
    if (ret->success_threshold < 1)
        ret->success_threshold = 1;
    if (ret->failure_threshold < 1)
        ret->failure_threshold = 3;
}

int64_t probe_eager_delay_ms(const struct probe_timing *t, int64_t elapsed_ms)
{
    if (elapsed_ms >= EAGER_PHASE_MS)
        return t->period_ms;
    int64_t delay = elapsed_ms / EAGER_SHARE;
    return delay < 1 ? 1 : delay > EAGER_MAX_MS ? EAGER_MAX_MS : delay;
}

static int64_t next_delay(const struct probe *p)
{
    if (!p->timing.eager || p->succeeded)
        return p->succeeded && p->successes < p->timing.success_threshold ? 1 : p->timing.period_ms;
    return probe_eager_delay_ms(&p->timing, (clock_mono_ns() - p->first_ns) / NS_PER_MS);
}

/* ---- verdict ---- */
static void tell(struct probe *p, bool ok, const char *message)
{
    if (p->known && p->ok == ok)
        return;
    p->known = true;
    p->ok = ok;
    p->o.verdict(p->o.ctx, p->o.kind, ok, message); /* p may be gone */
}

static void count_failure(struct probe *p)
{
    int64_t now = clock_mono_ns();
    bool counts = !p->timing.eager || p->succeeded || !p->counted_ns ||
                  now - p->counted_ns >= p->timing.period_ms * NS_PER_MS;
    p->successes = 0;
    if (!counts)
        return;
    p->counted_ns = now;
    p->failures++;
}

static void attempt_done(struct probe *p, bool ok, const char *message)
{
    p->call = NULL;
    p->connecting = NULL;
    p->exec = NULL;
    if (ok) {
        p->succeeded = true;
        p->failures = 0;
        p->successes++;
    } else {
        count_failure(p);
    }
    timer_start(p->timer, (uint64_t)next_delay(p));
    if (ok && p->successes >= p->timing.success_threshold)
        tell(p, true, "");
    else if (!ok && p->failures >= p->timing.failure_threshold)
        tell(p, false, message);
}

/* ---- ports ---- */
static int port_named(const yyjson_val *container, const char *name)
{
    size_t i, max;
    yyjson_val *port;
    yyjson_arr_foreach(jget(container, "ports"), i, max, port)
    {
        if (!name || streq(jget_str(port, "name"), name))
            return (int)jget_int(port, 0, "containerPort");
    }
    return 0;
}

/* A number, a name, or (absent or 0) the container's first port. */
static int port_of(const struct probe *p)
{
    yyjson_val *v = jget(p->action, "port");
    if (yyjson_is_str(v))
        return port_named(p->o.container, yyjson_get_str(v));
    int64_t n = jget_int(p->action, 0, "port");
    return n > 0 && n < 65536 ? (int)n : port_named(p->o.container, NULL);
}

static const char *host_of(const struct probe *p)
{
    const char *host = jget_str(p->action, "host");
    return host && *host ? host : p->ip;
}

/* ---- httpGet ---- */
static void http_done(void *ctx, const struct err *err, int status, struct str body)
{
    struct probe *p = ctx;
    char message[512];
    bool ok = !err && status >= 200 && status < 400;
    if (err)
        snprintf(message, sizeof message, "%.500s", err->msg);
    else
        snprintf(message, sizeof message, "HTTP probe failed with statuscode: %d", status);
    attempt_done(p, ok, message);
}

/* Fields of the probe win over ours; Host among them is passed on like any other. */
static void add_headers(const struct probe *p, struct http_headers *hs)
{
    size_t i, max;
    yyjson_val *h;
    yyjson_arr_foreach(jget(p->action, "httpHeaders"), i, max, h)
    {
        const char *name = jget_str(h, "name"), *value = jget_str(h, "value");
        if (name)
            http_add(hs, str_of(name), str_of(value ? value : ""));
    }
    if (!http_get(hs, "User-Agent").p)
        http_add(hs, STR("User-Agent"), STR(USER_AGENT));
    if (!http_get(hs, "Accept").p)
        http_add(hs, STR("Accept"), STR("*/*"));
}

static void start_http(struct probe *p)
{
    static const struct http_call_events events = {.on_done = http_done};
    struct http_call *call = xnew(struct http_call);
    const char *path = jget_str(p->action, "path");
    bool tls = streq(jget_str(p->action, "scheme"), "HTTPS");
    _cleanup_free_ char *full =
        xasprintf("%s%s", path && *path == '/' ? "" : "/", path ? path : "");
    call->target = (struct connect_opts){.host = host_of(p),
                                         .port = port_of(p),
                                         .tls = tls ? p->o.tls : NULL,
                                         .timeout_ms = (uint64_t)p->timing.timeout_ms};
    call->method = STR("GET");
    call->path = str_of(full);
    add_headers(p, &call->headers);
    call->timeout_ms = (uint64_t)p->timing.timeout_ms;
    call->max_body = 64 * 1024;
    call->no_pool = true;
    p->call = http_client_call(p->o.http, call, &events, p);
    free(call);
}

/* ---- tcpSocket ---- */
static void tcp_done(void *ctx, struct conn *c, const struct err *why)
{
    if (c)
        conn_close(c);
    attempt_done(ctx, c != NULL, c ? "" : why->msg);
}

static void start_tcp(struct probe *p)
{
    struct connect_opts o = {
        .host = host_of(p), .port = port_of(p), .timeout_ms = (uint64_t)p->timing.timeout_ms};
    p->connecting = conn_connect(p->loop, &o, tcp_done, p);
}

/* ---- exec ---- */
static void exec_done(void *ctx, const struct proc_result *r)
{
    bool ok = !r->err.code && r->exit_code == 0;
    attempt_done(ctx, ok, r->err.code ? r->err.msg : r->out);
}

static void start_exec(struct probe *p)
{
    p->exec = p->o.exec(p->o.ctx, jget(p->action, "command"), (uint64_t)p->timing.timeout_ms,
                        exec_done, p);
}

static const struct handler HANDLERS[] = {
    {"httpGet", start_http}, {"tcpSocket", start_tcp}, {"exec", start_exec}};

/* ---- life ---- */
static void on_timer(void *ctx)
{
    struct probe *p = ctx;
    if (!p->first_ns)
        p->first_ns = clock_mono_ns();
    p->handler->start(p);
}

struct probe *probe_new(struct loop *l, const struct probe_opts *o, struct err *e)
{
    const struct handler *handler = NULL;
    for (size_t i = 0; i < ARRAY_LEN(HANDLERS); i++)
        if (jget(o->spec, HANDLERS[i].name))
            handler = &HANDLERS[i];
    if (!handler) {
        err_set(e, -EINVAL,
                "this node has no such kind of probe; it has httpGet, tcpSocket and exec");
        return NULL;
    }
    struct probe *p = xnew(struct probe);
    p->loop = l;
    p->o = *o;
    snprintf(p->ip, sizeof p->ip, "%s", o->ip);
    p->handler = handler;
    p->action = jget(o->spec, handler->name);
    probe_timing_read(o->spec, o->kind, &p->timing);
    p->timer = timer_new(l, on_timer, p);
    timer_start(p->timer, (uint64_t)p->timing.initial_delay_ms);
    return p;
}

void probe_free(struct probe *p)
{
    if (!p)
        return;
    if (p->call)
        http_running_cancel(p->call);
    if (p->connecting)
        connecting_cancel(p->connecting);
    if (p->exec)
        proc_cancel(p->exec);
    timer_free(p->timer);
    free(p);
}
