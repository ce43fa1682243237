/*
 * DIR/pods/UID/state.json says which processes are a pod's, so that the next start of this program
 * can take them over. A process is known by its id and its start time in clock ticks, and only
 * within the same boot. Everything else that a pod needs (network namespace, root file system)
 * lives as long as its processes do.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "cluster/node/files.h"
#include "cluster/node/node_impl.h"

#define EXIT_UNKNOWN 137

uint64_t process_start_time(pid_t pid)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    _cleanup_free_ char *text = file_read(path, 4096, NULL);
    char *p = text ? strrchr(text, ')') : NULL;
    if (!p)
        return 0;
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p ? strtoull(p, NULL, 10) : 0;
}

static const char *boot_id(void)
{
    static char id[40];
    if (!id[0]) {
        _cleanup_free_ char *text = file_read("/proc/sys/kernel/random/boot_id", 36, NULL);
        snprintf(id, sizeof id, "%s", text ? text : "unknown");
    }
    return id;
}

/* ---- writing ---- */
static void put_termination(yyjson_mut_doc *d, yyjson_mut_val *o, const struct termination *t,
                            const char *key)
{
    if (!t->set)
        return;
    yyjson_mut_val *out = jm_obj(d, o, key);
    jm_set_int(d, out, t->exit_code, "exitCode");
    jm_set_int(d, out, t->signal, "signal");
    jm_set_str(d, out, t->reason, "reason");
    jm_set_str(d, out, t->message, "message");
    jm_set_int(d, out, t->started_ns, "started");
    jm_set_int(d, out, t->finished_ns, "finished");
    jm_set_str(d, out, t->container_id, "id");
}

static void put_container(yyjson_mut_doc *d, yyjson_mut_val *list, const struct container *c)
{
    yyjson_mut_val *o = jm_add_obj(d, list);
    jm_set_str(d, o, c->name, "name");
    jm_set_str(d, o, c->id, "id");
    jm_set_int(d, o, c->pid, "pid");
    jm_set_int(d, o, (int64_t)c->pid_start, "pidStart");
    jm_set_int(d, o, c->attempt, "attempt");
    jm_set_int(d, o, c->restarts, "restarts");
    jm_set_int(d, o, c->crashes, "crashes");
    jm_set_int(d, o, c->started_ns, "started");
    jm_set_bool(d, o, c->state == CT_DONE, "done");
    jm_set_str(d, o, c->image_id, "imageID");
    put_termination(d, o, &c->now, "now");
    put_termination(d, o, &c->last, "last");
}

static char *state_text(const struct pod *p)
{
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    yyjson_mut_doc_set_root(d, root);
    jm_set_str(d, root, boot_id(), "boot");
    jm_set_str(d, root, kobj_namespace(p->obj), "namespace");
    jm_set_str(d, root, kobj_name(p->obj), "name");
    jm_set_str(d, root, p->ip, "ip");
    jm_set_bool(d, root, p->net != NULL, "leased");
    jm_set_int(d, root, p->start_ns, "start");
    yyjson_mut_val *list = jm_arr(d, root, "containers");
    for (size_t i = 0; i < p->n; i++)
        put_container(d, list, &p->containers[i]);
    return json_mut_text(root, NULL);
}

struct saving {
    struct pod *pod;
    char *path, *text;
};

static void save_work(void *arg)
{
    struct saving *s = arg;
    file_replace(s->path, s->text, strlen(s->text), 0600, NULL);
}

static void save_done(void *arg)
{
    struct saving *s = arg;
    pod_release(s->pod);
    free(s->path);
    free(s->text);
    free(s);
}

void state_save(struct pod *p)
{
    struct saving *s = xnew(struct saving);
    s->pod = p;
    pod_hold(p);
    s->path = xasprintf("%s/state.json", p->dir);
    s->text = state_text(p);
    worker_do(p->node->worker, save_work, save_done, s);
}

/* ---- reading ---- */
static yyjson_doc *load(const struct node *n, const char *uid)
{
    _cleanup_free_ char *path = xasprintf("%s/pods/%s/state.json", n->data_dir, uid);
    size_t size;
    _cleanup_free_ char *text = file_read(path, LIMIT_OBJECT, &size);
    return text ? json_parse(text, size, NULL) : NULL;
}

