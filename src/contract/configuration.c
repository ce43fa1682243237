/* Configuration; and what it shares with Service: the template's defaulting and the users'
 * annotations. */
#include "contract/annotations.h"
#include "contract/defaults.h"
#include "contract/kinds.h"
#include "contract/names.h"
#include "contract/validate.h"

/*
 * Clients send lists whole, without the defaults that the stored one has. If the template with its
 * defaults is the old template, nothing was changed and it takes the old one's form; otherwise it
 * stays as written.
 */
static void undo_phantom_change(const struct default_ctx *d)
{
    yyjson_mut_val *copy = yyjson_mut_val_mut_copy(d->m->d, jm_get(d->m->root, "spec", "template"));

    default_revision_spec(d->m, jm_get(copy, "spec"), d->cfg, true);
    _cleanup_jdoc_ yyjson_doc *full = yyjson_mut_val_imut_copy(copy, NULL);
    if (json_equal(yyjson_doc_get_root(full), jget(kobj_root(d->old), "spec", "template")))
        jm_set(KM(d->m), copy, "spec", "template");
}

void template_default(const struct default_ctx *d)
{
    const char *name = jm_get_str(d->m->root, "spec", "template", "metadata", "name");
    const char *old = jget_str(kobj_root(d->old), "spec", "template", "metadata", "name");

    if (name && name[0] && streq(name, old))
        undo_phantom_change(d);
    else
        default_revision_spec(d->m, jm_get(d->m->root, "spec", "template", "spec"), d->cfg,
                              d->old == NULL);
}

bool has_owner(yyjson_val *root)
{
    return yyjson_arr_size(jget(root, "metadata", "ownerReferences")) > 0;
}

void validate_users(const struct validate_ctx *v)
{
    const struct fpath *at = FP(FP(FP_ROOT, "metadata"), "annotations");
    const char *modifier = jget_str(v->root, "metadata", "annotations", A_LAST_MODIFIER);

    if (!v->old)
        return;
    if (!streq(jget_str(v->root, "metadata", "annotations", A_CREATOR),
               jget_str(v->old, "metadata", "annotations", A_CREATOR)))
        fe_add(v->fe, FE_ERROR, at, A_CREATOR, NULL, "annotation value is immutable");
    if (!streq(modifier, jget_str(v->old, "metadata", "annotations", A_LAST_MODIFIER)) &&
        json_equal(jget(v->root, "spec"), jget(v->old, "spec")))
        fe_invalid(v->fe, at, A_LAST_MODIFIER, modifier ? modifier : "", NULL);
}

void configuration_default(const struct default_ctx *d)
{
    template_default(d);
    if (yyjson_mut_arr_size(jm_get(d->m->root, "metadata", "ownerReferences")) == 0)
        default_user_info(d->m, d->old, d->user);
}

void configuration_validate(const struct validate_ctx *v)
{
    const struct fpath *spec = FP(FP_ROOT, "spec"),
                       *annotations = FP(FP(FP_ROOT, "metadata"), "annotations");

    if (!v->status) {
        validate_object_name(v->fe, v->root);
        validate_owner_label(v->fe, v->root, L_SERVICE, "Service");
        validate_no_autoscaling(v->fe, annotations, jget(v->root, "metadata", "annotations"));
        validate_template(v->fe, FP(spec, "template"), v->root, jget(v->root, "spec", "template"),
                          jget(v->old, "spec", "template"), v->cfg);
    }
    if (!has_owner(v->root))
        validate_users(v);
}
