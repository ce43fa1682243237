/*
 * What a pod's state file holds, written at each change of its processes and read once, at start.
 * Everything else that a pod needs (network namespace, root file system) lives as long as its
 * processes do.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cluster/node/pod/pod_impl.h"

/* ---- writing ---- */
static void put_termination(yyjson_mut_doc *d, yyjson_mut_val *o,
                            const struct container_termination *t, const char *key)
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
    jm_set_str(d, root, state_file_boot(), "boot");
    jm_set_str(d, root, kobj_namespace(p->box.obj), "namespace");
    jm_set_str(d, root, kobj_name(p->box.obj), "name");
    jm_set_str(d, root, p->box.ip, "ip");
    jm_set_bool(d, root, p->box.net != NULL, "leased");
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
    /* After a power cut nothing of it runs. A pod without a directory has nothing to remember. */
    (void)file_put(AT_FDCWD, s->path, str_of(s->text), 0600, FILE_UNSYNCED, NULL);
}

static void save_done(void *arg)
{
    struct saving *s = arg;
    pod_release(s->pod);
    free(s->path);
    free(s->text);
    free(s);
}

void pod_state_save(struct sandbox *box)
{
    struct pod *p = pod_of(box);
    struct saving *s = xnew(struct saving);
    s->pod = p;
    pod_hold(p);
    s->path = xasprintf("%s/state.json", p->box.dir);
    s->text = state_text(p);
    runtime_worker_do(runtime_get_worker(box->env->runtime), save_work, save_done, s);
}

/* ---- reading ---- */
static void get_termination(const yyjson_val *o, struct container_termination *t)
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
    if (!jget_bool(root, false, "leased") || !ipam_parse(p->box.ip, &addr))
        return;
    yyjson_arr_foreach(jget(root, "containers"), i, max, o)
    {
        if (!p->box.net && state_file_runs(root, o))
            p->box.net = netns_adopt(p->table->o.nets, (pid_t)jget_int(o, 0, "pid"), addr, NULL);
    }
    if (!p->box.net)
        ipam_release(p->table->o.ipam, addr);
}

static void restore_container(struct pod *p, const yyjson_val *root, const yyjson_val *o)
{
    struct container *c = container_of_name(p, jget_str(o, "name"));
    if (!c)
        return;
    get_container(o, c);
    if (jget_bool(o, false, "done")) {
        container_set_state(c, CT_DONE);
    } else if (state_file_runs(root, o) && p->box.net && container_adopt(c, NULL) == 0) {
        p->box.volumes_made = true;
    } else if (c->pid > 0) {
        container_lost(c);
    }
}

bool pod_state_restore(struct pod *p)
{
    _cleanup_jdoc_ yyjson_doc *doc = state_file_load(p->table->o.data_dir, kobj_uid(p->box.obj));
    const yyjson_val *root = yyjson_doc_get_root(doc);
    if (!root)
        return false;
    const char *ip = jget_str(root, "ip");
    snprintf(p->box.ip, sizeof p->box.ip, "%s", ip ? ip : "");
    p->start_ns = jget_int(root, p->start_ns, "start");
    restore_net(p, root);
    size_t i, max;
    yyjson_val *o;
    p->restoring = true;
    yyjson_arr_foreach(jget(root, "containers"), i, max, o) restore_container(p, root, o);
    p->restoring = false;
    return true;
}
