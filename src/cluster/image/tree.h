/*
 * Working beneath a directory that cannot be left, whatever names and links lie in it. Paths are
 * relative and clean: no leading slash, no "." or "..", no empty part; "" is the directory itself.
 * Blocking; any thread.
 */
#ifndef NONAGON_CLUSTER_IMAGE_TREE_H
#define NONAGON_CLUSTER_IMAGE_TREE_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"

#define TREE_MAX_DEPTH 200 /* parts of a path; bounds the descriptors held by tree_remove */

/*
 * Makes a name from an archive clean: absolute names are taken from the root, "." and doubled
 * slashes go. A ".." part, a part above 255 bytes, a path above PATH_MAX or deeper than
 * TREE_MAX_DEPTH is refused with -EBADMSG.
 */
int tree_clean(const char *name, char ret[static PATH_MAX], struct err *e);

/*
 * Opens a directory. make: missing ones are made (mode 0755), and one that is a whiteout becomes an
 * opaque directory. A symbolic link on the way is followed only to a directory beneath the root, as
 * if the root were "/".
 */
int tree_open_dir(int root, const char *path, bool make, struct err *e);

/* Opens a regular file for reading; links are followed as long as they stay beneath the root. */
int tree_open_file(int root, const char *path, struct err *e);

/* Removes dir/name and all beneath it, following nothing. Absent is success. 0 or -errno. */
int tree_remove(int dir, const char *name);

/* overlayfs' marks. 0 or -errno. */
int tree_whiteout(int dir, const char *name);
int tree_opaque(int dir);
bool tree_is_whiteout(int dir, const char *name);

/* A name for messages: shortened, and without control characters. */
struct tree_shown {
    char text[208];
};
struct tree_shown tree_show(const char *name);

#endif
