/*
 * One run: bring Configuration and Route to what the Service says, then say of the Service what
 * they say of themselves. A child that has not observed its latest generation is out of date and
 * says nothing. With a revision name of the user's own the Route waits for the Configuration, since
 * the name may turn out to be taken.
 */
#include "serving/service/service.h"

#include "contract/admit.h"
#include "contract/conditions.h"
#include "serving/child.h"
#include "serving/configuration/byo.h"
#include "serving/service/children.h"

struct run {
    struct serving *s;
    const struct reconcile_ctx *rc;
    struct plan *p;
    const struct kobj *service; /* defaulted */
    struct cond c;
};

static bool observed(const struct kobj *o)
{
    return o && jget_int(kobj_root(o), 0, "status", "observedGeneration") == kobj_generation(o);
}

/* ---- children ---- */
/*
 * Plans the child unless it was just refused or belongs to somebody else. Returns the live object
 * when its status may be believed; NULL when it is new, changed by this run, refused or foreign.
 */
static const struct kobj *bring(struct run *r, const struct kube_resource *res,
                                const struct kobj *live, struct kmut *want, const char *cond)
{
    const char *name = kobj_name(r->service);

    if (live && !kobj_controlled_by(live, r->service)) {
        kmut_free(want);
        cs_false(&r->c, cond, REASON_NOT_OWNED,
                 "There is an existing %s \"%s\" that we do not own.", res->kind, name);
        plan_fail(r->p, "service: \"%s\" does not own %s: \"%s\"", name, res->kind, name);
        return NULL;
    }
    if (child_refused(r->rc, PLAN_CREATE, res)) {
        kmut_free(want);
        plan_event(r->p, &KR_KSERVICE, r->rc->obj, "Warning", "CreationFailed",
                   "Failed to create %s \"%s\": %s", res->kind, name, r->rc->failure->err.msg);
        plan_fail(r->p, "failed to create %s: %s", res->kind, r->rc->failure->err.msg);
        return NULL;
    }
    bool changed = child_replace(r->p, res, live, want);
    if (!live)
        plan_event(r->p, &KR_KSERVICE, r->rc->obj, "Normal", "Created", "Created %s \"%s\"",
                   res->kind, name);
    return changed ? NULL : live;
}

static void copy_status(struct run *r, const struct kobj *child, const char *const *fields)
{
    for (; *fields; fields++)
        jm_set_copy(KM(r->c.obj), jget(kobj_root(child), "status", *fields), "status", *fields);
}

static bool is_false(struct run *r, const char *cond, const char *reason)
{
    return streq(cs_status(&r->c, cond), "False") && streq(cs_reason(&r->c, cond), reason);
}

/* Returns whether the Configuration has observed what it was told. */
static bool do_configuration(struct run *r)
{
    static const char *const fields[] = {"latestCreatedRevisionName", "latestReadyRevisionName",
                                         NULL};
    const struct kobj *live = serving_get(r->s, &KR_CONFIGURATION, r->rc->ns, r->rc->name);
    const struct kobj *now =
        bring(r, &KR_CONFIGURATION, live, service_configuration(r->service, live),
              COND_CONFIGURATIONS_READY);

    if (live && !kobj_controlled_by(live, r->service))
        return false;
    if (!observed(now)) {
        cs_unknown(
            &r->c, COND_CONFIGURATIONS_READY, "OutOfDate",
            "The Configuration is still working to reflect the latest desired specification.");
        return false;
    }
    copy_status(r, now, fields);
    cs_mirror(&r->c, COND_CONFIGURATIONS_READY, kobj_condition(now, COND_READY));
    return true;
}

static bool name_taken(struct run *r)
{
    const struct kobj *configuration = serving_get(r->s, &KR_CONFIGURATION, r->rc->ns, r->rc->name);
    const char *name = byo_name(r->service);
    const struct kobj *revision = name ? serving_get(r->s, &KR_REVISION, r->rc->ns, name) : NULL;

    if (!configuration || byo_check(configuration, revision) != BYO_CONFLICT)
        return false;
    cs_false(&r->c, COND_ROUTES_READY, "RevisionNameTaken",
             "The revision name \"%s\" is taken by a conflicting Revision, so traffic will not be "
             "migrated",
             name);
    return true;
}

/* ---- traffic ---- */
static const char *text(yyjson_val *target, const char *field)
{
    const char *s = jget_str(target, field);

    return s ? s : "";
}

/* Whether the Route already sends what it is told, the latest ready Revision standing for our
 * Configuration. */
static bool migrated(struct run *r, const struct kobj *route)
{
    yyjson_val *want = jget(kobj_root(route), "spec", "traffic"),
               *have = jget(kobj_root(route), "status", "traffic");
    const char *latest = jm_get_str(r->c.obj->root, "status", "latestReadyRevisionName");
    yyjson_val *w;
    size_t i, n;

    if (yyjson_arr_size(want) != yyjson_arr_size(have))
        return false;
    yyjson_arr_foreach(want, i, n, w)
    {
        yyjson_val *h = yyjson_arr_get(have, i);
        bool ours = streq(jget_str(w, "configurationName"), kobj_name(r->service));
        const char *revision = ours ? (latest ? latest : "") : text(w, "revisionName");
        if (!streq(revision, text(h, "revisionName")) || !streq(text(w, "tag"), text(h, "tag")) ||
            jget_int(w, 0, "percent") != jget_int(h, 0, "percent"))
            return false;
    }
    return true;
}

static void do_route(struct run *r)
{
    static const char *const fields[] = {"url", "address", "traffic", NULL};
    const struct kobj *live = serving_get(r->s, &KR_ROUTE, r->rc->ns, r->rc->name);
    const struct kobj *now =
        bring(r, &KR_ROUTE, live, service_route(r->service), COND_ROUTES_READY);

    if (is_false(r, COND_ROUTES_READY, REASON_NOT_OWNED) && live &&
        !kobj_controlled_by(live, r->service))
        return;
    if (!observed(now)) {
        cs_unknown(&r->c, COND_ROUTES_READY, "OutOfDate",
                   "The Route is still working to reflect the latest desired specification.");
        return;
    }
    copy_status(r, now, fields);
    cs_mirror(&r->c, COND_ROUTES_READY, kobj_condition(now, COND_READY));
    if (streq(cs_status(&r->c, COND_ROUTES_READY), "True") && !migrated(r, now))
        cs_unknown(&r->c, COND_ROUTES_READY, "TrafficNotMigrated",
                   "Traffic is not yet migrated to the latest revision.");
}

void service_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct serving *s = ctx;
    struct run r = {.s = s, .rc = rc, .p = p};

    if (!rc->obj || kobj_deleting(rc->obj))
        return;
    _cleanup_kobj_ const struct kobj *service =
        contract_defaulted(&KR_KSERVICE, rc->obj, s->config);
    r.service = service;
    cs_begin(&r.c, &CS_SERVICE, rc->obj, rc->now_ns);
    bool current = do_configuration(&r);
    if (!is_false(&r, COND_CONFIGURATIONS_READY, REASON_NOT_OWNED) &&
        (current || !byo_name(service)) && !name_taken(&r))
        do_route(&r);
    cs_end(&r.c, p, &KR_KSERVICE);
}

void service_reconciler_register(struct serving *s)
{
    s->service = controller_new(s->m, &(struct controller_opts){.name = "service-controller",
                                                                .res = &KR_KSERVICE,
                                                                .reconcile = service_reconcile,
                                                                .ctx = s});
    controller_watch_owned(s->service, &KR_CONFIGURATION);
    controller_watch_owned(s->service, &KR_ROUTE);
}
