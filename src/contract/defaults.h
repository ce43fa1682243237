/* Defaulting of what several kinds carry: the Revision's spec, traffic, the users who made and
 * changed an object. */
#ifndef NONAGON_CONTRACT_DEFAULTS_H
#define NONAGON_CONTRACT_DEFAULTS_H

#include "contract/config.h"

/* `parent`: the object whose metadata the container-name templates may use. */
void default_revision_spec(struct kmut *parent, yyjson_mut_val *spec,
                           const struct contract_config *cfg, bool create);
/* Of a Service (an empty list becomes "all to the latest") or a Route. */
void default_traffic(struct kmut *m, bool of_service);
/* Creator and last modifier; on update only when the spec differs from the old one's. */
void default_user_info(struct kmut *m, const struct kobj *old, const char *user);

#endif
