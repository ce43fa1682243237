/* A container's root file system: an overlay of its image's layers. Worker thread (its own mount
 * namespace). */
#ifndef NONAGON_NODE_ROOTFS_H
#define NONAGON_NODE_ROOTFS_H

#include <stddef.h>

#include "base/err.h"

/* Checks that the kernel has overlayfs. */
int rootfs_supported(struct err *e);
/*
 * Mounts the layers (lowest first) with a fresh writable layer at DIR/root; DIR/upper and DIR/work
 * are emptied. Makes /tmp if the image has none.
 */
int rootfs_mount(const char *const *layers, size_t n, const char *dir, struct err *e);
/* The mount only: a running container has its own. */
void rootfs_unmount(const char *dir);
/* A text file inside the root, whatever links the image has; "" when there is none. malloc'ed. */
char *rootfs_read(const char *dir, const char *path);

#endif
