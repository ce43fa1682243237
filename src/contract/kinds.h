/* One entry per kind for admit.c: how it is defaulted and judged. Each kind's rules are in its own
 * file. */
#ifndef NONAGON_CONTRACT_KINDS_H
#define NONAGON_CONTRACT_KINDS_H

#include "contract/config.h"
#include "contract/field_error.h"

struct default_ctx {
    struct kmut *m;
    const struct kobj *old; /* NULL on create */
    const char *user;       /* NULL: leave the users alone */
    const struct contract_config *cfg;
};
struct validate_ctx {
    struct field_errors *fe;
    yyjson_val *root, *old; /* old NULL on create */
    bool status;            /* an update of the status subresource */
    const struct contract_config *cfg;
};

void service_default(const struct default_ctx *d);
void service_validate(const struct validate_ctx *v);
void configuration_default(const struct default_ctx *d);
void configuration_validate(const struct validate_ctx *v);
void route_default(const struct default_ctx *d);
void route_validate(const struct validate_ctx *v);
void revision_default(const struct default_ctx *d);
void revision_validate(const struct validate_ctx *v);
void podautoscaler_default(const struct default_ctx *d);
void podautoscaler_validate(const struct validate_ctx *v);
void metric_validate(const struct validate_ctx *v);
void ingress_default(const struct default_ctx *d);
void ingress_validate(const struct validate_ctx *v);
void sks_validate(const struct validate_ctx *v);
void certificate_validate(const struct validate_ctx *v);

/* ---- shared by kinds with a template ---- */
/* Defaults spec.template unless it keeps its own revision name (a changed default would read as a
 * changed revision). */
void template_default(const struct default_ctx *d);
/* Creator and last modifier may not be rewritten. */
void validate_users(const struct validate_ctx *v);
bool has_owner(yyjson_val *root);

#endif
