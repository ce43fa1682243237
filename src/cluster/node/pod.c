/*
 * pod_step is the whole logic of a pod that is wanted: a network namespace first, then the init
 * containers one by one, then the others together. It only ever starts what can be started now.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/coldtrace.h"
#include "base/log.h"
#include "cluster/node/files.h"
#include "cluster/node/node_impl.h"

#define NET_RETRY_MS   1000
#define REVISION_LABEL "serving.knative.dev/revision"
#define MAX_RESOLV     (64 * 1024)

/* ---- life ---- */
static void add_containers(struct pod *p, const char *list, bool init)
{
    size_t i, max;
    yyjson_val *spec;
    yyjson_arr_foreach(jget(kobj_root(p->spec), "spec", list), i, max, spec)
        container_init(&p->containers[p->n++], p, spec, init);
}

struct pod *pod_new(struct node *n, const struct kobj *obj)
{
    struct pod *p = xnew(struct pod);
    const yyjson_val *spec = jget(kobj_root(obj), "spec");
    p->node = n;
    n->live_pods++;
    p->obj = kobj_ref(obj);
    p->spec = kobj_ref(obj);
    p->dir = xasprintf("%s/pods/%s", n->data_dir, kobj_uid(obj));
    p->log_dir = xasprintf("%s/logs/%s_%s_%s", n->data_dir, kobj_namespace(obj), kobj_name(obj),
                           kobj_uid(obj));
    p->start_ns = clock_wall_ns();
    size_t count =
        yyjson_arr_size(jget(spec, "initContainers")) + yyjson_arr_size(jget(spec, "containers"));
    p->containers = xcalloc(count ? count : 1, sizeof *p->containers);
    add_containers(p, "initContainers", true);
    add_containers(p, "containers", false);
    map_set(n->pods, kobj_uid(obj), p);
    const char *revision = kobj_label(obj, REVISION_LABEL);
    if (revision)
        coldtrace_mark(kobj_namespace(obj), revision, COLD_CREATED);
    return p;
}

static void pod_free(struct pod *p)
{
    p->node->live_pods--;
    for (size_t i = 0; i < p->n; i++)
        container_done(&p->containers[i]);
    netns_release(p->node->nets, p->net);
    timer_free(p->status_timer);
    timer_free(p->stop_timer);
    yyjson_doc_free(p->written);
    kobj_unref(p->obj);
    kobj_unref(p->spec);
    free(p->containers);
    free(p->dir);
    free(p->log_dir);
    free(p->written_text);
    free(p);
}

void pod_hold(struct pod *p)
{
    p->holds++;
}

void pod_release(struct pod *p)
{
    if (--p->holds > 0)
        return;
    if (p->freed)
        pod_free(p);
    else if (p->state == POD_STOPPING)
        pod_stop_step(p);
}

void pod_forget(struct pod *p)
{
    if (p->freed)
        return;
    p->freed = true;
    p->state = POD_FORGET;
    map_take(p->node->pods, kobj_uid(p->obj));
    if (p->holds == 0)
        pod_free(p);
}

/* ---- facts ---- */
const char *pod_restart_policy(const struct pod *p)
{
    const char *policy = jget_str(kobj_root(p->spec), "spec", "restartPolicy");
    return policy ? policy : "Always";
}

bool pod_finished(const struct pod *p)
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

static yyjson_val *lookup(void *ctx, const struct kube_resource *r, const char *ns,
                          const char *name)
{
    struct node *n = ctx;
    return kobj_root(cache_get(manager_cache(n->o.manager, r), ns, name));
}

void pod_facts_fill(struct pod *p, struct pod_facts *f)
{
    struct node *n = p->node;
    *f = (struct pod_facts){.pod = p->obj,
                            .node_name = n->name,
                            .host_ip = n->bridge_ip,
                            .pod_ip = p->ip,
                            .node_cpu_milli = n->cpu_milli,
                            .node_memory = n->memory,
                            .lookup = lookup,
                            .ctx = n};
}

/* ---- name resolution ---- */
static void add_list(struct buf *out, const char *word, const yyjson_val *list, bool one_line)
{
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach((yyjson_val *)list, i, max, v)
    {
        if (one_line)
            buf_addf(out, " %s", yyjson_get_str(v));
        else
            buf_addf(out, "%s %s\n", word, yyjson_get_str(v));
    }
}

