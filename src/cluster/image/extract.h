/*
 * Applies the entries of one layer's archive to a directory, one by one. Blocking; one thread; the
 * directory must have no other writer meanwhile.
 *
 * What is kept: contents (sparse too), owner, mode with setuid bits, times, user.* attributes and
 * security.capability. What is left out: device nodes and sockets (a container gets its own /dev),
 * all other attributes (trusted.overlay.* could redirect overlayfs). What is refused: "..", a link
 * or whiteout that leads nowhere beneath the root, a file in place of the root, too much of
 * anything.
 */
#ifndef NONAGON_CLUSTER_IMAGE_EXTRACT_H
#define NONAGON_CLUSTER_IMAGE_EXTRACT_H

#include <archive.h>
#include <archive_entry.h>
#include <limits.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"
#include "base/vec.h"
#include "cluster/image/image.h"

struct extract_dir {
    char *path;
    struct timespec mtime;
};

struct extract {
    int root; /* not owned */
    const struct layer_limits *limits;
    int64_t bytes, entries, dir_names;
    int parent; /* the directory used last, or -1 */
    char parent_path[PATH_MAX];
    VEC(struct extract_dir) dirs; /* whose times are set at the end */
};

void extract_init(struct extract *x, int root, const struct layer_limits *limits);
void extract_done(struct extract *x);
/* e was just read from a, whose data follows. */
int extract_entry(struct extract *x, struct archive *a, struct archive_entry *e, struct err *err);
/* After the last entry. */
int extract_finish(struct extract *x, struct err *err);

#endif
