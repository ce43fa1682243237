/*
 * Parameters are looked up by name; unknown ones are ignored, as Kubernetes does. Continue tokens
 * are the hexadecimal form of a snapshot's number and a store key: opaque enough for clients, and
 * safe in a URL. Spans of time are cut to what clocks can add.
 */
#include "cluster/apiserver/request/query.h"

#include <errno.h>
#include <stdio.h>

#include "cluster/apiserver/request/limits.h"

#define ID_DIGITS 16
#define MAX_TOKEN 4096

void api_query_done(struct api_query *q)
{
    selector_free(q->labels);
    field_selector_free(q->fields);
    free(q->text_labels);
    free(q->text_fields);
    free(q->after);
    free(q->propagation);
    *q = (struct api_query){0};
}

static bool is_true(struct str query, const char *name)
{
    _cleanup_free_ char *v = http_query_get(query, name);

    return v && (streq(v, "true") || streq(v, "1") || streq(v, "True"));
}

static bool has(struct str query, const char *name)
{
    _cleanup_free_ char *v = http_query_get(query, name);

    return v && *v;
}

static int number(struct str query, const char *name, bool negative_is_none, int64_t *ret,
                  struct api_status *st)
{
    _cleanup_free_ char *v = http_query_get(query, name);

    if (!v || !*v)
        return 0;
    if (str_i64(str_of(v), ret) < 0)
        return api_fail_bad(st, "query parameter %s: \"%s\" is not a whole number", name, v);
    if (*ret < 0 && !negative_is_none)
        return api_fail_bad(st, "query parameter %s: %lld is negative", name, (long long)*ret);
    if (*ret < 0)
        *ret = 0;
    return 0;
}

static void cut(int64_t *seconds)
{
    if (*seconds > LIMIT_API_SECONDS)
        *seconds = LIMIT_API_SECONDS;
}

static int selectors(struct str query, struct api_query *q, struct api_status *st)
{
    struct err e = {0};

    q->text_labels = http_query_get(query, "labelSelector");
    q->text_fields = http_query_get(query, "fieldSelector");
    if (q->text_labels && *q->text_labels) {
        q->labels = selector_parse(q->text_labels, &e);
        if (!q->labels)
            return api_fail_bad(st, "unable to parse requirement: %s", e.msg);
    }
    if (q->text_fields && *q->text_fields) {
        q->fields = field_selector_parse(q->text_fields, &e);
        if (!q->fields)
            return api_fail_bad(st, "unable to parse field selector: %s", e.msg);
    }
    return 0;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes of a hexadecimal text, NUL-terminated; NULL if it is none or holds a NUL. */
static char *unhex(const char *t, size_t n)
{
    _cleanup_free_ char *out = xcalloc(n / 2 + 1, 1);

    if (n % 2)
        return NULL;
    for (size_t i = 0; i < n; i += 2) {
        int hi = nibble(t[i]), lo = nibble(t[i + 1]);

        if (hi < 0 || lo < 0 || !(hi | lo))
            return NULL;
        out[i / 2] = (char)(hi << 4 | lo);
    }
    return steal(&out);
}

static bool hex_u64(const char *t, uint64_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < ID_DIGITS; i++) {
        int digit = nibble(t[i]);

        if (digit < 0)
            return false;
        *ret = *ret << 4 | (uint64_t)digit;
    }
    return true;
}

static int continue_parse(struct str query, struct api_query *q, struct api_status *st)
{
    _cleanup_free_ char *t = http_query_get(query, "continue");
    size_t n = t ? strlen(t) : 0;

    if (!n)
        return 0;
    if (n > ID_DIGITS && n <= MAX_TOKEN && hex_u64(t, &q->snapshot))
        q->after = unhex(t + ID_DIGITS, n - ID_DIGITS);
    if (!q->after)
        return api_fail_bad(st, "continue key is not valid: it is not one that this server gave");
    if (q->has_rv && q->rv)
        return api_fail_bad(st, "specifying resource version is not allowed when using continue");
    return 0;
}

char *api_continue_token(uint64_t snapshot, const char *key)
{
    size_t n = strlen(key);
    char *t = xmalloc(ID_DIGITS + 2 * n + 1);

    snprintf(t, ID_DIGITS + 1, "%016llx", (unsigned long long)snapshot);
    hex_encode(key, n, t + ID_DIGITS);
    return t;
}

static int version(struct str query, struct api_query *q, struct api_status *st)
{
    _cleanup_free_ char *rv = http_query_get(query, "resourceVersion");
    _cleanup_free_ char *match = http_query_get(query, "resourceVersionMatch");

    if (rv && *rv) {
        if (str_u64(str_of(rv), &q->rv) < 0)
            return api_fail_bad(
                st, "Invalid value: \"%s\": resourceVersion: it is not one that this server gave",
                rv);
        q->has_rv = true;
    }
    if (match && streq(match, "Exact"))
        q->rv_match = RV_MATCH_EXACT;
    else if (match && streq(match, "NotOlderThan"))
        q->rv_match = RV_MATCH_NOT_OLDER;
    else if (match && *match)
        return api_fail_bad(st,
                            "resourceVersionMatch: Unsupported value: \"%s\": supported values: "
                            "\"Exact\", \"NotOlderThan\"",
                            match);
    return 0;
}

