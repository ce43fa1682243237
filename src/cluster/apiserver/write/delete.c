/* See delete.h. */
#include "cluster/apiserver/write/delete.h"

#include "base/clock.h"
#include "cluster/apiserver/request/limits.h"
#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/write/dependents.h"

#define DEFAULT_POD_GRACE 30

/* ---- finalizers ---- */
bool finalizer_drop(struct kmut *o, const char *name)
{
    yyjson_mut_val *list = jm_get(o->root, "metadata", "finalizers");
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    bool hit = false;

    for (yyjson_mut_val *f; list && (f = yyjson_mut_arr_iter_next(&it));)
        if (streq(yyjson_mut_get_str(f), name)) {
            yyjson_mut_arr_iter_remove(&it);
            hit = true;
        }
    if (hit && !yyjson_mut_arr_size(list))
        jm_del(o->root, "metadata", "finalizers");
    return hit;
}

static bool finalizer_has(const struct kmut *o, const char *name)
{
    yyjson_mut_val *list = jm_get(o->root, "metadata", "finalizers");

    TREE_EACH(f, list)
    if (streq(yyjson_mut_get_str(f), name))
        return true;
    return false;
}

static bool held(const struct write *w)
{
    return yyjson_mut_arr_size(jm_get(w->obj->root, "metadata", "finalizers"));
}

/* What the propagation policy makes of the finalizers; whether that changed anything. */
static bool propagate(struct write *w, const char *policy)
{
    if (!policy || !*policy)
        return false;
    bool changed = finalizer_drop(w->obj, FINALIZER_ORPHAN);

    if (!streq(policy, "Foreground"))
        return finalizer_drop(w->obj, FINALIZER_FOREGROUND) || changed;
    if (finalizer_has(w->obj, FINALIZER_FOREGROUND) ||
        !has_dependents(w->core, kobj_uid(w->old))) /* nothing to wait for */
        return changed;
    jm_add_str(w->obj->d, jm_arr(KM(w->obj), "metadata", "finalizers"), FINALIZER_FOREGROUND);
    return true;
}

/* ---- one object ---- */
static void stamp(struct write *w, int64_t grace)
{
    char when[RFC3339_LEN];

    clock_rfc3339(loop_wall_ns(w->core->loop) + grace * NS_PER_SEC, when);
    jm_set_str(KM(w->obj), when, "metadata", "deletionTimestamp");
    jm_set_int(KM(w->obj), grace, "metadata", "deletionGracePeriodSeconds");
    if (w->kind->has_generation && !kobj_deleting(w->old))
        jm_set_int(KM(w->obj), kobj_generation(w->old) + 1, "metadata", "generation");
}

/* An object that is deleted already stays as it is, but for what the policy changed. */
static void stay(struct write *w, bool changed)
{
    if (changed)
        write_store(w);
    else
        write_keep(w);
}

static bool may_run(const struct kobj *pod)
{
    const char *phase = jget_str(kobj_root(pod), "status", "phase");

    if (streq(phase, "Succeeded") || streq(phase, "Failed"))
        return false;
    return jget_str(kobj_root(pod), "status", "startTime") ||
           jget_str(kobj_root(pod), "status", "podIP");
}

static int64_t pod_grace(const struct write *w, int64_t asked)
{
    int64_t grace = asked;

    if (grace < 0)
        grace =
            jget_int(kobj_root(w->old), DEFAULT_POD_GRACE, "spec", "terminationGracePeriodSeconds");
    if (grace < 0 || !may_run(w->old))
        return 0;
    return grace < LIMIT_API_SECONDS ? grace : LIMIT_API_SECONDS;
}

static void delete_pod(struct write *w, int64_t asked, bool changed)
{
    int64_t now = jget_int(kobj_root(w->old), 0, "metadata", "deletionGracePeriodSeconds");
    int64_t grace = pod_grace(w, asked);
    bool deleting = kobj_deleting(w->old);

    if (grace == 0 && !held(w)) {
        write_remove(w);
    } else if (deleting && (grace > 0 ? grace >= now : now == 0)) {
        stay(w, changed);
    } else {
        stamp(w, grace);
        write_store(w);
    }
}

