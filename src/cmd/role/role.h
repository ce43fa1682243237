/*
 * Roles: the parts that `nonagon` is made of, each on a thread of its own. A role is started with
 * an environment and knows no other role; what it needs of others goes through the environment's
 * links.
 */
#ifndef NONAGON_CMD_ROLE_H
#define NONAGON_CMD_ROLE_H

#include <stdbool.h>

#include "cmd/env/flag.h"

struct role {
    const char *name;
    const char *summary;                 /* one line */
    const struct env_flag *const *flags; /* NULL-terminated: what it heeds */
    /* Blocks until it runs; NULL, with everything undone, on failure. */
    void *(*start)(struct env *env, struct err *e);
    /* Waits up to ms for it to do what it is for: caches full, routes live. Then true. */
    bool (*ready)(void *self, int ms);
    /* drain: lets what runs come to its end, in bounds. Blocks until it is gone, and frees it. */
    void (*stop)(void *self, bool drain);
};

extern const struct role role_api, role_autoscaler, role_node, role_gateway, role_controller;

#endif
