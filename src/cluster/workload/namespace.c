/* A namespace that lives has a ServiceAccount "default"; one that is being deleted is emptied and
 * let go. */
#include "cluster/workload/drain.h"
#include "cluster/workload/workload_internal.h"

#define DEFAULT_ACCOUNT "default"

void namespace_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct workload *w = ctx;

    if (!rc->obj) {
        drains_stop(w->drains, rc->name);
        return;
    }
    if (kobj_deleting(rc->obj)) {
        drains_start(w->drains, rc->name);
        return;
    }
    if (!cache_get(manager_cache(rc->m, &KR_SERVICEACCOUNT), rc->name, DEFAULT_ACCOUNT))
        plan_create_or_keep(p, &KR_SERVICEACCOUNT,
                            kmut_new(&KR_SERVICEACCOUNT, rc->name, DEFAULT_ACCOUNT));
}

static void namespace_of(void *ctx, const struct kobj *account,
                         void (*emit)(void *to, const char *ns, const char *name), void *to)
{
    if (streq(kobj_name(account), DEFAULT_ACCOUNT))
        emit(to, "", kobj_namespace(account));
}

void namespace_controller_register(struct workload *w)
{
    struct controller *c = controller_new(
        w->m,
        &(struct controller_opts){
            .name = "namespace", .res = &KR_NAMESPACE, .reconcile = namespace_reconcile, .ctx = w});

    controller_watch_mapped(c, &KR_SERVICEACCOUNT, namespace_of, w);
}
