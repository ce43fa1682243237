/*
 * Everything happens at descriptors of directories that are held open, so a name cannot come to
 * mean another place half way. Removal goes down a bounded number of levels; a directory at the
 * lowest is moved up to the tree's top and taken from there, so no depth is too much.
 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rand.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define LEVELS    32 /* of a tree before its directories are moved up */
#define READ_STEP 4096

/* ---- writing ---- */

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int open_parent(int dir, const char *path)
{
    size_t n = (size_t)(base_of(path) - path);
    _cleanup_free_ char *parent = n ? xstrndup(path, n) : xstrdup(".");

    return openat(dir, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int write_all(int fd, struct str s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno != EINTR)
            return -1;
        s.p += n > 0 ? n : 0;
        s.n -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int make_new(int parent, const char *name, struct str content, mode_t mode,
                    enum file_sync sync)
{
    _cleanup_close_ int fd =
        openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return -errno;
    if (fchmod(fd, mode) == 0 && write_all(fd, content) == 0 &&
        (sync == FILE_UNSYNCED || fsync(fd) == 0))
        return 0;
    int r = -errno;
    unlinkat(parent, name, 0);
    return r;
}

int file_put(int dir, const char *path, struct str content, mode_t mode, enum file_sync sync,
             struct err *e)
{
    const char *name = base_of(path);
    char suffix[9];
    _cleanup_close_ int parent = open_parent(dir, path);

    if (parent < 0)
        return err_sys(e, errno, "cannot write %s: its directory cannot be opened", path);
    rand_suffix(suffix, 8);
    _cleanup_free_ char *temp = xasprintf(".%s.%s", name, suffix);
    int r = make_new(parent, temp, content, mode, sync);
    if (r < 0)
        return err_sys(e, -r, "cannot write %s", path);
    if (renameat(parent, temp, parent, name) < 0) {
        r = err_sys(e, errno, "cannot replace %s", path);
        unlinkat(parent, temp, 0);
        return r;
    }
    if (sync == FILE_SYNCED && fsync(parent) < 0)
        return err_sys(e, errno, "cannot bring the name of %s to disk", path);
    return 0;
}

/* ---- reading ---- */

static int read_all(int fd, struct buf *out)
{
    for (;;) {
        char piece[READ_STEP];
        ssize_t n = read(fd, piece, sizeof(piece));

        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0 && buf_add(out, piece, (size_t)n) < 0)
            return -EFBIG;
    }
}

int file_get(int dir, const char *path, struct buf *out, struct err *e)
{
    _cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, errno, "cannot read %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, -EINVAL, "cannot read %s: it is not a regular file", path);
    size_t had = out->n;
    int r = read_all(fd, out);
    if (r == 0)
        return 0;
    out->n = had;
    return r == -EFBIG
               ? err_set(e, r, "cannot read %s: it is larger than %zu bytes", path, out->max - had)
               : err_sys(e, -r, "cannot read %s", path);
}

/* ---- removing ---- */

struct removal {
    int top;      /* the tree's highest directory */
    dev_t device; /* of the tree */
    bool moved;   /* a directory came up to the top: look there again */
    int result;   /* the first failure */
};

static void note(struct removal *rm, int r)
{
    if (r < 0 && rm->result == 0)
        rm->result = r;
}

/* What is busy has something else mounted on it. */
static int unlink_reason(void)
{
    return errno == EBUSY ? -EXDEV : -errno;
}

static void empty_dir(struct removal *rm, int fd, int level);

/* Moves the directory up, to be met there by the next look. */
static void move_up(struct removal *rm, int dir, const char *name)
{
    char suffix[17], to[32];

    rand_suffix(suffix, 16);
    snprintf(to, sizeof(to), ".removed-%s", suffix);
    if (renameat(dir, name, rm->top, to) < 0)
        note(rm, -errno);
    else
        rm->moved = true;
}

static void remove_dir(struct removal *rm, int dir, const char *name, int level)
{
    int fd = openat(dir, name, DIR_FLAGS);
    struct stat st;

    if (fd < 0) {
        note(rm, errno == ENOENT ? 0 : -errno);
        return;
    }
    if (fstat(fd, &st) < 0 || st.st_dev != rm->device) {
        note(rm, -EXDEV);
        close(fd);
        return;
    }
    empty_dir(rm, fd, level + 1);
    if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        note(rm, -errno);
}

static void remove_entry(struct removal *rm, int dir, const char *name, int level)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return;
    if (errno != EISDIR && errno != EPERM)
        note(rm, unlink_reason());
    else if (level >= LEVELS)
        move_up(rm, dir, name);
    else
        remove_dir(rm, dir, name, level);
}

/* Takes the descriptor. */
static void empty_dir(struct removal *rm, int fd, int level)
{
    DIR *d = fdopendir(fd);

    if (!d) {
        note(rm, -errno);
        close(fd);
        return;
    }
    for (struct dirent *ent; (ent = readdir(d));)
        if (!streq(ent->d_name, ".") && !streq(ent->d_name, ".."))
            remove_entry(rm, dirfd(d), ent->d_name, level);
    closedir(d);
}

/* Its content, as often as something deep came up. */
static int empty_tree(int top, dev_t device)
{
    struct removal rm = {.top = top, .device = device, .moved = true};

    while (rm.moved && rm.result == 0) {
        rm.moved = false;
        int fd = openat(top, ".", DIR_FLAGS);
        if (fd < 0)
            return -errno;
        empty_dir(&rm, fd, 0);
    }
    return rm.result;
}

/* 1 when it was none or is gone, 0 when it is a directory. */
static int remove_file(int dir, const char *path)
{
    struct stat st;

    if (unlinkat(dir, path, 0) == 0 || errno == ENOENT)
        return 1;
    int r = unlink_reason();
    if (r != -EISDIR && r != -EPERM)
        return r;
    return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) ? 0 : r;
}

/* Something else is mounted there. */
static bool is_mount(int top, dev_t device)
{
    struct stat above;

    return fstatat(top, "..", &above, 0) < 0 || above.st_dev != device;
}

int file_remove_tree(int dir, const char *path, struct err *e)
{
    struct stat st;
    int r = remove_file(dir, path);

    if (r > 0)
        return 0;
    if (r < 0)
        return err_sys(e, -r, "cannot remove %s", path);
    _cleanup_close_ int top = openat(dir, path, DIR_FLAGS);
    if (top < 0 || fstat(top, &st) < 0)
        return err_sys(e, errno, "cannot open the directory %s to remove it", path);
    r = is_mount(top, st.st_dev) ? -EXDEV : empty_tree(top, st.st_dev);
    if (r < 0)
        return err_sys(e, -r, "cannot remove all of %s", path);
    return unlinkat(dir, path, AT_REMOVEDIR) < 0 ? err_sys(e, errno, "cannot remove %s", path) : 0;
}
