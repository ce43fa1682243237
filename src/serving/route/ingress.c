/*
 * Per traffic group, the default one first: a rule for the names inside the cluster, then, unless
 * the host is cluster-local, one for the public name. Each has one path whose splits are the
 * group's revisions; with tag headers on, the default hosts also have one path per tag, chosen by a
 * request header, before it.
 */
#include "serving/route/ingress.h"

#include <errno.h>
#include <strings.h>

#include "contract/names.h"
#include "kube/names.h"

#define A_LAST_APPLIED   "kubectl.kubernetes.io/last-applied-configuration"
#define A_INGRESS_DASHED "networking.knative.dev/ingress-class"
#define A_CERT_DASHED    "networking.knative.dev/certificate-class"
#define A_HTTP_OPTION    "networking.knative.dev/httpOption"
#define A_HTTP_PROTOCOL  "networking.knative.dev/http-protocol"
#define A_TAG_TO_HOST    "networking.internal.knative.dev/tag-to-host"
#define H_TAG            "Knative-Serving-Tag"
#define H_DEFAULT_ROUTE  "Knative-Serving-Default-Route"
#define PORT_HTTP1       80
#define PORT_H2C         81

struct build {
    const struct route_hosts *h;
    const route_host_vec *hosts;
    const struct rollout *rollout;
    struct kmut *m;
    bool tag_headers;
};

const char *ingress_class_of(const struct contract_config *c, const struct kobj *route)
{
    const char *class = kobj_annotation(route, A_INGRESS_CLASS);

    if (!class)
        class = kobj_annotation(route, A_INGRESS_DASHED);
    return class ? class : c->network.ingress_class;
}

/* ---- rules ---- */
static void add_split(struct build *b, yyjson_mut_val *splits, const char *revision, int percent,
                      bool h2c)
{
    yyjson_mut_val *s = jm_add_obj(b->m->d, splits);
    const char *ns = kobj_namespace(b->h->route);

    jm_set_str(b->m->d, s, ns, "serviceNamespace");
    jm_set_str(b->m->d, s, revision, "serviceName");
    jm_set_int(b->m->d, s, h2c ? PORT_H2C : PORT_HTTP1, "servicePort");
    jm_set_int(b->m->d, s, percent, "percent");
    jm_set_str(b->m->d, s, ns, "appendHeaders", H_REVISION_NAMESPACE);
    jm_set_str(b->m->d, s, revision, "appendHeaders", H_REVISION);
}

static void add_target(struct build *b, yyjson_mut_val *splits, const char *tag,
                       const struct traffic_target *t)
{
    const struct rollout_entry *e =
        t->latest ? rollout_find(b->rollout, tag, t->configuration) : NULL;

    if (!e) {
        add_split(b, splits, t->revision, t->percent, t->h2c);
        return;
    }
    for (size_t i = 0; i < e->revisions.n; i++)
        add_split(b, splits, e->revisions.p[i].name, e->revisions.p[i].percent, t->h2c);
}

static yyjson_mut_val *add_path(struct build *b, yyjson_mut_val *paths,
                                const struct traffic_group *g)
{
    yyjson_mut_val *path = jm_add_obj(b->m->d, paths);
    yyjson_mut_val *splits = jm_arr(b->m->d, path, "splits");

    for (size_t i = 0; i < g->targets.n; i++) {
        if (g->targets.p[i].percent)
            add_target(b, splits, g->tag, &g->targets.p[i]);
    }
    return path;
}

static void add_tag_paths(struct build *b, yyjson_mut_val *paths)
{
    for (size_t i = 0; i < b->hosts->n; i++) {
        const struct traffic_group *g = b->hosts->p[i].group;
        if (!*g->tag)
            continue;
        yyjson_mut_val *path = add_path(b, paths, g);
        jm_set_str(b->m->d, path, g->tag, "headers", H_TAG, "exact");
    }
}

static void add_rule(struct build *b, const struct route_host *host, const char *visibility,
                     const char *const *names, size_t n)
{
    yyjson_mut_val *rule = jm_add_obj(b->m->d, jm_arr(KM(b->m), "spec", "rules"));
    yyjson_mut_val *list = jm_arr(b->m->d, rule, "hosts");
    yyjson_mut_val *paths = jm_arr(b->m->d, rule, "http", "paths");
    bool is_default = !*host->group->tag;

    for (size_t i = 0; i < n; i++)
        jm_add_str(b->m->d, list, names[i]);
    jm_set_str(b->m->d, rule, visibility, "visibility");
    if (b->tag_headers && is_default)
        add_tag_paths(b, paths);
    yyjson_mut_val *path = add_path(b, paths, host->group);
    if (b->tag_headers && is_default)
        jm_set_str(b->m->d, path, "true", "appendHeaders", H_DEFAULT_ROUTE);
    else if (b->tag_headers)
        jm_set_str(b->m->d, path, host->group->tag, "appendHeaders", H_TAG);
}

