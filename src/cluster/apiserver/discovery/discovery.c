/*
 * Discovery: groups, versions and resources, in the plain and in the aggregated form. Answers are
 * made from the registry at each request; clients cache them.
 */
#include "cluster/apiserver/discovery/discovery.h"

static void quoted(struct buf *b, const char *key, const char *value)
{
    buf_addf(b, "\"%s\":", key);
    json_quote(b, value);
}

static void string_list(struct buf *b, const char *key, const char *const *list)
{
    if (!list || !*list)
        return;
    buf_addf(b, ",\"%s\":[", key);
    for (size_t i = 0; list[i]; i++) {
        if (i)
            buf_addc(b, ',');
        json_quote(b, list[i]);
    }
    buf_addc(b, ']');
}

#define ALL_VERBS                                                                                  \
    "[\"create\",\"delete\",\"deletecollection\",\"get\",\"list\",\"patch\",\"update\",\"watch\"]"
#define SUB_VERBS "[\"get\",\"patch\",\"update\"]"

#define MAX_SUBS 8
struct sub {
    const char *name, *group, *version, *kind, *verbs;
};

/* What the node serves. */
static const struct sub pod_subs[] = {
    {"attach", NULL, NULL, "PodAttachOptions", "[\"create\",\"get\"]"},
    {"exec", NULL, NULL, "PodExecOptions", "[\"create\",\"get\"]"},
    {"log", NULL, NULL, "Pod", "[\"get\"]"},
    {"portforward", NULL, NULL, "PodPortForwardOptions", "[\"create\",\"get\"]"},
};

static size_t subs_of(const struct api_kind *k, struct sub ret[static MAX_SUBS])
{
    size_t n = 0;

    if (k->has_status)
        ret[n++] = (struct sub){"status", NULL, NULL, k->res.kind, SUB_VERBS};
    if (k->has_scale)
        ret[n++] = (struct sub){"scale", "autoscaling", "v1", "Scale", SUB_VERBS};
    if (kube_resource_eq(&k->res, &KR_NAMESPACE))
        ret[n++] = (struct sub){"finalize", NULL, NULL, k->res.kind, "[\"update\"]"};
    if (kube_resource_eq(&k->res, &KR_POD))
        for (size_t i = 0; i < ARRAY_LEN(pod_subs); i++)
            ret[n++] = pod_subs[i];
    return n;
}

static bool in(const struct api_kind *k, const char *group, const char *version)
{
    return k->served && streq(k->res.group, group) && (!version || streq(k->res.version, version));
}

/* Calls fn for each version of a group once, the preferred one first. */
static void each_version(const struct kinds *ks, const char *group,
                         void (*fn)(struct buf *b, const char *group, const char *version,
                                    bool first, const struct kinds *ks),
                         struct buf *b)
{
    const char *seen[64];
    size_t n = 0;

    for (size_t i = 0; i < kinds_len(ks); i++) {
        const struct api_kind *k = kinds_at(ks, i);
        bool known = !in(k, group, NULL);

        for (size_t j = 0; j < n; j++)
            known |= streq(seen[j], k->res.version);
        if (known || n == ARRAY_LEN(seen))
            continue;
        fn(b, group, k->res.version, n == 0, ks);
        seen[n++] = k->res.version;
    }
}

/* Groups other than core, in the registry's order, each once. */
static const char *next_group(const struct kinds *ks, size_t *at)
{
    for (; *at < kinds_len(ks); ++*at) {
        const struct api_kind *k = kinds_at(ks, *at);
        bool first = k->served && k->res.group[0];

        for (size_t j = *at; first && j > 0; j--)
            if (in(kinds_at(ks, j - 1), k->res.group, NULL))
                first = false;
        if (first) {
            ++*at;
            return k->res.group;
        }
    }
    return NULL;
}

/* ---- plain ---- */
static void resource(struct buf *b, const struct api_kind *k, bool first)
{
    struct sub subs[MAX_SUBS];
    size_t n = subs_of(k, subs);

    buf_addf(b, "%s{", first ? "" : ",");
    quoted(b, "name", k->res.plural);
    buf_addc(b, ',');
    quoted(b, "singularName", k->singular);
    buf_addf(b, ",\"namespaced\":%s,", k->res.namespaced ? "true" : "false");
    quoted(b, "kind", k->res.kind);
    buf_addz(b, ",\"verbs\":" ALL_VERBS);
    string_list(b, "shortNames", k->short_names);
    string_list(b, "categories", k->categories);
    buf_addf(b, ",\"storageVersionHash\":\"\"}");
    for (size_t i = 0; i < n; i++) {
        buf_addf(b, ",{\"name\":\"%s/%s\",\"singularName\":\"\",\"namespaced\":%s", k->res.plural,
                 subs[i].name, k->res.namespaced ? "true" : "false");
        if (subs[i].group)
            buf_addf(b, ",\"group\":\"%s\",\"version\":\"%s\"", subs[i].group, subs[i].version);
        buf_addc(b, ',');
        quoted(b, "kind", subs[i].kind);
        buf_addf(b, ",\"verbs\":%s}", subs[i].verbs);
    }
}

static size_t resources(struct buf *b, const struct kinds *ks, const char *group,
                        const char *version)
{
    size_t n = 0;

    buf_addf(b,
             "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":\"%s%s%s\","
             "\"resources\":[",
             group, *group ? "/" : "", version);
    for (size_t i = 0; i < kinds_len(ks); i++)
        if (in(kinds_at(ks, i), group, version))
            resource(b, kinds_at(ks, i), n++ == 0);
    buf_addz(b, "]}\n");
    return n;
}

