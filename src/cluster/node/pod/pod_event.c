/*
 * Events of pods: only of what goes wrong. A start that goes well writes nothing beyond its status,
 * since each write costs a disk flush and a start from zero waits for its own.
 */
#include "base/clock.h"
#include "cluster/node/pod/pod_impl.h"
#include "kube/informer.h"

void pod_warn(struct sandbox *box, const char *reason, const char *text)
{
    struct plan *one = plan_new();
    plan_event(one, &KR_POD, box->obj, "Warning", reason, "%s", text);
    recorder_event(manager_recorder(box->env->manager), plan_at(one, 0), clock_wall_ns());
    plan_free(one);
}
