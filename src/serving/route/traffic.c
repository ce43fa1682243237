/*
 * Targets are walked in order and an unusable one does not stop the walk: all objects that matter
 * are gathered, so that the Route runs again whichever of them changes. Of several complaints the
 * last failure is told, or else the first of those that may pass.
 */
#include "serving/route/traffic.h"

#include <stdarg.h>
#include <stdio.h>

#include "contract/names.h"

struct walk {
    struct traffic *t;
    const struct kobj *route;
    const struct cache *configurations, *revisions;
    const char *ns;
};

__attribute__((format(printf, 4, 5))) static void
complain(struct traffic *t, enum traffic_verdict verdict, const char *reason, const char *fmt, ...)
{
    if (verdict == TRAFFIC_WAITING && t->verdict != TRAFFIC_ASSIGNED)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(t->message, sizeof(t->message), fmt, ap);
    va_end(ap);
    t->verdict = verdict;
    t->reason = reason;
}

static const struct kobj *look_up(struct walk *w, const struct kube_resource *res,
                                  const struct cache *in, const char *name)
{
    const struct kobj *o = cache_get(in, w->ns, name);

    vec_push(&w->t->refs, ((struct traffic_ref){res, name}));
    if (!o)
        complain(w->t, TRAFFIC_FAILED,
                 res == &KR_REVISION ? "RevisionMissing" : "ConfigurationMissing",
                 "%s \"%s\" referenced in traffic not found.", res->kind, name);
    return o;
}

bool revision_speaks_h2c(const struct kobj *revision)
{
    yyjson_val *container, *port;
    size_t i, max, j, max_port;

    yyjson_arr_foreach(jget(kobj_root(revision), "spec", "containers"), i, max, container)
    {
        yyjson_arr_foreach(jget(container, "ports"), j, max_port, port)
        {
            return streq(jget_str(port, "name"), "h2c");
        }
    }
    return false;
}

static bool usable(struct walk *w, const struct kobj *revision)
{
    if (kobj_is_ready(revision))
        return true;
    if (kobj_is_failed(revision))
        complain(w->t, TRAFFIC_FAILED, "RevisionMissing", "Revision \"%s\" failed to become ready.",
                 kobj_name(revision));
    else
        complain(w->t, TRAFFIC_WAITING, "RevisionMissing", "Revision \"%s\" is not yet ready.",
                 kobj_name(revision));
    return false;
}

static bool belongs(struct walk *w, const struct kobj *revision)
{
    const char *service = kobj_label(w->route, L_SERVICE);
    const char *of = kobj_label(revision, L_SERVICE);

    if (!service || streq(service, of))
        return true;
    if (of)
        complain(w->t, TRAFFIC_FAILED, "RevisionNotOwned",
                 "Revision \"%s\" belongs to Service \"%s\", not Service \"%s\".",
                 kobj_name(revision), of, service);
    else
        complain(w->t, TRAFFIC_FAILED, "RevisionNotOwned",
                 "Revision \"%s\" does not belong to Service \"%s\".", kobj_name(revision),
                 service);
    return false;
}

static const struct kobj *resolve_configuration(struct walk *w, const char *name)
{
    const struct kobj *c = look_up(w, &KR_CONFIGURATION, w->configurations, name);
    const char *latest = jget_str(kobj_root(c), "status", "latestReadyRevisionName");

    if (!c)
        return NULL;
    if (!latest || !*latest) {
        if (kobj_is_failed(c))
            complain(w->t, TRAFFIC_FAILED, "RevisionMissing",
                     "Configuration \"%s\" does not have any ready Revision.", name);
        else
            complain(w->t, TRAFFIC_WAITING, "RevisionMissing",
                     "Configuration \"%s\" is waiting for a Revision to become ready.", name);
        return NULL;
    }
    const struct kobj *r = look_up(w, &KR_REVISION, w->revisions, latest);
    return r && usable(w, r) ? r : NULL;
}

static const struct kobj *resolve_revision(struct walk *w, const char *name)
{
    const struct kobj *r = look_up(w, &KR_REVISION, w->revisions, name);

    if (!r || !belongs(w, r) || !usable(w, r))
        return NULL;
    const char *configuration = kobj_label(r, L_CONFIGURATION);
    return configuration && look_up(w, &KR_CONFIGURATION, w->configurations, configuration) ? r
                                                                                            : NULL;
}

static void add_to_group(struct traffic *t, const char *tag, struct traffic_target target)
{
    struct traffic_group *g = NULL;

    for (size_t i = 0; i < t->groups.n; i++) {
        if (streq(t->groups.p[i].tag, tag))
            g = &t->groups.p[i];
    }
    if (!g) {
        vec_push(&t->groups, ((struct traffic_group){.tag = tag}));
        g = &t->groups.p[t->groups.n - 1];
    }
    for (size_t i = 0; i < g->targets.n; i++) {
        if (streq(g->targets.p[i].revision, target.revision)) {
            g->targets.p[i].percent += target.percent;
            return;
        }
    }
    vec_push(&g->targets, target);
}

static void resolve_target(struct walk *w, const yyjson_val *spec)
{
    const char *configuration = jget_str(spec, "configurationName");
    const char *revision = jget_str(spec, "revisionName");
    const char *tag = jget_str(spec, "tag");
    bool by_revision = revision && *revision;
    const struct kobj *r = by_revision     ? resolve_revision(w, revision)
                           : configuration ? resolve_configuration(w, configuration)
                                           : NULL;

    if (!by_revision && !configuration)
        complain(w->t, TRAFFIC_WAITING, "Unknown",
                 "A traffic target names neither a Configuration nor a Revision.");
    if (!r)
        return;
    struct traffic_target target = {
        .tag = tag ? tag : "",
        .configuration = by_revision ? kobj_label(r, L_CONFIGURATION) : configuration,
        .revision = kobj_name(r),
        .percent = (int)jget_int(spec, 0, "percent"),
        .latest = jget_bool(spec, !by_revision, "latestRevision"),
        .h2c = revision_speaks_h2c(r),
    };
    vec_push(&w->t->targets, target);
    add_to_group(w->t, "", target);
    if (*target.tag)
        add_to_group(w->t, target.tag, target);
}

static int by_tag(const void *a, const void *b)
{
    return strcmp(((const struct traffic_group *)a)->tag, ((const struct traffic_group *)b)->tag);
}

void traffic_resolve(struct traffic *t, const struct kobj *route,
                     const struct cache *configurations, const struct cache *revisions)
{
    struct walk w = {t, route, configurations, revisions, kobj_namespace(route)};
    yyjson_val *spec;
    size_t i, max;

    *t = (struct traffic){.verdict = TRAFFIC_ASSIGNED};
    yyjson_arr_foreach(jget(kobj_root(route), "spec", "traffic"), i, max, spec)
    {
        resolve_target(&w, spec);
    }
    if (t->targets.n == 0)
        complain(t, TRAFFIC_WAITING, "Unknown", "The Route has no traffic targets.");
    if (t->groups.n)
        qsort(t->groups.p, t->groups.n, sizeof(t->groups.p[0]), by_tag);
    for (size_t g = 0; g < t->groups.n; g++) {
        if (t->groups.p[g].targets.n == 1)
            t->groups.p[g].targets.p[0].percent = 100;
    }
}

void traffic_done(struct traffic *t)
{
    for (size_t i = 0; i < t->groups.n; i++)
        vec_done(&t->groups.p[i].targets);
    vec_done(&t->groups);
    vec_done(&t->targets);
    vec_done(&t->refs);
}