static void version_plain(struct buf *b, const char *group, const char *version, bool first,
                          const struct kinds *ks)
{
    buf_addf(b, "%s{\"groupVersion\":\"%s/%s\",\"version\":\"%s\"}", first ? "" : ",", group,
             version, version);
}

static void version_preferred(struct buf *b, const char *group, const char *version, bool first,
                              const struct kinds *ks)
{
    if (first)
        buf_addf(b, "{\"groupVersion\":\"%s/%s\",\"version\":\"%s\"}", group, version, version);
}

static void group_plain(struct buf *b, const struct kinds *ks, const char *group, bool typed)
{
    buf_addf(b, "{%s\"name\":\"%s\",\"versions\":[",
             typed ? "\"kind\":\"APIGroup\",\"apiVersion\":\"v1\"," : "", group);
    each_version(ks, group, version_plain, b);
    buf_addz(b, "],\"preferredVersion\":");
    each_version(ks, group, version_preferred, b);
    buf_addc(b, '}');
}

static void groups(struct buf *b, const struct kinds *ks)
{
    const char *sep = "", *g;

    buf_addz(b, "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[");
    for (size_t at = 0; (g = next_group(ks, &at)); sep = ",") {
        buf_addz(b, sep);
        group_plain(b, ks, g, false);
    }
    buf_addz(b, "]}\n");
}

/* ---- aggregated ---- */
static void kind_json(struct buf *b, const char *group, const char *version, const char *kind)
{
    buf_addz(b, "\"responseKind\":{");
    quoted(b, "group", group);
    buf_addc(b, ',');
    quoted(b, "version", version);
    buf_addc(b, ',');
    quoted(b, "kind", kind);
    buf_addc(b, '}');
}

static void resource_aggregated(struct buf *b, const struct api_kind *k, bool first)
{
    struct sub subs[MAX_SUBS];
    size_t n = subs_of(k, subs);

    buf_addf(b, "%s{", first ? "" : ",");
    quoted(b, "resource", k->res.plural);
    buf_addc(b, ',');
    kind_json(b, k->res.group, k->res.version, k->res.kind);
    buf_addf(b, ",\"scope\":\"%s\",", k->res.namespaced ? "Namespaced" : "Cluster");
    quoted(b, "singularResource", k->singular);
    buf_addz(b, ",\"verbs\":" ALL_VERBS);
    string_list(b, "shortNames", k->short_names);
    string_list(b, "categories", k->categories);
    if (n)
        buf_addz(b, ",\"subresources\":[");
    for (size_t i = 0; i < n; i++) {
        buf_addf(b, "%s{\"subresource\":\"%s\",", i ? "," : "", subs[i].name);
        kind_json(b, subs[i].group ? subs[i].group : k->res.group,
                  subs[i].version ? subs[i].version : k->res.version, subs[i].kind);
        buf_addf(b, ",\"verbs\":%s}", subs[i].verbs);
    }
    buf_addz(b, n ? "]}" : "}");
}

static void version_aggregated(struct buf *b, const char *group, const char *version, bool first,
                               const struct kinds *ks)
{
    size_t n = 0;

    buf_addf(b, "%s{\"version\":\"%s\",\"freshness\":\"Current\",\"resources\":[", first ? "" : ",",
             version);
    for (size_t i = 0; i < kinds_len(ks); i++)
        if (in(kinds_at(ks, i), group, version))
            resource_aggregated(b, kinds_at(ks, i), n++ == 0);
    buf_addz(b, "]}");
}

static void group_aggregated(struct buf *b, const struct kinds *ks, const char *group)
{
    buf_addf(b, "{\"metadata\":{%s%s%s\"creationTimestamp\":null},\"versions\":[",
             *group ? "\"name\":\"" : "", group, *group ? "\"," : "");
    each_version(ks, group, version_aggregated, b);
    buf_addz(b, "]}");
}

static void aggregated(struct buf *b, const struct kinds *ks, bool core)
{
    const char *sep = "", *g;

    buf_addz(b, "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/v2\","
                "\"metadata\":{},\"items\":[");
    if (core)
        group_aggregated(b, ks, "");
    for (size_t at = 0; !core && (g = next_group(ks, &at)); sep = ",") {
        buf_addz(b, sep);
        group_aggregated(b, ks, g);
    }
    buf_addz(b, "]}\n");
}

/* ---- the request ---- */
static void api_versions(struct buf *b)
{
    buf_addz(b, "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],\"serverAddressByClientCIDRs\":["
                "{\"clientCIDR\":\"0.0.0.0/0\",\"serverAddress\":\"\"}]}\n");
}

static bool plain(const struct kinds *ks, const struct api_path *p, struct buf *b)
{
    size_t at = 0;
    const char *g;

    switch (p->kind) {
    case PATH_ROOT:
        buf_addz(b, "{\"paths\":[\"/api\",\"/api/v1\",\"/apis\",\"/healthz\",\"/livez\",\"/openapi/"
                    "v2\",\"/openapi/v3\",\"/readyz\",\"/version\"]}\n");
        return true;
    case PATH_API:
        api_versions(b);
        return true;
    case PATH_APIS:
        groups(b, ks);
        return true;
    case PATH_GROUP:
        while ((g = next_group(ks, &at)) && !streq(g, p->group))
            ;
        if (g)
            group_plain(b, ks, g, true);
        return g != NULL;
    default:
        return resources(b, ks, p->group, p->version) > 0;
    }
}

const char *discovery_document(const struct kinds *ks, const struct api_path *p,
                               const struct api_accept *accept, struct buf *out)
{
    if (accept->form == FORM_AGGREGATED_DISCOVERY &&
        (p->kind == PATH_API || p->kind == PATH_APIS)) {
        aggregated(out, ks, p->kind == PATH_API);
        return "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    }
    return plain(ks, p, out) ? "application/json" : NULL;
}
