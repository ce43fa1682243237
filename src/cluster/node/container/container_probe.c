/*
 * What a container's probes mean: readiness makes it ready or not; liveness and startup end it,
 * after which the restart policy decides. Readiness and liveness wait for the startup probe.
 */
#include <stdio.h>

#include "base/log.h"
#include "cluster/node/container/container.h"

static const char *const FIELDS[PROBE_KINDS] = {
    [PROBE_STARTUP] = "startupProbe",
    [PROBE_READINESS] = "readinessProbe",
    [PROBE_LIVENESS] = "livenessProbe",
};
static const char *const TITLES[PROBE_KINDS] = {
    [PROBE_STARTUP] = "Startup",
    [PROBE_READINESS] = "Readiness",
    [PROBE_LIVENESS] = "Liveness",
};

static int64_t grace_ms(const struct container *c)
{
    int64_t s = jget_int(kobj_root(c->box->spec), 30, "spec", "terminationGracePeriodSeconds");
    return sandbox_grace_ms(s);
}

static struct proc *exec_in(void *ctx, const yyjson_val *command, uint64_t timeout_ms,
                            void (*done)(void *to, const struct proc_result *r), void *to)
{
    struct container *c = ctx;
    return runtime_exec(c->box->env->runtime, c->id, command, timeout_ms, done, to);
}

static void start_probe(struct container *c, enum probe_kind kind);

static void begin_after_startup(struct container *c)
{
    c->started = true;
    start_probe(c, PROBE_READINESS);
    start_probe(c, PROBE_LIVENESS);
    c->ready = !jget(c->spec, FIELDS[PROBE_READINESS]);
}

static void verdict(void *ctx, enum probe_kind kind, bool ok, const char *message)
{
    struct container *c = ctx;
    if (c->state != CT_RUNNING)
        return;
    if (!ok)
        sandbox_warn(c->box, "Unhealthy", "%s probe failed: %s", TITLES[kind], message);
    if (kind == PROBE_READINESS) {
        c->ready = ok;
        c->box->ops->changed(c->box);
        return;
    }
    if (!ok) {
        log_info("node", "pod %s/%s container %s: %s failed, ending it: %s",
                 kobj_namespace(c->box->obj), kobj_name(c->box->obj), c->name, FIELDS[kind],
                 message);
        container_stop(c, grace_ms(c));
        c->box->ops->changed(c->box);
        return;
    }
    if (kind == PROBE_STARTUP && !c->started) {
        probe_free(steal(&c->probes[PROBE_STARTUP]));
        begin_after_startup(c);
        c->box->ops->changed(c->box);
    }
}

/* A probe that cannot be run never succeeds, and says why. */
static void cannot_probe(struct container *c, enum probe_kind kind, const struct err *why)
{
    char text[ERR_MSG_MAX + 64];
    snprintf(text, sizeof text, "%s: %s", FIELDS[kind], why->msg);
    log_warn("node", "pod %s/%s container %s: %s", kobj_namespace(c->box->obj),
             kobj_name(c->box->obj), c->name, text);
}

static void start_probe(struct container *c, enum probe_kind kind)
{
    const struct container_env *n = c->box->env;
    const yyjson_val *spec = jget(c->spec, FIELDS[kind]);
    struct err why = {0};
    if (!spec || c->init)
        return;
    struct probe_opts o = {.kind = kind,
                           .spec = spec,
                           .container = c->spec,
                           .ip = c->box->ip,
                           .http = n->http,
                           .tls = n->tls,
                           .exec = exec_in,
                           .verdict = verdict,
                           .ctx = c};
    c->probes[kind] = probe_new(n->loop, &o, &why);
    if (!c->probes[kind])
        cannot_probe(c, kind, &why);
}

void container_probes_start(struct container *c)
{
    start_probe(c, PROBE_STARTUP);
    if (c->init || !jget(c->spec, FIELDS[PROBE_STARTUP]))
        begin_after_startup(c);
}

void container_probes_stop(struct container *c)
{
    for (size_t i = 0; i < PROBE_KINDS; i++)
        probe_free(steal(&c->probes[i]));
}