static int modes(struct str query, struct api_query *q, struct api_status *st)
{
    _cleanup_free_ char *dry = http_query_get(query, "dryRun");
    _cleanup_free_ char *fv = http_query_get(query, "fieldValidation");
    _cleanup_free_ char *inc = http_query_get(query, "includeObject");

    if (dry && *dry && !streq(dry, "All"))
        return api_fail_bad(st, "dryRun: Unsupported value: \"%s\": supported values: \"All\"",
                            dry);
    q->dry_run = dry && *dry;
    if (fv && streq(fv, "Strict"))
        q->validation = VALIDATE_STRICT;
    else if (fv && streq(fv, "Ignore"))
        q->validation = VALIDATE_IGNORE;
    else if (fv && *fv && !streq(fv, "Warn"))
        return api_fail_bad(st,
                            "fieldValidation: Unsupported value: \"%s\": supported values: "
                            "\"Ignore\", \"Strict\", \"Warn\"",
                            fv);
    if (inc && streq(inc, "None"))
        q->include = INCLUDE_NONE;
    else if (inc && streq(inc, "Object"))
        q->include = INCLUDE_OBJECT;
    return 0;
}

int api_query_parse(struct str query, struct api_query *q, struct api_status *st)
{
    *q = (struct api_query){.grace = -1};
    if (!query.n)
        return 0;
    if (selectors(query, q, st) < 0 || version(query, q, st) < 0 || modes(query, q, st) < 0 ||
        continue_parse(query, q, st) < 0 || number(query, "limit", true, &q->limit, st) < 0 ||
        number(query, "timeoutSeconds", true, &q->timeout_s, st) < 0 ||
        number(query, "gracePeriodSeconds", false, &q->grace, st) < 0)
        return -1;
    cut(&q->timeout_s);
    cut(&q->grace);
    q->watch = is_true(query, "watch");
    q->bookmarks = is_true(query, "allowWatchBookmarks");
    q->initial_events = is_true(query, "sendInitialEvents");
    q->has_initial_events = has(query, "sendInitialEvents");
    q->propagation = http_query_get(query, "propagationPolicy");
    if (is_true(query, "orphanDependents") && !q->propagation)
        q->propagation = xstrdup("Orphan");
    return 0;
}

static int forbid(struct api_status *st, const char *field, const char *why)
{
    static const struct kube_resource res = {"meta.k8s.io", "", "listoptions", "ListOptions",
                                             false};
    _cleanup_errors_ struct field_errors errs = {0};

    field_error_add(&errs, FE_FORBIDDEN, field, NULL, "%s", why);
    return api_fail_invalid(st, &res, "", &errs);
}

static int check_watch(const struct api_query *q, struct api_status *st)
{
    if (q->has_initial_events && q->rv_match != RV_MATCH_NOT_OLDER)
        return forbid(st, "resourceVersionMatch",
                      "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    if (!q->has_initial_events && q->rv_match != RV_MATCH_UNSET)
        return forbid(st, "resourceVersionMatch",
                      "resourceVersionMatch is forbidden for watch unless sendInitialEvents is "
                      "provided");
    return 0;
}

int api_query_check(const struct api_query *q, struct api_status *st)
{
    if (q->watch)
        return check_watch(q, st);
    if (q->has_initial_events)
        return forbid(st, "sendInitialEvents", "sendInitialEvents is forbidden for list");
    if (q->rv_match != RV_MATCH_UNSET && !q->has_rv)
        return forbid(st, "resourceVersionMatch",
                      "resourceVersionMatch is forbidden unless resourceVersion is provided");
    if (q->rv_match != RV_MATCH_UNSET && q->after)
        return forbid(st, "resourceVersionMatch",
                      "resourceVersionMatch is forbidden when continue is provided");
    if (q->rv_match == RV_MATCH_EXACT && !q->rv)
        return forbid(st, "resourceVersionMatch",
                      "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    return 0;
}

static struct str parameter(struct str params, const char *name)
{
    struct str part;

    while (str_split(&params, ';', &part)) {
        size_t eq;

        part = str_trim(part);
        if (str_find(part, '=', &eq) && str_ieq((struct str){part.p, eq}, str_of(name)))
            return (struct str){part.p + eq + 1, part.n - eq - 1};
    }
    return STR_NULL;
}

static bool offer(struct str type, struct api_accept *ret)
{
    size_t semi = type.n;

    str_find(type, ';', &semi);
    struct str base = str_trim((struct str){type.p, semi});
    struct str params = {type.p + semi, type.n - semi};
    struct str as = parameter(params, "as"), v = parameter(params, "v");

    if (str_ieq(base, STR("application/yaml"))) {
        ret->form = FORM_YAML;
        return !as.n;
    }
    if (!str_ieq(base, STR("application/json")) && !str_ieq(base, STR("*/*")) &&
        !str_ieq(base, STR("application/*")))
        return false;
    ret->v1beta1 = str_eq(v, STR("v1beta1"));
    if (!as.n)
        ret->form = FORM_JSON;
    else if (str_eq(as, STR("Table")))
        ret->form = FORM_TABLE;
    else if (str_eq(as, STR("PartialObjectMetadata")) ||
             str_eq(as, STR("PartialObjectMetadataList")))
        ret->form = FORM_PARTIAL;
    else if (str_eq(as, STR("APIGroupDiscoveryList")) && str_eq(v, STR("v2")))
        ret->form = FORM_AGGREGATED_DISCOVERY;
    else
        return false;
    return true;
}

static bool is_protobuf(struct str type)
{
    return str_starts(type, STR("application/vnd.kubernetes.protobuf"));
}

int api_accept_parse(struct str accept, struct api_accept *ret, struct api_status *st)
{
    struct str type;
    bool fine = !str_trim(accept).n;

    while (accept.n && str_split(&accept, ',', &type)) {
        *ret = (struct api_accept){0};
        if (offer(str_trim(type), ret))
            return 0;
        fine |= is_protobuf(str_trim(type));
    }
    *ret = (struct api_accept){0};
    if (fine)
        return 0;
    return api_fail(st, 406, "NotAcceptable",
                    "only the following media types are accepted: application/json, "
                    "application/yaml, application/vnd.kubernetes.protobuf");
}
