/*
 * pod_step is the whole logic of a pod that is wanted: a network namespace first, then the init
 * containers one by one, then the others together. It only ever starts what can be started now.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cluster/node/pod/pod_impl.h"

#define NET_RETRY_MS 1000

static bool finished(const struct pod *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct container *c = &p->containers[i];
        if (c->init && c->state == CT_DONE && c->now.exit_code != 0)
            return true;
        if (!c->init && c->state != CT_DONE)
            return false;
    }
    return true;
}

/* ---- the network ---- */
static void set_net(struct pod *p, struct netns *ns)
{
    p->box.net = ns;
    snprintf(p->box.ip, sizeof p->box.ip, "%s", ns->ip);
}

static void net_made(void *ctx, struct netns *ns, const struct err *why)
{
    struct pod *p = ctx;
    p->net_wanted = false;
    if (ns) {
        set_net(p, ns);
    } else {
        log_warn("node", "pod %s/%s has no network yet, trying again: %s",
                 kobj_namespace(p->box.obj), kobj_name(p->box.obj), why->msg);
        sandbox_warn(&p->box, "FailedCreatePodSandBox", "Failed to create pod sandbox: %s",
                     why->msg);
        for (size_t i = 0; i < p->n; i++)
            if (p->containers[i].state == CT_WAIT) {
                container_wait_for(&p->containers[i], "FailedCreatePodSandBox", why->msg);
                container_backoff(&p->containers[i], NET_RETRY_MS);
            }
    }
    pod_step(p);
    pod_release(p);
}

/* A pod that had an address before gets it again: others may know it. */
static void want_net(struct pod *p)
{
    uint32_t addr = 0;
    if (p->net_wanted)
        return;
    bool again = ipam_parse(p->box.ip, &addr) && ipam_claim(p->table->o.ipam, addr);
    struct netns *ns = again ? NULL : netns_take(p->table->o.nets);
    if (ns) {
        set_net(p, ns);
        return;
    }
    p->net_wanted = true;
    pod_hold(p);
    netns_make(p->table->o.nets, again ? addr : 0, net_made, p);
}

/* ---- steps ---- */
static bool any_waits(const struct pod *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->containers[i].state == CT_WAIT)
            return true;
    return false;
}

static void step_containers(struct pod *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct container *c = &p->containers[i];
        if (c->init && c->state == CT_DONE)
            continue;
        if (c->state == CT_WAIT)
            container_start(c);
        if (c->init)
            return; /* the next ones wait for it */
    }
}

static void finish(struct pod *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->containers[i].state != CT_DONE && !container_alive(&p->containers[i]))
            container_stop(&p->containers[i], 0);
    if (pod_alive(p) || !p->box.net)
        return;
    netns_release(p->table->o.nets, steal(&p->box.net));
}

void pod_step(struct pod *p)
{
    if (p->restoring)
        return;
    if (p->state != POD_ACTIVE) {
        pod_stop_step(p);
        return;
    }
    if (finished(p)) {
        finish(p);
    } else if (any_waits(p)) {
        if (!p->box.net)
            want_net(p);
        if (p->box.net)
            step_containers(p);
    }
    pod_status(p);
}

/* ---- what containers tell ---- */
static void changed(struct sandbox *s)
{
    pod_status(pod_of(s));
}

static void step(struct sandbox *s)
{
    pod_step(pod_of(s));
}

static void released(struct sandbox *s)
{
    struct pod *p = pod_of(s);
    if (p->freed)
        pod_free(p);
    else if (p->state == POD_STOPPING)
        pod_stop_step(p);
}

static void begun(struct sandbox *s, const struct container *c)
{
    if (!c->init)
        pod_stage(pod_of(s), POD_STARTED);
}

const struct sandbox_ops POD_SANDBOX_OPS = {.changed = changed,
                                            .save = pod_state_save,
                                            .step = step,
                                            .released = released,
                                            .warn = pod_warn,
                                            .begun = begun,
                                            .facts = pod_facts_of,
                                            .hosts = pod_hosts,
                                            .resolv_conf = pod_resolv_conf};
