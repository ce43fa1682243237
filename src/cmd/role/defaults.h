/* The ConfigMaps that users edit. */
#ifndef NONAGON_CMD_ROLE_DEFAULTS_H
#define NONAGON_CMD_ROLE_DEFAULTS_H

#include "cmd/env/env.h"

/* Creates those that are missing, and keeps the keys that follow from the command line in step with
 * it. Blocks; the API is served. */
int role_defaults_install(struct env *env, struct err *e);

#endif
