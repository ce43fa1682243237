/*
 * One run: find or make the Revision of the present generation, say how it fares, then look which
 * Revision is the latest that is ready. The latter never goes back by itself: only generations from
 * the present one upward count.
 */
#include "serving/configuration/configuration.h"

#include "contract/admit.h"
#include "contract/conditions.h"
#include "serving/child.h"
#include "serving/configuration/byo.h"
#include "serving/configuration/revision_build.h"

#define INDEX "configuration"

struct run {
    struct serving *s;
    const struct reconcile_ctx *rc;
    struct plan *p;
    const struct kobj *configuration; /* defaulted */
    kobj_vec revisions;               /* of this Configuration */
    struct cond c;
};

static int64_t generation_of(const struct kobj *revision)
{
    const char *label = kobj_label(revision, L_CONFIGURATION_GEN);
    int64_t n;

    return label && str_i64(str_of(label), &n) == 0 ? n : 0;
}

/* ---- the Revision of this generation ---- */
enum found { FOUND, FOUND_NONE, FOUND_CONFLICT };

static enum found find_current(struct run *r, const struct kobj **ret)
{
    const char *name = byo_name(r->configuration);

    *ret = NULL;
    if (name) {
        const struct kobj *revision = serving_get(r->s, &KR_REVISION, r->rc->ns, name);
        enum byo b = byo_check(r->configuration, revision);
        *ret = b == BYO_OURS ? revision : NULL;
        return b == BYO_OURS ? FOUND : b == BYO_CONFLICT ? FOUND_CONFLICT : FOUND_NONE;
    }
    for (size_t i = 0; i < r->revisions.n; i++) {
        const struct kobj *revision = r->revisions.p[i];
        if (kobj_controlled_by(revision, r->configuration) &&
            generation_of(revision) == kobj_generation(r->configuration)) {
            *ret = revision;
            return FOUND;
        }
    }
    return FOUND_NONE;
}

static void creation_failed(struct run *r, const char *why)
{
    cs_false(&r->c, COND_READY, "RevisionFailed", "Revision creation failed with message: %s.",
             why);
}

static void set_created(struct run *r, const char *name)
{
    jm_set_str(KM(r->c.obj), name, "status", "latestCreatedRevisionName");
    if (!streq(jm_get_str(r->c.obj->root, "status", "latestReadyRevisionName"), name))
        cs_unknown(&r->c, COND_READY, NULL, NULL);
}

static void create(struct run *r)
{
    if (child_refused(r->rc, PLAN_CREATE, &KR_REVISION)) {
        const char *why = r->rc->failure->err.msg;
        if (!kube_is_exists(r->rc->failure)) {
            plan_event(r->p, &KR_CONFIGURATION, r->rc->obj, "Warning", "CreationFailed",
                       "Failed to create Revision: %s", why);
            creation_failed(r, why);
        }
        plan_fail(r->p, "failed to create Revision: %s", why);
        return;
    }
    struct kmut *revision = configuration_revision(r->configuration, r->rc->now_ns);
    const char *name = jm_get_str(revision->root, "metadata", "name");
    set_created(r, name);
    plan_create(r->p, &KR_REVISION, revision); /* the plan keeps it, and so the name */
    plan_event(r->p, &KR_CONFIGURATION, r->rc->obj, "Normal", "Created", "Created Revision \"%s\"",
               name);
}

static void say_conflict(struct run *r)
{
    _cleanup_free_ char *why = xasprintf("%s.%s \"%s\" already exists", KR_REVISION.plural,
                                         KR_REVISION.group, byo_name(r->configuration));

    creation_failed(r, why);
}

/* ---- how it fares ---- */
static void say_failed(struct run *r, const struct kobj *revision)
{
    const char *name = kobj_name(revision),
               *message = jget_str(kobj_condition(revision, COND_READY), "message");
    yyjson_val *was = kobj_condition(r->rc->obj, COND_READY);
    _cleanup_free_ char *text =
        xasprintf("Revision \"%s\" failed with message: %s.", name, message ? message : "");
    bool ready = streq(name, jm_get_str(r->c.obj->root, "status", "latestReadyRevisionName"));

    cs_false(&r->c, COND_READY, "RevisionFailed", "%s", text);
    if (streq(jget_str(was, "status"), "False") && streq(jget_str(was, "message"), text))
        return;
    plan_event(r->p, &KR_CONFIGURATION, r->rc->obj, "Warning",
               ready ? "LatestReadyFailed" : "LatestCreatedFailed",
               "Latest %s revision \"%s\" has failed", ready ? "ready" : "created", name);
}

