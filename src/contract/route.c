/* Route: traffic alone. Validated fully on status updates too, as clients expect. */
#include "contract/annotations.h"
#include "contract/defaults.h"
#include "contract/kinds.h"
#include "contract/names.h"
#include "contract/validate.h"

void route_default(const struct default_ctx *d)
{
    default_traffic(d->m, false);
    if (yyjson_mut_arr_size(jm_get(d->m->root, "metadata", "ownerReferences")) == 0)
        default_user_info(d->m, d->old, d->user);
}

void route_validate(const struct validate_ctx *v)
{
    const struct fpath *annotations = FP(FP(FP_ROOT, "metadata"), "annotations");
    yyjson_val *notes = jget(v->root, "metadata", "annotations");

    validate_object_name(v->fe, v->root);
    validate_owner_label(v->fe, v->root, L_SERVICE, "Service");
    validate_no_autoscaling(v->fe, annotations, notes);
    validate_rollout_duration(v->fe, annotations, notes);
    validate_traffic(v->fe, FP(FP(FP_ROOT, "spec"), "traffic"), jget(v->root, "spec", "traffic"),
                     false);
    if (!has_owner(v->root))
        validate_users(v);
}
