/*
 * Who may hold how many of the process's descriptors. The kernel gives them to whoever asks first;
 * so connections, which strangers open, are counted against shares of RLIMIT_NOFILE, and what is
 * left cannot be taken from files, pipes, namespaces and the database.
 *
 * The limit belongs to the process, and so does this table; any thread. Without fdbudget_set or
 * fdbudget_from_limit the first that asks finds the soft limit split.
 */
#ifndef NONAGON_NET_FDBUDGET_H
#define NONAGON_NET_FDBUDGET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum fd_class {
    FD_UNCOUNTED, /* bounded by its owner alone */
    FD_CONTROL,   /* connections to the API server */
    FD_CLIENT,    /* of clients to the data plane */
    FD_UPSTREAM,  /* of the data plane to pods */
    FD_CLASSES
};

/* The share of each class of so many descriptors; FD_UNCOUNTED gets what the others leave. */
void fdbudget_split(size_t descriptors, size_t ret[static FD_CLASSES]);
void fdbudget_set(size_t descriptors);
/*
 * Raises the soft limit to the hard one and splits that. Fewer than 256 are accepted with -EMFILE
 * and a message for the operator: everything works, for a handful of pods and clients.
 */
int fdbudget_from_limit(struct err *e);

bool fdbudget_take(enum fd_class k);
void fdbudget_give(enum fd_class k);
size_t fdbudget_used(enum fd_class k);
size_t fdbudget_share(enum fd_class k);

#endif
