/*
 * A whole Nonagon in this process: an environment whose links end in other roles of the same
 * process, and the roles in it. Several may run side by side, each with a data directory, bridge
 * and ports of its own; nothing is shared between them.
 */
#ifndef NONAGON_CMD_EMBEDDED_H
#define NONAGON_CMD_EMBEDDED_H

#include <stdbool.h>

#include "cmd/env/env.h"

struct role;
struct embedded;
struct embedded_opts {
    struct env_config config;        /* what its pointers lead to is borrowed */
    const struct role *const *roles; /* NULL-terminated, in the order of starting */
    /* Asked where starting waits: true ends it with -EINTR. NULL = never. */
    bool (*cancelled)(void *ctx);
    void (*undoing)(void *ctx); /* told once when a start begins to undo what it did; may be NULL */
    void *ctx;
};
/*
 * Checks the machine, takes the data directory, makes the bridge, starts the roles and waits until
 * each does what it is for. On failure everything is undone that was begun.
 */
struct embedded *embedded_start(const struct embedded_opts *o, struct err *e);
/* In reverse. drain: requests and pods come to their end, in bounds. Frees it. */
void embedded_stop(struct embedded *u, bool drain);
const struct env *embedded_env(const struct embedded *u);

#endif
