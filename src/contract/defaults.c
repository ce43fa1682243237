/*
 * Works on the object in place, field by field in the order in which later defaults depend on
 * earlier ones (a time-out bounds the idle time-out). A field that is set is never touched.
 */
#include "contract/defaults.h"

#include "contract/names.h"
#include "contract/template.h"
#include "contract/validate.h"
#include "kube/names.h"

#define CONTAINERS_MAX 1000 /* tried suffixes; objects are bounded far below */

struct defaulting {
    struct kmut *parent;
    yyjson_mut_doc *d;
    yyjson_mut_val *spec;
    const struct contract_config *cfg;
};

static bool unset(yyjson_mut_val *o, const char *field)
{
    yyjson_mut_val *v = yyjson_mut_obj_get(o, field);

    return !v || yyjson_mut_is_null(v);
}

static bool unset_or_zero(yyjson_mut_val *o, const char *field)
{
    return unset(o, field) ||
           (yyjson_mut_is_num(yyjson_mut_obj_get(o, field)) && jm_get_int(o, 0, field) == 0);
}

/* ---- scalars ---- */
static void default_timeouts(const struct defaulting *df)
{
    const struct config_defaults *c = &df->cfg->defaults;

    if (unset_or_zero(df->spec, "timeoutSeconds"))
        jm_set_int(df->d, df->spec, c->timeout_s, "timeoutSeconds");
    int64_t timeout = jm_get_int(df->spec, 0, "timeoutSeconds");
    if (unset(df->spec, "idleTimeoutSeconds") && c->idle_timeout_s != 0 &&
        c->idle_timeout_s < timeout)
        jm_set_int(df->d, df->spec, c->idle_timeout_s, "idleTimeoutSeconds");
    if (unset(df->spec, "responseStartTimeoutSeconds") && c->response_start_timeout_s != 0 &&
        c->response_start_timeout_s < timeout)
        jm_set_int(df->d, df->spec, c->response_start_timeout_s, "responseStartTimeoutSeconds");
    if (unset(df->spec, "containerConcurrency"))
        jm_set_int(df->d, df->spec, c->container_concurrency, "containerConcurrency");
}

/* ---- names ---- */
static void put_copy(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, yyjson_mut_val *v)
{
    yyjson_mut_obj_add_val(d, o, key, v ? yyjson_mut_val_mut_copy(d, v) : yyjson_mut_obj(d));
}

static char *base_name(const struct defaulting *df, const char *template, const char *fallback)
{
    yyjson_mut_val *meta = jm_get(df->parent->root, "metadata");
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    const char *name = jm_get_str(meta, "name"), *ns = jm_get_str(meta, "namespace");

    yyjson_mut_doc_set_root(d, root);
    yyjson_mut_obj_add_strcpy(d, root, "Name", name ? name : "");
    yyjson_mut_obj_add_strcpy(d, root, "Namespace", ns ? ns : "");
    put_copy(d, root, "Labels", jm_get(meta, "labels"));
    put_copy(d, root, "Annotations", jm_get(meta, "annotations"));
    _cleanup_jdoc_ yyjson_doc *data = yyjson_mut_doc_imut_copy(d, NULL);
    char *text = template_fill(template, yyjson_doc_get_root(data), NULL);
    return text ? text : xstrdup(fallback);
}

static bool name_used(const struct defaulting *df, const char *name)
{
    static const char *const lists[] = {"containers", "initContainers"};
    yyjson_mut_val *c;
    size_t i, n;

    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        yyjson_mut_arr_foreach(jm_get(df->spec, lists[l]), i, n, c)
        {
            if (streq(jm_get_str(c, "name"), name))
                return true;
        }
    }
    return false;
}

static void default_names(const struct defaulting *df, const char *list, const char *template,
                          const char *fallback)
{
    yyjson_mut_val *containers = jm_get(df->spec, list), *c;
    size_t i, n, suffix = 0;
    char name[NAME_MAX_LABEL + 1], tail[24];

    if (yyjson_mut_arr_size(containers) == 0)
        return;
    _cleanup_free_ char *base = base_name(df, template, fallback);
    yyjson_mut_arr_foreach(containers, i, n, c)
    {
        const char *have = jm_get_str(c, "name");
        if ((have && have[0]) || !yyjson_mut_is_obj(c))
            continue;
        snprintf(name, sizeof(name), "%s", base);
        while ((n > 1 && streq(name, base)) || name_used(df, name)) {
            if (suffix >= CONTAINERS_MAX)
                return;
            snprintf(tail, sizeof(tail), "-%zu", suffix++);
            child_name(base, tail, name);
        }
        jm_set_str(df->d, c, name, "name");
    }
}

