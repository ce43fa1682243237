/* Upstream's reasons and words, since tools and tests match them. */
#include "serving/revision/status.h"

#include "contract/conditions.h"

/* ---- pods ---- */
static bool unschedulable(yyjson_val *condition)
{
    return streq(jget_str(condition, "status"), "False");
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

static void mark_exit(struct cond *c, yyjson_val *terminated)
{
    const char *message = or_empty(jget_str(terminated, "message"));
    long long code = jget_int(terminated, 0, "exitCode");
    size_t n = strlen(message);
    char reason[32];

    snprintf(reason, sizeof(reason), "ExitCode%lld", code);
    while (n && (message[n - 1] == '\n' || message[n - 1] == ' '))
        n--;
    if (code == 0 && n == 0)
        cs_false(c, COND_CONTAINER_HEALTHY, reason,
                 "Container failed with: container exited with no error");
    else
        cs_false(c, COND_CONTAINER_HEALTHY, reason, "Container failed with: %.*s", (int)n, message);
}

void revision_mark_pod(struct cond *c, const struct kobj *pod, bool timed_out,
                       const struct contract_config *cfg)
{
    yyjson_val *scheduled = kobj_condition(pod, "PodScheduled"), *status;
    size_t i, n;

    if (unschedulable(scheduled) && !cfg->deployment.always_schedulable)
        cs_false(c, COND_RESOURCES_AVAILABLE, or_empty(jget_str(scheduled, "reason")), "%s",
                 or_empty(jget_str(scheduled, "message")));
    yyjson_arr_foreach(jget(kobj_root(pod), "status", "containerStatuses"), i, n, status)
    {
        yyjson_val *terminated = jget(status, "lastState", "terminated"),
                   *waiting = jget(status, "state", "waiting");
        if (streq(jget_str(status, "name"), "queue-proxy"))
            continue;
        if (terminated) {
            mark_exit(c, terminated);
            return;
        }
        if (waiting && timed_out) {
            cs_false(c, COND_RESOURCES_AVAILABLE, or_empty(jget_str(waiting, "reason")), "%s",
                     or_empty(jget_str(waiting, "message")));
            return;
        }
    }
}

bool pod_is_troubled(const struct kobj *pod)
{
    yyjson_val *status;
    size_t i, n;

    if (unschedulable(kobj_condition(pod, "PodScheduled")))
        return true;
    yyjson_arr_foreach(jget(kobj_root(pod), "status", "containerStatuses"), i, n, status)
    {
        if (jget(status, "lastState", "terminated") || jget(status, "state", "waiting"))
            return true;
    }
    return false;
}

/* ---- PodAutoscaler ---- */
static void copy_scale(struct cond *c, const struct kobj *pa, const char *from, const char *to)
{
    int64_t n = jget_int(kobj_root(pa), -1, "status", from);

    if (n >= 0)
        jm_set_int(KM(c->obj), n, "status", to);
    else
        jm_del(c->obj->root, "status", to);
}

static bool is(struct cond *c, const char *type, const char *status)
{
    return streq(cs_status(c, type), status);
}

static void mark_inactive(struct cond *c, yyjson_val *ready, bool initialized, bool served)
{
    const char *reason = jget_str(ready, "reason"), *message = or_empty(jget_str(ready, "message"));
    bool orphaned = streq(reason, REASON_NO_PLUGIN);

    if (!initialized && !is(c, COND_RESOURCES_AVAILABLE, "False")) {
        if (orphaned)
            cs_false(c, COND_RESOURCES_AVAILABLE, reason, "%s", message);
        else if (served)
            cs_false(c, COND_RESOURCES_AVAILABLE, "ProgressDeadlineExceeded",
                     "Initial scale was never achieved");
    }
    cs_false(c, COND_ACTIVE, reason, "%s", message);
}

void revision_mark_autoscaler(struct cond *c, const struct kobj *pa)
{
    yyjson_val *ready = kobj_condition(pa, COND_READY);
    bool initialized = kobj_condition_is(pa, COND_SCALE_INITIALIZED, "True");
    const char *service = jget_str(kobj_root(pa), "status", "serviceName");
    bool served = service && service[0];

    copy_scale(c, pa, "actualScale", "actualReplicas");
    copy_scale(c, pa, "desiredScale", "desiredReplicas");
    if (!ready) {
        cs_unknown(c, COND_ACTIVE, "Deploying", NULL);
        if (is(c, COND_RESOURCES_AVAILABLE, "True"))
            cs_unknown(c, COND_RESOURCES_AVAILABLE, "Deploying", NULL);
        return;
    }
    if (initialized && !is(c, COND_RESOURCES_AVAILABLE, "False") &&
        !is(c, COND_CONTAINER_HEALTHY, "False")) {
        cs_true(c, COND_RESOURCES_AVAILABLE);
        cs_true(c, COND_CONTAINER_HEALTHY);
    }
    if (is(c, COND_RESOURCES_AVAILABLE, "True") && (!served || !initialized))
        cs_unknown(c, COND_RESOURCES_AVAILABLE, "Deploying", NULL);
    if (streq(jget_str(ready, "status"), "False"))
        mark_inactive(c, ready, initialized, served);
    else
        cs_mirror(c, COND_ACTIVE, ready);
}
