/* Small file tasks of the node. Blocking; any thread. Nothing is fsynced: what is lost in a power
 * cut ran no more anyway. */
#ifndef NONAGON_NODE_FILES_H
#define NONAGON_NODE_FILES_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

int files_mkdirs(const char *path, mode_t mode, struct err *e); /* with parents; existing: fine */
/* Replaces the content. */
int file_write(const char *path, const void *data, size_t n, mode_t mode, struct err *e);
/* At most max bytes, terminated, malloc'ed; NULL with errno when it cannot be read. */
char *file_read(const char *path, size_t max, size_t *ret_n);

/* Takes a descriptor out of a variable with cleanup. */
static inline int steal_fd(int *fd)
{
    int v = *fd;
    *fd = -1;
    return v;
}

#endif