static void add_rules(struct build *b, const struct route_host *host)
{
    const char *local[3];
    size_t n = route_local_aliases(b->h, host->hostname, local);

    add_rule(b, host, "ClusterLocal", local, n);
    if (!host->local)
        add_rule(b, host, "ExternalIP", &host->fqdn, 1);
}

/* ---- option ---- */
static int set_http_option(struct build *b, struct err *e)
{
    const char *v = kobj_annotation(b->h->route, A_HTTP_OPTION);

    if (!v)
        v = kobj_annotation(b->h->route, A_HTTP_PROTOCOL);
    enum http_option o = b->h->config->network.http_protocol;
    if (v && strcasecmp(v, "enabled") == 0)
        o = HTTP_OPTION_ENABLED;
    else if (v && strcasecmp(v, "redirected") == 0)
        o = HTTP_OPTION_REDIRECTED;
    else if (v)
        return err_set(e, -EINVAL, "incorrect http-protocol annotation: %s", v);
    if (o != HTTP_OPTION_DISABLED)
        jm_set_str(KM(b->m), o == HTTP_OPTION_ENABLED ? "Enabled" : "Redirected", "spec",
                   "httpOption");
    return 0;
}

/* ---- metadata ---- */
static void set_tag_to_host(struct build *b)
{
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *map = yyjson_mut_obj(d);

    for (size_t i = 0; i < b->hosts->n; i++) {
        const struct route_host *host = &b->hosts->p[i];
        if (!*host->group->tag)
            continue;
        yyjson_mut_val *list = jm_arr(d, map, host->group->tag);
        jm_add_str(d, list, host->local_fqdn);
        if (!host->local)
            jm_add_str(d, list, host->fqdn);
    }
    if (yyjson_mut_obj_size(map) == 0)
        return;
    yyjson_mut_doc_set_root(d, map);
    _cleanup_free_ char *text = json_mut_text(map, NULL);
    kmut_annotation(b->m, A_TAG_TO_HOST, text);
}

/* The class and the rollout come first: annotations of the Route win over them. */
static void set_metadata(struct build *b)
{
    const struct kobj *route = b->h->route;
    yyjson_val *labels = jget(kobj_root(route), "metadata", "labels");
    yyjson_val *annotations = jget(kobj_root(route), "metadata", "annotations");
    _cleanup_free_ char *rollout = rollout_text(b->rollout);
    yyjson_val *key, *value;
    size_t i, max;

    if (labels)
        jm_set_copy(KM(b->m), labels, "metadata", "labels");
    kmut_label(b->m, L_ROUTE, kobj_name(route));
    kmut_label(b->m, L_ROUTE_NAMESPACE, kobj_namespace(route));
    kmut_annotation(b->m, A_INGRESS_CLASS, ingress_class_of(b->h->config, route));
    kmut_annotation(b->m, A_ROLLOUT, rollout);
    yyjson_obj_foreach(annotations, i, max, key, value)
    {
        const char *k = yyjson_get_str(key);
        if (!streq(k, A_LAST_APPLIED) && !streq(k, A_INGRESS_DASHED) && !streq(k, A_CERT_DASHED))
            kmut_annotation(b->m, k, yyjson_get_str(value));
    }
    set_tag_to_host(b);
    kmut_set_controller(b->m, route);
}

struct kmut *ingress_build(const struct route_hosts *h, const route_host_vec *hosts,
                           const struct rollout *rollout, struct err *e)
{
    char name[NAME_MAX_LABEL + 1];

    child_name(kobj_name(h->route), "", name);
    struct build b = {
        .h = h,
        .hosts = hosts,
        .rollout = rollout,
        .m = kmut_new(&KR_INGRESS, kobj_namespace(h->route), name),
        .tag_headers = feature_on(h->config, FEATURE_TAG_HEADER),
    };
    set_metadata(&b);
    for (size_t i = 0; i < hosts->n; i++)
        add_rules(&b, &hosts->p[i]);
    if (set_http_option(&b, e) < 0) {
        kmut_free(b.m);
        return NULL;
    }
    return b.m;
}
