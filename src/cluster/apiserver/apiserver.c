/*
 * The life of the server: its parts are made in the order in which they need each other, and go the
 * other way round. What writes in flight need outlives it (core.h, shares.h).
 */
#include "cluster/apiserver/apiserver.h"

#include "cluster/apiserver/boot.h"
#include "cluster/apiserver/crd_life.h"
#include "cluster/apiserver/request/limits.h"
#include "cluster/apiserver/server.h"
#include "cluster/apiserver/verbs/snapshot.h"
#include "cluster/apiserver/verbs/watchers.h"

static const struct shares_limits shares_limits = {
    .most = {[SHARE_REQUEST] = LIMIT_API_REQUESTS, [SHARE_WATCH] = LIMIT_API_WATCHES},
    .bytes = LIMIT_API_REQUEST_BYTES,
};
static const struct snapshots_limits snapshots_limits = {
    .most = LIMIT_SNAPSHOTS, .bytes = LIMIT_SNAPSHOT_BYTES, .seconds = LIMIT_SNAPSHOT_SECONDS};

struct apiserver *apiserver_new(struct loop *l, const struct apiserver_opts *o, struct err *e)
{
    struct apiserver *a = xnew(struct apiserver);

    a->version = xstrdup(o->version ? o->version : APISERVER_VERSION);
    a->authenticators = o->authenticators ? o->authenticators : authenticators_default;
    a->authorizer = o->authorizer ? o->authorizer : &authorizer_masters;
    a->env = xnew(struct verb_env);
    a->env->refs = 1;
    a->env->kubelet = o->kubelet;
    a->env->watchers = watchers_new(l);
    a->env->snapshots = snapshots_new(l, &snapshots_limits);
    a->env->shares = shares_new(&shares_limits);
    a->env->core = api_core_new(l, o->store, o->admissions, o->n_admissions, e);
    a->crds = a->env->core ? crd_life_new(a->env->core, e) : NULL;
    a->boot = a->crds ? boot_start(a->env->core, o->crds, e) : NULL;
    if (a->boot)
        return a;
    apiserver_free(a);
    return NULL;
}

void apiserver_free(struct apiserver *a)
{
    if (!a)
        return;
    watchers_free(steal(&a->env->watchers));
    crd_life_free(a->crds);
    boot_free(a->boot);
    snapshots_free(steal(&a->env->snapshots));
    if (a->env->core)
        api_core_close(a->env->core);
    verb_env_unref(a->env);
    free(a->version);
    free(a);
}

void apiserver_set_kubelet(struct apiserver *a, const struct kubelet *k)
{
    a->env->kubelet = *k;
}

const struct kobj *apiserver_lookup(struct apiserver *a, const struct kube_resource *r,
                                    const char *ns, const char *name)
{
    _cleanup_free_ char *key = kind_key(r, ns, name);
    const struct store_obj *o = store_get(a->env->core->store, key);

    return o ? kobj_parse(store_obj_bytes(o).p, store_obj_bytes(o).n, NULL) : NULL;
}

void apiserver_on_ready(struct apiserver *a, void (*fn)(void *ctx, const struct err *why),
                        void *ctx)
{
    boot_on_ready(a->boot, fn, ctx);
}
