/* Metric: nothing but that it says something. */
#include "contract/kinds.h"
#include "contract/validate.h"

void metric_validate(const struct validate_ctx *v)
{
    yyjson_val *spec = jget(v->root, "spec");

    if (json_is_zero(jget(spec, "stableWindow")) && json_is_zero(jget(spec, "panicWindow")) &&
        json_is_zero(jget(spec, "scrapeTarget")))
        fe_missing(v->fe, FP_ROOT, "spec");
}