/* ---- one container ---- */
static void default_resources(const struct defaulting *df, yyjson_mut_val *c)
{
    const struct config_defaults *d = &df->cfg->defaults;

    for (int i = 0; i < RES_MAX; i++) {
        const char *name = config_resource_names[i];
        if (d->requests[i] && !jm_get(c, "resources", "requests", name))
            jm_set_str(df->d, c, d->requests[i], "resources", "requests", name);
        if (d->limits[i] && !jm_get(c, "resources", "limits", name))
            jm_set_str(df->d, c, d->limits[i], "resources", "limits", name);
    }
}

static bool has_handler(yyjson_mut_val *probe)
{
    return !unset(probe, "httpGet") || !unset(probe, "tcpSocket") || !unset(probe, "exec") ||
           !unset(probe, "grpc");
}

static void default_probes(const struct defaulting *df, yyjson_mut_val *c, bool serves)
{
    static const char *const kinds[] = {"livenessProbe", "readinessProbe", "startupProbe"};

    if (serves && !has_handler(jm_obj(df->d, c, "readinessProbe")))
        jm_set_int(df->d, c, 0, "readinessProbe", "tcpSocket", "port");
    yyjson_mut_val *ready = jm_get(c, "readinessProbe");
    if (ready && unset_or_zero(ready, "successThreshold"))
        jm_set_int(df->d, ready, 1, "successThreshold");
    if (ready && jm_get_int(ready, 0, "periodSeconds") != 0) {
        if (unset_or_zero(ready, "failureThreshold"))
            jm_set_int(df->d, ready, 3, "failureThreshold");
        if (unset_or_zero(ready, "timeoutSeconds"))
            jm_set_int(df->d, ready, 1, "timeoutSeconds");
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        yyjson_mut_val *grpc = jm_get(c, kinds[i], "grpc");
        if (grpc && unset(grpc, "service"))
            jm_set_str(df->d, grpc, "", "service");
    }
}

static bool mount_is_writable(const struct defaulting *df, const char *volume)
{
    static const char *const writable[] = {"emptyDir", "persistentVolumeClaim", "ephemeral"};
    yyjson_mut_val *v;
    size_t i, n;

    yyjson_mut_arr_foreach(jm_get(df->spec, "volumes"), i, n, v)
    {
        if (!streq(jm_get_str(v, "name"), volume))
            continue;
        for (size_t w = 0; w < ARRAY_LEN(writable); w++) {
            if (!unset(v, writable[w]))
                return true;
        }
    }
    return false;
}

static void default_mounts(const struct defaulting *df, yyjson_mut_val *c)
{
    yyjson_mut_val *m;
    size_t i, n;

    yyjson_mut_arr_foreach(jm_get(c, "volumeMounts"), i, n, m)
    {
        if (yyjson_mut_is_obj(m) && !mount_is_writable(df, jm_get_str(m, "name")))
            jm_set_bool(df->d, m, true, "readOnly");
    }
}

static bool low_port(yyjson_mut_val *c)
{
    yyjson_mut_val *p;
    size_t i, n;

    yyjson_mut_arr_foreach(jm_get(c, "ports"), i, n, p)
    {
        int64_t port = jm_get_int(p, 0, "containerPort");
        if (port > 0 && port < 1024)
            return true;
    }
    return false;
}

static void default_security(const struct defaulting *df, yyjson_mut_val *c)
{
    enum flag secure = df->cfg->features[FEATURE_SECURE_POD_DEFAULTS];
    yyjson_mut_val *pod = jm_get(df->spec, "securityContext");

    if (secure == FLAG_DISABLED)
        return;
    yyjson_mut_val *ctx = jm_obj(df->d, c, "securityContext");
    if (unset(ctx, "allowPrivilegeEscalation"))
        jm_set_bool(df->d, ctx, false, "allowPrivilegeEscalation");
    const char *own = jm_get_str(ctx, "seccompProfile", "type"),
               *pods = jm_get_str(pod, "seccompProfile", "type");
    if ((!own || !own[0]) && (!pods || !pods[0]))
        jm_set_str(df->d, ctx, "RuntimeDefault", "seccompProfile", "type");
    if (unset(ctx, "capabilities")) {
        jm_add_str(df->d, jm_arr(df->d, ctx, "capabilities", "drop"), "ALL");
        if (low_port(c))
            jm_add_str(df->d, jm_arr(df->d, ctx, "capabilities", "add"), "NET_BIND_SERVICE");
    }
    if (secure == FLAG_ENABLED && unset(ctx, "runAsNonRoot") && unset(pod, "runAsNonRoot"))
        jm_set_bool(df->d, ctx, true, "runAsNonRoot");
}

