/* Traffic targets of Services and Routes: each target, then the tags and the percents of all
 * together. */
#include "contract/validate.h"
#include "kube/names.h"

static void check_name(struct field_errors *fe, const struct fpath *at, const char *field,
                       const char *name)
{
    if (name && name[0] && !is_qualified_name(name))
        fe_bad_key(fe, at, field, name, why_not_qualified_name(name));
}

static void check_target(struct field_errors *fe, const struct fpath *at, yyjson_val *t,
                         bool of_service)
{
    static const char *const names[] = {"revisionName", "configurationName", NULL};
    const char *revision = jget_str(t, names[0]), *configuration = jget_str(t, names[1]);
    bool has_revision = revision && revision[0],
         has_configuration = configuration && configuration[0];
    yyjson_val *latest = jget(t, "latestRevision");

    if (of_service && has_configuration)
        fe_disallowed(fe, at, names[1]);
    else if (has_revision && has_configuration)
        fe_both(fe, at, names);
    else if (!of_service && !has_revision && !has_configuration)
        fe_neither(fe, at, names);
    check_name(fe, at, names[0], revision);
    if (!of_service)
        check_name(fe, at, names[1], configuration);
    if (yyjson_is_bool(latest) && yyjson_get_bool(latest) == has_revision)
        fe_add(fe, FE_ERROR, at, "latestRevision", NULL,
               "may not set revisionName \"%s\" when latestRevision is %s",
               has_revision ? revision : "", has_revision ? "true" : "false");
    if (!json_is_zero(jget(t, "url")))
        fe_disallowed(fe, at, "url");
}

static void check_tag(struct field_errors *fe, const struct fpath *at, yyjson_val *traffic,
                      const char *tag, size_t i)
{
    if (!is_dns1035_label(tag)) {
        _cleanup_free_ char *why =
            xasprintf("not a DNS 1035 label: [%s]", why_not_dns1035_label(tag));
        fe_invalid(fe, FPI(at, "tag", i), "", why,
                   NULL); /* the index stands behind the field for clients' sake */
    }
    for (size_t j = 0; j < i; j++) {
        if (!streq(jget_str(yyjson_arr_get(traffic, j), "tag"), tag))
            continue;
        fe_add(fe, FE_ERROR, &(struct fpath){.up = at, .index = j}, "tag", NULL,
               "Multiple definitions for \"%s\"", tag);
        fe_add(fe, FE_ERROR, &(struct fpath){.up = at, .index = i}, "tag", NULL,
               "Multiple definitions for \"%s\"", tag);
        return;
    }
}

void validate_traffic(struct field_errors *fe, const struct fpath *at, yyjson_val *traffic,
                      bool of_service)
{
    long long sum = 0;
    yyjson_val *t;
    size_t i, n;

    yyjson_arr_foreach(traffic, i, n, t)
    {
        const struct fpath here = {.up = at, .index = i};
        int64_t percent = jget_int(t, 0, "percent");
        const char *tag = jget_str(t, "tag");
        if (percent < 0 || percent > 100)
            fe_bounds(fe, &here, "percent", 0, percent, 100);
        sum += percent;
        check_target(fe, &here, t, of_service);
        if (tag && tag[0])
            check_tag(fe, at, traffic, tag, i);
    }
    if (sum != 100)
        fe_add(fe, FE_ERROR, at, "", NULL, "Traffic targets sum to %lld, want 100", sum);
}