static void add_options(struct buf *out, const yyjson_val *list)
{
    size_t i, max;
    yyjson_val *o;
    yyjson_arr_foreach((yyjson_val *)list, i, max, o)
    {
        const char *name = jget_str(o, "name"), *value = jget_str(o, "value");
        buf_addf(out, "options %s%s%s\n", name ? name : "", value ? ":" : "", value ? value : "");
    }
}

char *pod_resolv_conf(const struct pod *p)
{
    const struct node *n = p->node;
    const yyjson_val *spec = jget(kobj_root(p->spec), "spec");
    const yyjson_val *extra = jget(spec, "dnsConfig");
    const char *policy = jget_str(spec, "dnsPolicy");
    struct buf out = BUF_INIT(MAX_RESOLV);
    if (streq(policy, "Default")) {
        _cleanup_free_ char *host = file_read("/etc/resolv.conf", MAX_RESOLV / 2, NULL);
        buf_addz(&out, host ? host : "");
    } else if (!streq(policy, "None")) {
        buf_addf(&out, "nameserver %s\nsearch %s.svc.%s svc.%s %s", n->dns_ip,
                 kobj_namespace(p->obj), n->domain, n->domain, n->domain);
        add_list(&out, NULL, jget(extra, "searches"), true);
        buf_addz(&out, "\noptions ndots:5\n");
    }
    add_list(&out, "nameserver", jget(extra, "nameservers"), false);
    if (streq(policy, "None") && jget(extra, "searches")) {
        buf_addz(&out, "search");
        add_list(&out, NULL, jget(extra, "searches"), true);
        buf_addz(&out, "\n");
    }
    add_options(&out, jget(extra, "options"));
    return buf_steal(&out, NULL);
}

char *pod_hosts(const struct pod *p)
{
    const yyjson_val *spec = jget(kobj_root(p->spec), "spec");
    const char *hostname = jget_str(spec, "hostname");
    struct buf out = BUF_INIT(MAX_RESOLV);
    buf_addz(&out, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    buf_addf(&out, "%s\t%s\n", p->ip, hostname ? hostname : kobj_name(p->obj));
    size_t i, max;
    yyjson_val *alias;
    yyjson_arr_foreach(jget(spec, "hostAliases"), i, max, alias)
    {
        const char *ip = jget_str(alias, "ip");
        buf_addf(&out, "%s\t", ip ? ip : "");
        add_list(&out, NULL, jget(alias, "hostnames"), true);
        buf_addc(&out, '\n');
    }
    return buf_steal(&out, NULL);
}

/* ---- the network ---- */
static void set_net(struct pod *p, struct netns *ns)
{
    p->net = ns;
    snprintf(p->ip, sizeof p->ip, "%s", ns->ip);
}

static void net_made(void *ctx, struct netns *ns, const struct err *why)
{
    struct pod *p = ctx;
    p->net_wanted = false;
    if (ns) {
        set_net(p, ns);
    } else {
        log_warn("node", "pod %s/%s has no network yet, trying again: %s", kobj_namespace(p->obj),
                 kobj_name(p->obj), why->msg);
        pod_warn(p, "FailedCreatePodSandBox", "Failed to create pod sandbox: %s", why->msg);
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
    bool again = ip_parse(p->ip, &addr) && ipam_claim(p->node->ipam, addr);
    struct netns *ns = again ? NULL : netns_take(p->node->nets);
    if (ns) {
        set_net(p, ns);
        return;
    }
    p->net_wanted = true;
    pod_hold(p);
    netns_make(p->node->nets, again ? addr : 0, net_made, p);
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
    bool alive = false;
    for (size_t i = 0; i < p->n; i++) {
        alive |= container_alive(&p->containers[i]);
        if (p->containers[i].state != CT_DONE && !container_alive(&p->containers[i]))
            container_stop(&p->containers[i], 0);
    }
    if (alive || !p->net)
        return;
    netns_release(p->node->nets, steal(&p->net));
}

void pod_step(struct pod *p)
{
    if (p->restoring)
        return;
    if (p->state != POD_ACTIVE) {
        pod_stop_step(p);
        return;
    }
    if (pod_finished(p)) {
        finish(p);
    } else if (any_waits(p)) {
        if (!p->net)
            want_net(p);
        if (p->net)
            step_containers(p);
    }
    pod_status(p);
}
