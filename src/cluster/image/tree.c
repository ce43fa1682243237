/*
 * Resolution beneath a root. The usual case is one openat2(2) that refuses every symbolic link.
 * Where that fails the path is walked part by part with O_NOFOLLOW, so that missing directories can
 * be made and a link can be recognised; a link is then resolved by the kernel with the root as "/"
 * (RESOLVE_IN_ROOT). A kernel without openat2 refuses links.
 */
#include "cluster/image/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct tree_shown tree_show(const char *name)
{
    struct tree_shown s;
    size_t n = 0;

    for (; name[n] && n < sizeof(s.text) - 4; n++)
        s.text[n] = (unsigned char)name[n] < 0x20 || name[n] == 0x7f ? '?' : name[n];
    snprintf(s.text + n, sizeof(s.text) - n, "%s", name[n] ? "..." : "");
    return s;
}

int tree_clean(const char *name, char ret[static PATH_MAX], struct err *e)
{
    struct str rest = str_of(name), part;
    size_t n = 0;
    int depth = 0;

    if (rest.n >= PATH_MAX)
        return err_set(e, -EBADMSG, "\"%s\": the path is longer than %d bytes",
                       tree_show(name).text, PATH_MAX - 1);
    while (str_split(&rest, '/', &part)) {
        if (part.n == 0 || str_eq(part, STR(".")))
            continue;
        if (str_eq(part, STR("..")))
            return err_set(e, -EBADMSG, "\"%s\": \"..\" is not allowed in a path",
                           tree_show(name).text);
        if (part.n > NAME_MAX || ++depth > TREE_MAX_DEPTH)
            return err_set(e, -EBADMSG, "\"%s\": a path has at most %d parts of at most %d bytes",
                           tree_show(name).text, TREE_MAX_DEPTH, NAME_MAX);
        if (n)
            ret[n++] = '/';
        memcpy(ret + n, part.p, part.n);
        n += part.n;
    }
    ret[n] = '\0';
    return 0;
}

static int open_resolved(int root, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve | RESOLVE_NO_MAGICLINKS};

    return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
}

bool tree_is_whiteout(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode) &&
           st.st_rdev == makedev(0, 0);
}

static bool is_symlink(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

/* A directory in place of a whiteout hides what lies below it in the same way. */
static int make_opaque_dir(int dir, const char *name)
{
    if (unlinkat(dir, name, 0) < 0 || mkdirat(dir, name, 0755) < 0)
        return -1;
    int fd = openat(dir, name, DIR_FLAGS);
    if (fd >= 0 && tree_opaque(fd) < 0)
        closep(&fd);
    return fd;
}

/* Opens the last part of `prefix`, which lies in dir. */
static int step(int root, int dir, const char *prefix, const char *name, bool make)
{
    int fd = openat(dir, name, DIR_FLAGS);

    if (fd >= 0)
        return fd;
    if (errno == ENOENT && make)
        return mkdirat(dir, name, 0755) < 0 ? -1 : openat(dir, name, DIR_FLAGS);
    if (errno != ENOTDIR && errno != ELOOP)
        return -1;
    if (make && tree_is_whiteout(dir, name))
        return make_opaque_dir(dir, name);
    if (!is_symlink(dir, name)) {
        errno = ENOTDIR;
        return -1;
    }
    fd = open_resolved(root, prefix, O_RDONLY | O_DIRECTORY, RESOLVE_IN_ROOT);
    if (fd < 0)
        errno = ELOOP;
    return fd;
}

static int walk(int root, const char *path, bool make, struct err *e)
{
    char prefix[PATH_MAX];
    _cleanup_close_ int dir = openat(root, ".", DIR_FLAGS);
    size_t n = strlen(path), start = 0;

    if (dir < 0)
        return err_sys(e, errno, "cannot open the root directory");
    memcpy(prefix, path, n + 1);
    for (size_t i = 0; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        prefix[i] = '\0';
        int next = step(root, dir, prefix, prefix + start, make);
        if (next < 0 && (errno == ELOOP || errno == ENOTDIR))
            return err_set(e, -EBADMSG, "\"%s\": %s", tree_show(prefix).text,
                           errno == ELOOP
                               ? "a symbolic link that leads to no directory beneath the root"
                               : "not a directory");
        if (next < 0)
            return err_sys(e, errno, "cannot open directory \"%s\"", tree_show(prefix).text);
        closep(&dir);
        dir = next;
        prefix[i] = path[i];
        start = i + 1;
    }
    int ret = dir;
    dir = -1;
    return ret;
}

int tree_open_dir(int root, const char *path, bool make, struct err *e)
{
    int fd =
        open_resolved(root, path, O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

    if (fd >= 0)
        return fd;
    if (!*path) {
        fd = openat(root, ".", DIR_FLAGS);
        return fd >= 0 ? fd : err_sys(e, errno, "cannot open the root directory");
    }
    return walk(root, path, make, e);
}

/* Without openat2: safe, but refuses a link as the last part. */
static int open_file_by_parts(int root, const char *path)
{
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *parent = xstrndup(path, slash ? (size_t)(slash - path) : 0);
    _cleanup_close_ int dir = tree_open_dir(root, parent, false, NULL);

    if (dir < 0)
        return -1;
    return openat(dir, slash ? slash + 1 : path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

int tree_open_file(int root, const char *path, struct err *e)
{
    struct stat st;
    _cleanup_close_ int fd = open_resolved(root, path, O_RDONLY | O_NONBLOCK, RESOLVE_BENEATH);

    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = open_file_by_parts(root, path);
    if (fd < 0)
        return err_sys(e, errno, "cannot open \"%s\"", tree_show(path).text);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(e, -EBADMSG, "\"%s\" is not a regular file", tree_show(path).text);
    int ret = fd;
    fd = -1;
    return ret;
}

static int remove_content(int fd)
{
    DIR *d = fdopendir(fd);
    int rc = 0;

    if (!d) {
        rc = -errno;
        close(fd);
        return rc;
    }
    for (struct dirent *e; rc == 0 && (e = readdir(d));)
        if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
            rc = tree_remove(dirfd(d), e->d_name);
    closedir(d);
    return rc;
}

int tree_remove(int dir, const char *name)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    int fd = openat(dir, name, DIR_FLAGS);
    if (fd < 0)
        return -errno;
    int rc = remove_content(fd);
    if (rc == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0)
        rc = -errno;
    return rc;
}

int tree_whiteout(int dir, const char *name)
{
    return mknodat(dir, name, S_IFCHR | 0600, makedev(0, 0)) < 0 ? -errno : 0;
}

int tree_opaque(int dir)
{
    return fsetxattr(dir, "trusted.overlay.opaque", "y", 1, 0) < 0 ? -errno : 0;
}
