/* Ingress: rules, paths, splits. Hosts, visibility and header names are the plugin's business. */
#include "contract/kinds.h"
#include "contract/validate.h"

/* ---- defaulting ---- */
static void default_paths(struct kmut *m, yyjson_mut_val *paths)
{
    yyjson_mut_val *path;
    size_t i, n;

    yyjson_mut_arr_foreach(paths, i, n, path)
    {
        yyjson_mut_val *splits = jm_get(path, "splits"), *only = yyjson_mut_arr_get_first(splits);
        if (yyjson_mut_arr_size(splits) == 1 && yyjson_mut_is_obj(only) &&
            jm_get_int(only, 0, "percent") == 0)
            jm_set_int(m->d, only, 100, "percent");
    }
}

void ingress_default(const struct default_ctx *d)
{
    yyjson_mut_val *rule;
    size_t i, n;

    yyjson_mut_arr_foreach(jm_get(d->m->root, "spec", "rules"), i, n, rule)
    {
        const char *visibility = jm_get_str(rule, "visibility");
        if (!yyjson_mut_is_obj(rule))
            continue;
        if (!visibility || !visibility[0])
            jm_set_str(d->m->d, rule, "ExternalIP", "visibility");
        default_paths(d->m, jm_get(rule, "http", "paths"));
    }
}

/* ---- validation ---- */
/* False ends the judging of this path's splits. */
static bool check_split(const struct validate_ctx *v, const struct fpath *at, yyjson_val *split)
{
    const char *ns = jget_str(split, "serviceNamespace"),
               *own = jget_str(v->root, "metadata", "namespace");
    int64_t percent = jget_int(split, 0, "percent");
    size_t before = v->fe->items.n;

    if (percent < 0 || percent > 100) {
        char text[32];
        snprintf(text, sizeof(text), "%lld", (long long)percent);
        fe_invalid(v->fe, at, "percent", text, NULL);
    }
    if (!ns || !ns[0])
        fe_missing(v->fe, at, "serviceNamespace");
    else if (own && !streq(ns, own))
        fe_add(v->fe, FE_ERROR, at, "serviceNamespace", NULL,
               "service namespace must match ingress namespace: %s", own);
    if (json_is_zero(jget(split, "serviceName")))
        fe_missing(v->fe, at, "serviceName");
    if (json_is_zero(jget(split, "servicePort")))
        fe_missing(v->fe, at, "servicePort");
    return v->fe->items.n == before;
}

static void check_path(const struct validate_ctx *v, const struct fpath *at, yyjson_val *path)
{
    yyjson_val *splits = jget(path, "splits"), *split;
    long long total = 0;
    size_t i, n;

    if (json_is_zero(path)) {
        fe_missing(v->fe, at, "");
        return;
    }
    if (yyjson_arr_size(splits) == 0) {
        fe_missing(v->fe, at, "splits");
        return;
    }
    yyjson_arr_foreach(splits, i, n, split)
    {
        if (!check_split(v, FPI(at, "splits", i), split))
            return;
        total += jget_int(split, 0, "percent");
    }
    if (total != 100 && !(n == 1 && total == 0))
        fe_add(v->fe, FE_ERROR, at, "splits", NULL,
               "Traffic split percentage must total to 100, but was %lld", total);
}

static void check_rule(const struct validate_ctx *v, const struct fpath *at, yyjson_val *rule)
{
    yyjson_val *paths = jget(rule, "http", "paths"), *path;
    size_t i, n;

    if (json_is_zero(rule))
        fe_missing(v->fe, at, "");
    else if (!jget(rule, "http"))
        fe_missing(v->fe, at, "http");
    else if (yyjson_arr_size(paths) == 0)
        fe_missing(v->fe, at, "http.paths");
    yyjson_arr_foreach(paths, i, n, path) check_path(v, FPI(FP(at, "http"), "paths", i), path);
}

static void check_tls(const struct validate_ctx *v, const struct fpath *at, yyjson_val *tls)
{
    if (json_is_zero(tls)) {
        fe_missing(v->fe, at, "");
        return;
    }
    if (json_is_zero(jget(tls, "secretName")))
        fe_missing(v->fe, at, "secretName");
    if (json_is_zero(jget(tls, "secretNamespace")))
        fe_missing(v->fe, at, "secretNamespace");
}

void ingress_validate(const struct validate_ctx *v)
{
    const struct fpath *at = FP(FP_ROOT, "spec");
    yyjson_val *spec = jget(v->root, "spec"), *item;
    const char *option = jget_str(spec, "httpOption");
    size_t i, n;

    if (json_is_zero(spec)) {
        fe_missing(v->fe, at, "");
        return;
    }
    if (yyjson_arr_size(jget(spec, "rules")) == 0)
        fe_missing(v->fe, at, "rules");
    yyjson_arr_foreach(jget(spec, "rules"), i, n, item) check_rule(v, FPI(at, "rules", i), item);
    yyjson_arr_foreach(jget(spec, "tls"), i, n, item) check_tls(v, FPI(at, "tls", i), item);
    if (option && option[0] && !streq(option, "Enabled") && !streq(option, "Redirected"))
        fe_invalid(v->fe, at, "httpOption", option, NULL);
}