/* Whether the recorded process is still that process. */
static bool runs(const yyjson_val *root, const yyjson_val *container)
{
    pid_t pid = (pid_t)jget_int(container, 0, "pid");
    uint64_t start = (uint64_t)jget_int(container, 0, "pidStart");
    return pid > 1 && start && streq(jget_str(root, "boot"), boot_id()) &&
           process_start_time(pid) == start;
}

static void get_termination(const yyjson_val *o, struct termination *t)
{
    if (!o)
        return;
    t->set = true;
    t->exit_code = (int)jget_int(o, 0, "exitCode");
    t->signal = (int)jget_int(o, 0, "signal");
    t->started_ns = jget_int(o, 0, "started");
    t->finished_ns = jget_int(o, 0, "finished");
    const char *reason = jget_str(o, "reason"), *id = jget_str(o, "id");
    snprintf(t->reason, sizeof t->reason, "%s", reason ? reason : "");
    snprintf(t->container_id, sizeof t->container_id, "%s", id ? id : "");
    t->message = xstrdup(jget_str(o, "message"));
}

static void get_container(const yyjson_val *o, struct container *c)
{
    const char *id = jget_str(o, "id"), *image_id = jget_str(o, "imageID");
    snprintf(c->id, sizeof c->id, "%s", id ? id : "");
    c->pid = (pid_t)jget_int(o, 0, "pid");
    c->pid_start = (uint64_t)jget_int(o, 0, "pidStart");
    c->attempt = (int)jget_int(o, 0, "attempt");
    c->restarts = (int)jget_int(o, 0, "restarts");
    c->crashes = (int)jget_int(o, 0, "crashes");
    c->started_ns = jget_int(o, 0, "started");
    c->image_id = image_id ? xstrdup(image_id) : NULL;
    get_termination(jget(o, "now"), &c->now);
    get_termination(jget(o, "last"), &c->last);
}

static void lost(struct container *c)
{
    struct termination t = {.set = true,
                            .exit_code = EXIT_UNKNOWN,
                            .started_ns = c->started_ns,
                            .finished_ns = clock_wall_ns()};
    snprintf(t.reason, sizeof t.reason, "ContainerStatusUnknown");
    snprintf(t.container_id, sizeof t.container_id, "%s", c->id);
    t.message = xstrdup("the container ended while the node agent was not running; its exit code "
                        "is not known");
    container_ended(c, &t);
}

static struct container *container_of_name(struct pod *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (streq(p->containers[i].name, name))
            return &p->containers[i];
    return NULL;
}

/* A running process gives the pod its network namespace back; without one the address is free
 * again. */
static void restore_net(struct pod *p, const yyjson_val *root)
{
    uint32_t addr;
    size_t i, max;
    yyjson_val *o;
    if (!jget_bool(root, false, "leased") || !ip_parse(p->ip, &addr))
        return;
    yyjson_arr_foreach(jget(root, "containers"), i, max, o)
    {
        if (!p->net && runs(root, o))
            p->net = netns_adopt(p->node->nets, (pid_t)jget_int(o, 0, "pid"), addr, NULL);
    }
    if (!p->net)
        ipam_release(p->node->ipam, addr);
}

static void restore_container(struct pod *p, const yyjson_val *root, const yyjson_val *o)
{
    struct container *c = container_of_name(p, jget_str(o, "name"));
    if (!c)
        return;
    get_container(o, c);
    if (jget_bool(o, false, "done")) {
        container_set_state(c, CT_DONE);
    } else if (runs(root, o) && p->net && container_adopt(c, NULL) == 0) {
        p->volumes_made = true;
        container_probes_start(c);
        exit_watch_start(c);
    } else if (c->pid > 0) {
        lost(c);
    }
}

