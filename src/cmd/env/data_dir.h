/* The directory that one Nonagon keeps everything in. */
#ifndef NONAGON_CMD_ENV_DATA_DIR_H
#define NONAGON_CMD_ENV_DATA_DIR_H

#include <stdbool.h>

#include "base/err.h"

/* The directory and what is above it, mode 0700 for what it makes. */
int data_dir_make(const char *path, struct err *e);

/*
 * Makes it if there is none, sees to it that only its owner can look into it (it holds Secrets and
 * keys), and locks it; the descriptor of the lock, which goes with the process however it ends. A
 * process that was just killed may hold it for a moment still, so it is waited for a little.
 */
int data_dir_take(const char *dir, struct err *e);

/* Whether pods were kept in it: then there was state beside them. */
bool data_dir_had_pods(const char *dir);

#endif