/* Those that the server makes at each start: what they hold makes it work. */
static bool is_immortal(const char *ns)
{
    static const char *const names[] = {"default", "kube-system", "kube-public", "knative-serving"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (streq(ns, names[i]))
            return true;
    return false;
}

static int delete_namespace(struct write *w, struct api_status *st)
{
    if (is_immortal(w->name))
        return api_fail_forbidden(st, &w->kind->res, w->name, "this namespace may not be deleted");
    if (!held(w) && !yyjson_mut_arr_size(jm_get(w->obj->root, "spec", "finalizers"))) {
        write_remove(w);
        return 0;
    }
    if (kobj_deleting(w->old))
        return api_fail_conflict(st, &w->kind->res, w->name,
                                 "The system is ensuring all content is removed from this "
                                 "namespace.  Upon completion, this namespace will automatically "
                                 "be purged by the system.");
    stamp(w, 0);
    jm_set_str(KM(w->obj), "Terminating", "status", "phase");
    write_store(w);
    return 0;
}

static int check_preconditions(struct write *w, const struct delete_options *o,
                               struct api_status *st)
{
    _cleanup_free_ char *why = NULL;

    if (o->uid && *o->uid && !streq(o->uid, kobj_uid(w->old)))
        why = xasprintf("Precondition failed: UID in precondition: %s, UID in object meta: %s",
                        o->uid, kobj_uid(w->old));
    else if (o->rv && o->rv != w->old_rev)
        why = xasprintf("Precondition failed: ResourceVersion in precondition: %llu, "
                        "ResourceVersion in object meta: %llu",
                        (unsigned long long)o->rv, (unsigned long long)w->old_rev);
    return why ? api_fail_conflict(st, &w->kind->res, kobj_name(w->old), why) : 0;
}

static void delete_any(struct write *w, bool changed)
{
    if (!held(w)) {
        write_remove(w);
    } else if (kobj_deleting(w->old)) {
        stay(w, changed);
    } else {
        stamp(w, 0);
        write_store(w);
    }
}

static int delete_loaded(struct write *w, const struct delete_options *o, struct api_status *st)
{
    w->obj = kmut_from(w->old);
    if (kube_resource_eq(&w->kind->res, &KR_NAMESPACE))
        return delete_namespace(w, st);
    bool changed = propagate(w, o->propagation);

    if (kube_resource_eq(&w->kind->res, &KR_POD))
        delete_pod(w, o->grace, changed);
    else
        delete_any(w, changed);
    return 0;
}

static int load(struct write *w, const struct delete_options *o, struct api_status *st)
{
    return write_load(w, st) < 0 || check_preconditions(w, o, st) < 0 ? -1 : 0;
}

/* ---- orphans first ---- */
struct orphaning {
    struct write *w;
    struct delete_options o;
};

/* The object may have changed meanwhile. */
static void orphaned(void *ctx, struct api_status *fail)
{
    struct orphaning *first = ctx;
    _cleanup_status_ struct api_status st = {0};
    struct write *w = first->w;
    struct delete_options o = first->o;

    free(first);
    if (fail)
        write_fail(w, fail);
    else if (load(w, &o, &st) < 0 || delete_loaded(w, &o, &st) < 0)
        write_fail(w, &st);
}

static bool orphans_first(struct write *w, const struct delete_options *o)
{
    if (!streq(o->propagation, "Orphan") || w->dry_run ||
        kube_resource_eq(&w->kind->res, &KR_NAMESPACE))
        return false;
    struct orphaning *first = xnew(struct orphaning);

    first->w = w;
    first->o = *o;
    orphan_dependents(w->core, kobj_uid(w->old), orphaned, first);
    return true;
}

void write_delete(struct write *w, const struct delete_options *o)
{
    _cleanup_status_ struct api_status st = {0};

    write_begin(w);
    if (load(w, o, &st) < 0)
        write_fail(w, &st);
    else if (!orphans_first(w, o) && delete_loaded(w, o, &st) < 0)
        write_fail(w, &st);
}