bool state_restore(struct pod *p)
{
    _cleanup_jdoc_ yyjson_doc *doc = load(p->node, kobj_uid(p->obj));
    const yyjson_val *root = yyjson_doc_get_root(doc);
    if (!root)
        return false;
    const char *ip = jget_str(root, "ip");
    snprintf(p->ip, sizeof p->ip, "%s", ip ? ip : "");
    p->start_ns = jget_int(root, p->start_ns, "start");
    restore_net(p, root);
    size_t i, max;
    yyjson_val *o;
    p->restoring = true;
    yyjson_arr_foreach(jget(root, "containers"), i, max, o) restore_container(p, root, o);
    p->restoring = false;
    return true;
}

/* ---- all pods on disk ---- */
static void each_entry(const struct node *n, const char *folder,
                       void (*fn)(struct node *n, const char *name), struct node *arg)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", n->data_dir, folder);
    DIR *d = opendir(path);
    for (struct dirent *de; d && (de = readdir(d));)
        if (de->d_name[0] != '.')
            fn(arg, de->d_name);
    if (d)
        closedir(d);
}

static void claim_address(struct node *n, const char *uid)
{
    _cleanup_jdoc_ yyjson_doc *doc = load(n, uid);
    uint32_t addr;
    const yyjson_val *root = yyjson_doc_get_root(doc);
    if (jget_bool(root, false, "leased") && ip_parse(jget_str(root, "ip"), &addr))
        ipam_claim(n->ipam, addr);
}

void state_claim_addresses(struct node *n)
{
    each_entry(n, "pods", claim_address, n);
}

/* ---- orphans ---- */
static void remove_tree_work(void *arg)
{
    files_remove(arg);
}

/* Large trees take long: not on the worker, where starts would wait behind them. */
static void remove_tree(struct node *n, const char *folder, const char *name)
{
    loop_work(n->loop, remove_tree_work, free, xasprintf("%s/%s/%s", n->data_dir, folder, name));
}

static void kill_recorded(const yyjson_val *root)
{
    size_t i, max;
    yyjson_val *o;
    yyjson_arr_foreach(jget(root, "containers"), i, max, o)
    {
        if (runs(root, o))
            kill((pid_t)jget_int(o, 0, "pid"), SIGKILL);
    }
}

static void orphan_pod(struct node *n, const char *uid)
{
    if (map_has(n->pods, uid))
        return;
    _cleanup_jdoc_ yyjson_doc *doc = load(n, uid);
    const yyjson_val *root = yyjson_doc_get_root(doc);
    uint32_t addr;
    kill_recorded(root);
    if (jget_bool(root, false, "leased") && ip_parse(jget_str(root, "ip"), &addr))
        ipam_release(n->ipam, addr);
    log_info("node", "removing what is left of a pod that is no more: %s", uid);
    remove_tree(n, "pods", uid);
}

/* NAMESPACE_NAME_UID */
static void orphan_log(struct node *n, const char *name)
{
    const char *uid = strrchr(name, '_');
    if (uid && !map_has(n->pods, uid + 1))
        remove_tree(n, "logs", name);
}

static bool id_known(const struct node *n, const char *id)
{
    const char *uid;
    struct pod *p;
    for (size_t it = 0; map_next(n->pods, &it, &uid, &p);)
        for (size_t i = 0; i < p->n; i++)
            if (streq(p->containers[i].id, id) && p->containers[i].pid > 0)
                return true;
    return false;
}

struct stray {
    struct node *node;
    char *id;
};

static void stray_work(void *arg)
{
    struct stray *s = arg;
    runtime_forget(s->node, s->id);
    free(s->id);
    free(s);
}

static void stray_container(void *ctx, const char *id)
{
    struct node *n = ctx;
    if (id_known(n, id))
        return;
    struct stray *s = xnew(struct stray);
    s->node = n;
    s->id = xstrdup(id);
    worker_do(n->worker, stray_work, NULL, s);
}

static void stray_runtime(struct node *n, const char *id)
{
    stray_container(n, id);
}

void state_remove_orphans(struct node *n)
{
    each_entry(n, "pods", orphan_pod, n);
    each_entry(n, "logs", orphan_log, n);
    cgroup_each(n->cgroups, n->cgroup_parent, stray_container, n);
    each_entry(n, "crun", stray_runtime, n);
}
