/* Names and owners of objects, and the template that Services and Configurations carry. */
#include "contract/annotations.h"
#include "contract/diff.h"
#include "contract/validate.h"
#include "kube/names.h"

#define DIFF_MAX 20

/* The reason why a generateName is no start of a label; the dash at its end is fine since more
 * follows. */
static const char *why_not_prefix(const char *prefix)
{
    _cleanup_free_ char *probe = xstrdup(prefix);
    size_t n = strlen(probe);

    if (n > 1 && probe[n - 1] == '-')
        probe[n - 1] = 'a';
    return why_not_dns1035_label(probe); /* one of a few fixed texts */
}

void validate_object_name(struct field_errors *fe, yyjson_val *root)
{
    const char *name = jget_str(root, "metadata", "name"),
               *generate = jget_str(root, "metadata", "generateName");
    const struct fpath *at = FP(FP_ROOT, "metadata");
    bool named = name && name[0], generated = generate && generate[0];

    if (named && !is_dns1035_label(name))
        fe_add(fe, FE_ERROR, at, "name", NULL, "not a DNS 1035 label: [%s]",
               why_not_dns1035_label(name));
    if (generated && why_not_prefix(generate))
        fe_add(fe, FE_ERROR, at, "generateName", NULL, "not a DNS 1035 label prefix: [%s]",
               why_not_prefix(generate));
    if (!named && !generated)
        fe_add(fe, FE_ERROR, at, "name", NULL, "name or generateName is required");
}

void validate_owner_label(struct field_errors *fe, yyjson_val *root, const char *label,
                          const char *owner_kind)
{
    const char *owner = jget_str(root, "metadata", "labels", label);
    yyjson_val *ref;
    size_t i, n;

    if (!owner)
        return;
    yyjson_arr_foreach(jget(root, "metadata", "ownerReferences"), i, n, ref)
    {
        if (streq(jget_str(ref, "kind"), owner_kind) && streq(jget_str(ref, "name"), owner))
            return;
    }
    fe_missing(fe, FP(FP(FP_ROOT, "metadata"), "labels"), label);
}

/* ---- the template's own name ---- */
static void check_template_name(struct field_errors *fe, const struct fpath *at, yyjson_val *root,
                                const char *name)
{
    const char *parent = jget_str(root, "metadata", "name");

    if (!is_dns1035_label(name)) {
        _cleanup_free_ char *why =
            xasprintf("not a DNS 1035 label: [%s]", why_not_dns1035_label(name));
        fe_invalid(fe, at, "name", why, NULL);
        return;
    }
    if ((!parent || !parent[0]) && jget_str(root, "metadata", "generateName")) {
        fe_disallowed(fe, at, "name");
        return;
    }
    _cleanup_free_ char *prefix = xasprintf("%s-", parent ? parent : "");
    if (!z_starts(name, prefix))
        fe_add(fe, FE_ERROR, at, "name", NULL, "invalid value: \"%s\" must have prefix \"%s\"",
               name, prefix);
}

static void check_generate_name(struct field_errors *fe, const struct fpath *at,
                                const char *generate)
{
    const char *reason = why_not_prefix(generate);

    if (!reason)
        return;
    _cleanup_free_ char *why = xasprintf("not a DNS 1035 label prefix: [%s]", reason);
    fe_invalid(fe, at, "generateName", why, NULL);
}

static void check_name_change(struct field_errors *fe, const struct fpath *at, const char *name,
                              yyjson_val *template, yyjson_val *old_template)
{
    if (!old_template || !streq(jget_str(old_template, "metadata", "name"), name) ||
        json_equal(template, old_template))
        return;
    _cleanup_free_ char *diff =
        json_diff("{*v1.RevisionTemplateSpec}", old_template, template, DIFF_MAX);
    fe_add(fe, FE_ERROR, at, "name", diff,
           "Saw the following changes without a name change (-old +new)");
}

void validate_template(struct field_errors *fe, const struct fpath *at, yyjson_val *root,
                       yyjson_val *template, yyjson_val *old_template,
                       const struct contract_config *cfg)
{
    yyjson_val *annotations = jget(template, "metadata", "annotations");
    const char *name = jget_str(template, "metadata", "name");
    const char *generate = jget_str(template, "metadata", "generateName");
    const struct fpath *meta = FP(at, "metadata");

    if (name && name[0]) {
        check_template_name(fe, meta, root, name);
        check_name_change(fe, meta, name, template, old_template);
    }
    if (generate && generate[0])
        check_generate_name(fe, meta, generate);
    validate_template_annotations(fe, FP(meta, "annotations"), annotations);
    validate_autoscaling(fe, FP(meta, "annotations"), annotations, cfg);
    validate_revision_spec(fe, FP(at, "spec"), jget(template, "spec"), cfg);
}
