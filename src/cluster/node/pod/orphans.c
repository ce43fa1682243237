/*
 * What a crash, or a pod that was deleted while we were away, left behind: directories, logs,
 * processes, control groups.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "cluster/node/pod/pod_impl.h"

struct removal {
    char *path;
    struct err err;
};

static void remove_tree_work(void *arg)
{
    struct removal *r = arg;
    file_remove_tree(AT_FDCWD, r->path, &r->err);
}

static void removed(void *arg)
{
    struct removal *r = arg;
    if (r->err.code)
        log_warn("node", "removing what is left of a pod: %s", r->err.msg);
    free(r->path);
    free(r);
}

/* Large trees take long: not on the worker, where starts would wait behind them. */
static void remove_tree(struct pod_table *t, const char *folder, const char *name)
{
    struct removal *r = xnew(struct removal);
    *r = (struct removal){.path = xasprintf("%s/%s/%s", t->o.data_dir, folder, name)};
    loop_work(t->o.env.loop, remove_tree_work, removed, r);
}

static void kill_recorded(const yyjson_val *root)
{
    size_t i, max;
    yyjson_val *o;
    yyjson_arr_foreach(jget(root, "containers"), i, max, o)
    {
        if (state_file_runs(root, o))
            kill((pid_t)jget_int(o, 0, "pid"), SIGKILL);
    }
}

static void orphan_pod(void *ctx, const char *uid)
{
    struct pod_table *t = ctx;
    if (map_has(t->by_uid, uid))
        return;
    _cleanup_jdoc_ yyjson_doc *doc = state_file_load(t->o.data_dir, uid);
    const yyjson_val *root = yyjson_doc_get_root(doc);
    uint32_t addr;
    kill_recorded(root);
    if (jget_bool(root, false, "leased") && ipam_parse(jget_str(root, "ip"), &addr))
        ipam_release(t->o.ipam, addr);
    log_info("node", "removing what is left of a pod that is no more: %s", uid);
    remove_tree(t, "pods", uid);
}

/* NAMESPACE_NAME_UID */
static void orphan_log(void *ctx, const char *name)
{
    struct pod_table *t = ctx;
    const char *uid = strrchr(name, '_');
    if (uid && !map_has(t->by_uid, uid + 1))
        remove_tree(t, "logs", name);
}

static bool id_known(const struct pod_table *t, const char *id)
{
    const char *uid;
    struct pod *p;
    for (size_t it = 0; map_next(t->by_uid, &it, &uid, &p);)
        for (size_t i = 0; i < p->n; i++)
            if (streq(p->containers[i].id, id) && p->containers[i].pid > 0)
                return true;
    return false;
}

struct stray {
    struct runtime *runtime;
    char *id;
};

static void stray_work(void *arg)
{
    struct stray *s = arg;
    runtime_forget(s->runtime, s->id);
    free(s->id);
    free(s);
}

static void stray_container(void *ctx, const char *id)
{
    struct pod_table *t = ctx;
    if (id_known(t, id))
        return;
    struct stray *s = xnew(struct stray);
    s->runtime = t->o.env.runtime;
    s->id = xstrdup(id);
    runtime_worker_do(runtime_get_worker(s->runtime), stray_work, NULL, s);
}

void pod_orphans_remove(struct pod_table *t)
{
    state_file_each(t->o.data_dir, "pods", orphan_pod, t);
    state_file_each(t->o.data_dir, "logs", orphan_log, t);
    runtime_each(t->o.env.runtime, stray_container, t);
}