static void assess(struct run *r, const struct kobj *revision)
{
    set_created(r, kobj_name(revision));
    if (kobj_condition_is(revision, COND_READY, "False"))
        say_failed(r, revision);
    else if (kobj_condition_is(revision, COND_READY, "True") &&
             !jm_get_str(r->c.obj->root, "status", "latestReadyRevisionName"))
        plan_event(r->p, &KR_CONFIGURATION, r->rc->obj, "Normal", "ConfigurationReady",
                   "Configuration becomes ready");
}

/* ---- the latest that is ready ---- */
static int64_t lowest_candidate(struct run *r)
{
    const char *ready = jm_get_str(r->c.obj->root, "status", "latestReadyRevisionName");
    const struct kobj *revision = ready ? serving_get(r->s, &KR_REVISION, r->rc->ns, ready) : NULL;

    return revision ? generation_of(revision) : 0;
}

static const struct kobj *latest_ready(struct run *r, const struct kobj *current)
{
    int64_t low = lowest_candidate(r), high = kobj_generation(r->configuration);
    const struct kobj *best = NULL;

    if (byo_name(r->configuration) && kobj_is_ready(current))
        return current;
    for (size_t i = 0; i < r->revisions.n; i++) {
        const struct kobj *revision = r->revisions.p[i];
        int64_t g = generation_of(revision);
        if (g >= low && g <= high && kobj_is_ready(revision) && (!best || g > generation_of(best)))
            best = revision;
    }
    return best;
}

static void set_ready(struct run *r, const struct kobj *revision)
{
    const char *name = kobj_name(revision);
    yyjson_mut_val *root = r->c.obj->root;

    if (!streq(jm_get_str(root, "status", "latestReadyRevisionName"), name)) {
        jm_set_str(KM(r->c.obj), name, "status", "latestReadyRevisionName");
        plan_event(r->p, &KR_CONFIGURATION, r->rc->obj, "Normal", "LatestReadyUpdate",
                   "LatestReadyRevisionName updated to \"%s\"", name);
    }
    if (streq(jm_get_str(root, "status", "latestCreatedRevisionName"), name))
        cs_true(&r->c, COND_READY);
}

static void decide(struct run *r)
{
    const struct kobj *current, *ready;

    switch (find_current(r, &current)) {
    case FOUND_CONFLICT:
        say_conflict(r);
        return;
    case FOUND_NONE:
        create(r);
        break;
    case FOUND:
        assess(r, current);
        break;
    }
    ready = latest_ready(r, current);
    if (ready)
        set_ready(r, ready);
}

void configuration_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct serving *s = ctx;
    struct run r = {.s = s, .rc = rc, .p = p};

    if (!rc->obj || kobj_deleting(rc->obj))
        return;
    _cleanup_kobj_ const struct kobj *configuration =
        contract_defaulted(&KR_CONFIGURATION, rc->obj, s->config);
    r.configuration = configuration;
    cache_list_by(manager_cache(s->m, &KR_REVISION), INDEX, rc->key, &r.revisions);
    cs_begin(&r.c, &CS_CONFIGURATION, rc->obj, rc->now_ns);
    decide(&r);
    cs_end(&r.c, p, &KR_CONFIGURATION);
    vec_done(&r.revisions);
}

/* ---- registration ---- */
static void index_configuration(const struct kobj *o, void (*emit)(void *to, const char *key),
                                void *to)
{
    const char *name = kobj_label(o, L_CONFIGURATION);

    if (!name)
        return;
    _cleanup_free_ char *key = kube_key(kobj_namespace(o), name);
    emit(to, key);
}

void configuration_add_index(struct manager *m)
{
    cache_add_index(manager_cache(m, &KR_REVISION), INDEX, index_configuration);
}

void configuration_reconciler_register(struct serving *s)
{
    configuration_add_index(s->m);
    s->configuration =
        controller_new(s->m, &(struct controller_opts){.name = "configuration-controller",
                                                       .res = &KR_CONFIGURATION,
                                                       .reconcile = configuration_reconcile,
                                                       .ctx = s});
    controller_watch_owned(s->configuration, &KR_REVISION);
}
