/* Revision: its spec is judged once, at birth, and may not change afterwards. */
#include "contract/revision.h"

#include "contract/annotations.h"
#include "contract/defaults.h"
#include "contract/diff.h"
#include "contract/kinds.h"
#include "contract/names.h"
#include "contract/validate.h"

#define DIFF_MAX 20

void revision_default(const struct default_ctx *d)
{
    if (!d->old)
        default_revision_spec(d->m, jm_get(d->m->root, "spec"), d->cfg, true);
}

void revision_validate(const struct validate_ctx *v)
{
    const struct fpath *annotations = FP(FP(FP_ROOT, "metadata"), "annotations");
    yyjson_val *spec = jget(v->root, "spec"), *old = jget(v->old, "spec");

    validate_object_name(v->fe, v->root);
    validate_owner_label(v->fe, v->root, L_CONFIGURATION, "Configuration");
    validate_autoscaling(v->fe, annotations, jget(v->root, "metadata", "annotations"), v->cfg);
    if (!v->old) {
        validate_revision_spec(v->fe, FP(FP_ROOT, "spec"), spec, v->cfg);
    } else if (!json_equal(spec, old)) {
        _cleanup_free_ char *diff = json_diff("{v1.RevisionSpec}", old, spec, DIFF_MAX);
        fe_add(v->fe, FE_ERROR, FP_ROOT, "spec", diff, "Immutable fields changed (-old +new)");
    }
}

/* ---- reading ---- */
yyjson_val *revision_serving_container(const yyjson_val *spec, size_t *ret_index)
{
    yyjson_val *containers = jget(spec, "containers"), *c,
               *serving = yyjson_arr_get_first(containers);
    size_t i, n, index = 0;

    yyjson_arr_foreach(containers, i, n, c)
    {
        if (yyjson_arr_size(jget(c, "ports")) > 0) {
            serving = c;
            index = i;
            break;
        }
    }
    if (ret_index)
        *ret_index = index;
    return serving;
}

static yyjson_val *serving_port_object(const yyjson_val *spec)
{
    return yyjson_arr_get_first(jget(revision_serving_container(spec, NULL), "ports"));
}

int64_t revision_serving_port(const yyjson_val *spec)
{
    int64_t port = jget_int(serving_port_object(spec), 0, "containerPort");

    return port ? port : SERVING_PORT_DEFAULT;
}

const char *revision_protocol(const yyjson_val *spec)
{
    return streq(jget_str(serving_port_object(spec), "name"), "h2c") ? "h2c" : "http1";
}

int64_t revision_concurrency(const yyjson_val *spec)
{
    return jget_int(spec, 0, "containerConcurrency");
}

int64_t revision_timeout(const yyjson_val *spec)
{
    return jget_int(spec, 0, "timeoutSeconds");
}

size_t revision_container_count(const yyjson_val *spec)
{
    return yyjson_arr_size(jget(spec, "containers")) +
           yyjson_arr_size(jget(spec, "initContainers"));
}

static const char *const routing_names[] = {[ROUTING_UNSET] = "",
                                            [ROUTING_PENDING] = "pending",
                                            [ROUTING_ACTIVE] = "active",
                                            [ROUTING_RESERVE] = "reserve"};

enum routing_state revision_routing_state(const struct kobj *revision)
{
    const char *label = kobj_label(revision, L_ROUTING_STATE);

    for (int s = ROUTING_PENDING; s <= ROUTING_RESERVE; s++) {
        if (streq(routing_names[s], label))
            return (enum routing_state)s;
    }
    return ROUTING_UNSET;
}

const char *routing_state_name(enum routing_state s)
{
    return routing_names[s];
}
