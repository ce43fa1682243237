/*
 * OpenAPI as far as clients need it. v3: per group and version, the PATCH operation of each kind
 * with its query parameters (kubectl looks there for fieldValidation before it leaves validation to
 * the server) and the schemas of all kinds (kubectl explain): built-in ones from their tables. v2:
 * a document without definitions, so that clients fall back on what they know.
 */
#include "cluster/apiserver/discovery/discovery.h"
#include "cluster/apiserver/types/ktype.h"

static void index_entry(struct buf *b, const char *group, const char *version, bool first,
                        uint64_t generation)
{
    const char *pre = *group ? "apis/" : "api", *slash = "/";

    buf_addf(b, "%s\"%s%s%s%s\":{\"serverRelativeURL\":\"/openapi/v3/%s%s%s%s?hash=%llX\"}",
             first ? "" : ",", pre, group, slash, version, pre, group, slash, version,
             (unsigned long long)generation);
}

static void index_json(struct buf *b, const struct kinds *ks)
{
    const struct api_kind *prev = NULL;
    bool first = true;

    buf_addz(b, "{\"paths\":{");
    for (size_t i = 0; i < kinds_len(ks); i++) {
        const struct api_kind *k = kinds_at(ks, i);
        bool again = false;

        if (!k->served)
            continue;
        for (size_t j = i; !again && j > 0; j--) {
            prev = kinds_at(ks, j - 1);
            again = prev->served && streq(prev->res.group, k->res.group) &&
                    streq(prev->res.version, k->res.version);
        }
        if (again)
            continue;
        index_entry(b, k->res.group, k->res.version, first, kinds_generation(ks));
        first = false;
    }
    buf_addz(b, "}}\n");
}

static void gvk(struct buf *b, const struct kube_resource *r)
{
    buf_addf(b, "{\"group\":\"%s\",\"version\":\"%s\",\"kind\":", r->group, r->version);
    json_quote(b, r->kind);
    buf_addc(b, '}');
}

static void path_entry(struct buf *b, const struct kube_resource *r)
{
    static const char *const params[] = {"dryRun", "fieldManager", "fieldValidation", "force",
                                         "pretty"};

    _cleanup_free_ char *operation = xasprintf("patch%s", r->kind);

    buf_addf(b,
             "\"/%s%s/%s/%s%s/{name}\":{\"patch\":{\"operationId\":", r->group[0] ? "apis/" : "api",
             r->group, r->version, r->namespaced ? "namespaces/{namespace}/" : "", r->plural);
    json_quote(b, operation);
    buf_addz(b, ",\"parameters\":[");
    for (size_t i = 0; i < ARRAY_LEN(params); i++)
        buf_addf(b,
                 "%s{\"name\":\"%s\",\"in\":\"query\",\"schema\":{\"type\":\"string\","
                 "\"uniqueItems\":true}}",
                 i ? "," : "", params[i]);
    buf_addz(b, "],\"responses\":{\"200\":{\"description\":\"OK\"}},\"x-kubernetes-action\":"
                "\"patch\",\"x-kubernetes-group-version-kind\":");
    gvk(b, r);
    buf_addz(b, "}}");
}

/* "dev.knative.serving.v1.Service": the group's labels in reverse. */
static void schema_name(struct buf *b, const struct kube_resource *r)
{
    char *labels[64], *at = NULL;
    _cleanup_free_ char *copy = xstrdup(r->group);
    size_t n = 0;

    for (char *p = strtok_r(copy, ".", &at); p && n < ARRAY_LEN(labels);
         p = strtok_r(NULL, ".", &at))
        labels[n++] = p;
    while (n)
        buf_addf(b, "%s.", labels[--n]);
    buf_addf(b, "%s.%s", r->version, r->kind);
}

static void builtin_schema(struct buf *b, const struct api_kind *k, struct map *seen)
{
    _cleanup_buf_ struct buf extra = BUF_INIT(4096);

    buf_addz(&extra, ",\"x-kubernetes-group-version-kind\":[");
    gvk(&extra, &k->res);
    buf_addc(&extra, ']');
    ktype_openapi(b, k->builtin->type, seen, buf_z(&extra));
}

static void schema_entry(struct buf *b, const struct api_kind *k, struct map *seen)
{
    _cleanup_free_ char *text = NULL;
    size_t n = 0;

    if (k->builtin) {
        builtin_schema(b, k, seen);
        return;
    }
    _cleanup_buf_ struct buf name = BUF_INIT(4096);

    if (map_len(seen))
        buf_addc(b, ',');
    map_set(seen, k->res.plural, seen);
    schema_name(&name, &k->res);
    json_quote(b, buf_z(&name));
    buf_addc(b, ':');
    if (yyjson_obj_size(k->schema_text))
        text = json_text(k->schema_text, &n);
    if (n > 2) {
        buf_add(b, text, n - 1); /* without the closing brace */
        buf_addc(b, ',');
    } else {
        buf_addz(b, "{\"type\":\"object\",");
    }
    buf_addz(b, "\"x-kubernetes-group-version-kind\":[");
    gvk(b, &k->res);
    buf_addz(b, "]}");
}

static bool is_in(const struct api_kind *k, const char *group, const char *version)
{
    return k->served && streq(k->res.group, group) && streq(k->res.version, version);
}

static size_t group_version(struct buf *b, const struct kinds *ks, const char *group,
                            const char *version)
{
    struct map *seen = map_new(NULL);
    size_t n = 0;

    buf_addz(b,
             "{\"openapi\":\"3.0.0\",\"info\":{\"title\":\"Nonagon\",\"version\":\"" NONAGON_VERSION
             "\"},\"paths\":{");
    for (size_t i = 0; i < kinds_len(ks); i++) {
        if (!is_in(kinds_at(ks, i), group, version))
            continue;
        if (n++)
            buf_addc(b, ',');
        path_entry(b, &kinds_at(ks, i)->res);
    }
    buf_addz(b, "},\"components\":{\"schemas\":{");
    for (size_t i = 0; i < kinds_len(ks); i++)
        if (is_in(kinds_at(ks, i), group, version))
            schema_entry(b, kinds_at(ks, i), seen);
    buf_addz(b, "}}}\n");
    map_free(seen);
    return n;
}

/* The message openapi.v2.Document{swagger: "2.0", info: {title: "Nonagon", version: "…"}}. */
static void v2_protobuf(struct buf *b)
{
    static const char title[] = "Nonagon", version[] = NONAGON_VERSION;
    const int nt = (int)sizeof(title) - 1, nv = (int)sizeof(version) - 1;

    buf_addf(b, "%c%c2.0%c%c%c%c%s%c%c%s", 0x0a, 3, 0x12, 4 + nt + nv, 0x0a, nt, title, 0x12, nv,
             version);
}

const char *openapi_document(const struct kinds *ks, const struct api_path *p, struct str accept,
                             struct buf *out)
{
    if (p->kind == PATH_OPENAPI3) {
        index_json(out, ks);
        return "application/json";
    }
    if (p->kind == PATH_OPENAPI3_GV)
        return group_version(out, ks, p->group, p->version) ? "application/json" : NULL;
    if (accept.n && memmem(accept.p, accept.n, "protobuf", 8)) {
        v2_protobuf(out);
        return "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    }
    buf_addz(out, "{\"swagger\":\"2.0\",\"info\":{\"title\":\"Nonagon\",\"version\":"
                  "\"" NONAGON_VERSION "\"},\"paths\":{},\"definitions\":{}}\n");
    return "application/json";
}
