/* A ConfigMap or Secret that changes is written into the volumes of the running pods that mount it.
 */
#include "base/log.h"
#include "cluster/node/pod/pod_impl.h"
#include "cluster/node/volume/volumes.h"

struct refresh {
    struct pod *pod;
    struct volumes volumes;
    char *dir;
    int64_t group;
    struct err err;
};

static void refresh_work(void *arg)
{
    struct refresh *r = arg;
    volumes_refresh(&r->volumes, r->dir, r->group, &r->err);
}

static void refresh_done(void *arg)
{
    struct refresh *r = arg;
    if (r->err.code)
        log_warn("node", "volumes of pod %s/%s keep their old content: %s",
                 kobj_namespace(r->pod->box.obj), kobj_name(r->pod->box.obj), r->err.msg);
    pod_release(r->pod);
    volumes_done(&r->volumes);
    free(r->dir);
    free(r);
}

static void refresh(struct pod *p)
{
    struct refresh *r = xnew(struct refresh);
    struct pod_facts facts;
    pod_facts_of(&p->box, &facts);
    /* Something that was deleted leaves the old content in place, as the kubelet does. */
    if (volumes_plan(&facts, &r->volumes, NULL) < 0) {
        free(r);
        return;
    }
    r->pod = p;
    r->dir = xasprintf("%s/volumes", p->box.dir);
    r->group = jget_int(kobj_root(p->box.spec), -1, "spec", "securityContext", "fsGroup");
    pod_hold(p);
    runtime_worker_do(runtime_get_worker(p->box.env->runtime), refresh_work, refresh_done, r);
}

/* Whether a source (of a volume, or in a projected one) is the object. */
static bool source_is(const yyjson_val *source, bool secret, const char *name)
{
    if (!secret)
        return streq(jget_str(source, "configMap", "name"), name);
    return streq(jget_str(source, "secret", "secretName"), name) ||
           streq(jget_str(source, "secret", "name"), name);
}

static bool mounts(const struct pod *p, bool secret, const char *name)
{
    size_t i, max, j, n;
    yyjson_val *v, *s;
    yyjson_arr_foreach(jget(kobj_root(p->box.spec), "spec", "volumes"), i, max, v)
    {
        if (source_is(v, secret, name))
            return true;
        yyjson_arr_foreach(jget(v, "projected", "sources"), j, n, s)
        {
            if (source_is(s, secret, name))
                return true;
        }
    }
    return false;
}

static void changed(struct pod_table *t, bool secret, const struct kobj *before,
                    const struct kobj *after)
{
    const char *uid;
    struct pod *p;
    if (!before || !after || !t->synced)
        return;
    for (size_t it = 0; map_next(t->by_uid, &it, &uid, &p);)
        if (p->state == POD_ACTIVE && p->box.volumes_made &&
            streq(kobj_namespace(p->box.obj), kobj_namespace(after)) &&
            mounts(p, secret, kobj_name(after)))
            refresh(p);
}

static void config_changed(void *ctx, const struct kobj *before, const struct kobj *after)
{
    changed(ctx, false, before, after);
}

static void secret_changed(void *ctx, const struct kobj *before, const struct kobj *after)
{
    changed(ctx, true, before, after);
}

void pod_live_watch(struct pod_table *t)
{
    manager_on_change(t->o.env.manager, &KR_CONFIGMAP, config_changed, t);
    manager_on_change(t->o.env.manager, &KR_SECRET, secret_changed, t);
}
