/*
 * Events of pods: only of what goes wrong. A start that goes well writes nothing beyond its status,
 * since each write costs a disk flush and a start from zero waits for its own.
 */
#include <stdio.h>

#include "base/clock.h"
#include "cluster/node/node_impl.h"
#include "kube/informer.h"

void pod_warn(const struct pod *p, const char *reason, const char *fmt, ...)
{
    struct plan *one = plan_new();
    char *text;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        text = xstrdup(reason);
    va_end(ap);
    plan_event(one, &KR_POD, p->obj, "Warning", reason, "%s", text);
    recorder_event(manager_recorder(p->node->o.manager), plan_at(one, 0), clock_wall_ns());
    plan_free(one);
    free(text);
}
