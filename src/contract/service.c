/* Service: a Configuration's template and a Route's traffic in one. */
#include "contract/annotations.h"
#include "contract/defaults.h"
#include "contract/kinds.h"
#include "contract/names.h"
#include "contract/validate.h"

void service_default(const struct default_ctx *d)
{
    template_default(d);
    default_traffic(d->m, true);
    default_user_info(d->m, d->old, d->user);
}

void service_validate(const struct validate_ctx *v)
{
    const struct fpath *spec = FP(FP_ROOT, "spec"),
                       *annotations = FP(FP(FP_ROOT, "metadata"), "annotations");
    yyjson_val *notes = jget(v->root, "metadata", "annotations");

    if (!v->status) {
        validate_object_name(v->fe, v->root);
        validate_no_autoscaling(v->fe, annotations, notes);
        validate_rollout_duration(v->fe, annotations, notes);
        validate_template(v->fe, FP(spec, "template"), v->root, jget(v->root, "spec", "template"),
                          jget(v->old, "spec", "template"), v->cfg);
        validate_traffic(v->fe, FP(spec, "traffic"), jget(v->root, "spec", "traffic"), true);
    }
    validate_users(v);
}
