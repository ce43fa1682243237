/*
 * Small files: replaced as a whole and brought to disk, read with a bound, and trees removed by
 * descriptor. All block; any thread. Paths are looked at from the directory `dir`, which may be
 * AT_FDCWD.
 */
#ifndef NONAGON_BASE_FILE_H
#define NONAGON_BASE_FILE_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

enum file_sync {
    FILE_SYNCED,  /* on disk when it returns, the name as well */
    FILE_UNSYNCED /* for what means nothing after a power cut */
};

/*
 * Readers see the old content or the new one, never less, whatever ends when. The file is a new one
 * with exactly this mode, made under a random name beside it (".NAME.XXXXXXXX", which only a crash
 * leaves behind), so a link that somebody planted is replaced and not followed.
 */
int file_put(int dir, const char *path, struct str content, mode_t mode, enum file_sync sync,
             struct err *e);

/* Appends the content of a regular file; -ENOENT when there is none, -EFBIG when it does not fit
 * the buffer. Links are followed: an administrator may place them. */
int file_get(int dir, const char *path, struct buf *out, struct err *e);

/*
 * Removes what the name stands for, a tree as well; nothing is no error. No link is followed,
 * whatever changes meanwhile, other file systems are left alone (-EXDEV), and depth costs neither
 * stack nor descriptors. Goes on behind what cannot be removed and returns the first reason.
 */
int file_remove_tree(int dir, const char *path, struct err *e);

#endif