static void default_containers(const struct defaulting *df)
{
    yyjson_mut_val *c;
    size_t i, n;

    yyjson_mut_arr_foreach(jm_get(df->spec, "containers"), i, n, c)
    {
        if (!yyjson_mut_is_obj(c) || yyjson_mut_obj_size(c) == 0)
            continue;
        /* Typed clients always send it and later leave it out: the same must be the same. */
        jm_obj(df->d, c, "resources");
        default_resources(df, c);
        default_probes(df, c, n == 1 || yyjson_mut_arr_size(jm_get(c, "ports")) > 0);
        default_mounts(df, c);
        default_security(df, c);
    }
    yyjson_mut_arr_foreach(jm_get(df->spec, "initContainers"), i, n, c)
    {
        if (!yyjson_mut_is_obj(c))
            continue;
        jm_obj(df->d, c, "resources");
        default_security(df, c);
    }
}

/* An empty container is an error that validation names; a name given to it would hide that. */
static bool any_empty_container(yyjson_mut_val *spec)
{
    yyjson_mut_val *c;
    size_t i, n;

    yyjson_mut_arr_foreach(jm_get(spec, "containers"), i, n, c)
    {
        if (yyjson_mut_obj_size(c) == 0)
            return true;
    }
    return false;
}

void default_revision_spec(struct kmut *parent, yyjson_mut_val *spec,
                           const struct contract_config *cfg, bool create)
{
    struct defaulting df = {.parent = parent, .d = parent->d, .spec = spec, .cfg = cfg};
    const struct config_defaults *c = &cfg->defaults;

    if (!yyjson_mut_is_obj(spec))
        return;
    default_timeouts(&df);
    if (!any_empty_container(spec)) {
        default_names(&df, "containers", c->container_name_template, "user-container");
        default_names(&df, "initContainers", c->init_container_name_template, "init-container");
    }
    if (create && unset(spec, "enableServiceLinks") && c->service_links != SERVICE_LINKS_UNSET)
        jm_set_bool(df.d, spec, c->service_links == SERVICE_LINKS_TRUE, "enableServiceLinks");
    default_containers(&df);
}

/* ---- traffic ---- */
void default_traffic(struct kmut *m, bool of_service)
{
    yyjson_mut_val *traffic = jm_get(m->root, "spec", "traffic"), *t;
    size_t i, n;

    if (yyjson_mut_arr_size(traffic) == 0 && of_service) {
        traffic = jm_arr(KM(m), "spec", "traffic");
        t = jm_add_obj(m->d, traffic);
        jm_set_bool(m->d, t, true, "latestRevision");
        jm_set_int(m->d, t, 100, "percent");
        return;
    }
    yyjson_mut_arr_foreach(traffic, i, n, t)
    {
        if (!yyjson_mut_is_obj(t))
            continue;
        const char *revision = jm_get_str(t, "revisionName");
        if (unset(t, "latestRevision"))
            jm_set_bool(m->d, t, !revision || !revision[0], "latestRevision");
        if (unset(t, "percent"))
            jm_set_int(m->d, t, 0, "percent");
    }
}

/* ---- users ---- */
static bool spec_changed(struct kmut *m, const struct kobj *old)
{
    yyjson_mut_val *spec = jm_get(m->root, "spec");

    if (!spec)
        return jget(kobj_root(old), "spec") != NULL;
    _cleanup_jdoc_ yyjson_doc *now = yyjson_mut_val_imut_copy(spec, NULL);
    return !json_equal(yyjson_doc_get_root(now), jget(kobj_root(old), "spec"));
}

void default_user_info(struct kmut *m, const struct kobj *old, const char *user)
{
    if (!user)
        return;
    if (!old) {
        kmut_annotation(m, A_CREATOR, user);
        kmut_annotation(m, A_LAST_MODIFIER, user);
    } else if (spec_changed(m, old)) {
        kmut_annotation(m, A_LAST_MODIFIER, user);
    }
}
