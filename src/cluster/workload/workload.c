/* Wiring: which controllers there are. Each is in a file of its own. */
#include "cluster/workload/drain.h"
#include "cluster/workload/event_expiry.h"
#include "cluster/workload/gc.h"
#include "cluster/workload/limits.h"
#include "cluster/workload/selection.h"
#include "cluster/workload/workload_internal.h"

struct workload *workload_new(struct manager *m)
{
    struct workload *w = xnew(struct workload);

    w->m = m;
    /* first: caches must be empty still */
    selection_add_indices(manager_cache(m, &KR_SERVICE), manager_cache(m, &KR_POD));
    slices_controllers_register(w);
    endpoints_controller_register(w);
    deployment_controller_register(w);
    w->kinds = workload_kinds_new(m);
    w->drains = drains_new(m, w->kinds);
    namespace_controller_register(w);
    w->gc = gc_new(m, w->kinds);
    w->expiry = event_expiry_new(m, LIMIT_EVENTS);
    return w;
}

void workload_free(struct workload *w)
{
    if (!w)
        return;
    event_expiry_free(w->expiry);
    gc_free(w->gc);
    drains_free(w->drains);
    workload_kinds_free(w->kinds);
    free(w);
}
