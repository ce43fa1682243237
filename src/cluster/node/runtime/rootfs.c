/*
 * The kernel takes mount options of at most one page, so layers that lie in one folder are named
 * relative to it: about sixty fit. The writable layer is "volatile": nobody needs it after a power
 * cut, and without this its unmounting would flush the whole file system beneath.
 */
#include "cluster/node/runtime/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "cluster/node/runtime/files.h"

#define MAX_OPTIONS   4095
#define MAX_TEXT_FILE (1024 * 1024)

int rootfs_supported(struct err *e)
{
    _cleanup_free_ char *known = file_read("/proc/filesystems", 64 * 1024, NULL);
    if (known && strstr(known, "\toverlay\n"))
        return 0;
    if (access("/sys/module/overlay", F_OK) == 0)
        return 0;
    return err_set(e, -ENOTSUP,
                   "the kernel has no overlayfs, which holds the containers' file "
                   "systems: run modprobe overlay, or use a kernel that has it");
}

/* Length of the folder part (with slash) that all layers share, 0 when they differ. */
static size_t common_folder(const char *const *layers, size_t n)
{
    const char *slash = strrchr(layers[0], '/');
    size_t len = slash ? (size_t)(slash - layers[0]) + 1 : 0;
    for (size_t i = 1; i < n; i++)
        if (strncmp(layers[i], layers[0], len) != 0 || strchr(layers[i] + len, '/'))
            return 0;
    return len;
}

static int put_lower(const char *const *layers, size_t n, size_t skip, struct buf *options)
{
    int r = buf_addz(options, "lowerdir=");
    for (size_t i = n; i-- > 0 && r == 0;)
        r = buf_addf(options, "%s%s", layers[i] + skip, i ? ":" : "");
    return r;
}

static int options_of(const char *const *layers, size_t n, size_t skip, const char *dir,
                      struct buf *options, struct err *e)
{
    int r = put_lower(layers, n, skip, options);
    if (r == 0)
        r = buf_addf(options, ",upperdir=%s/upper,workdir=%s/work", dir, dir);
    return r == 0 ? 0
                  : err_set(e, -E2BIG,
                            "the image has %zu layers, too many for one mount: "
                            "squash it",
                            n);
}

static int mount_overlay(const char *const *layers, size_t n, const char *dir, struct err *e)
{
    size_t skip = common_folder(layers, n);
    _cleanup_free_ char *folder = xstrndup(layers[0], skip);
    _cleanup_free_ char *target = xasprintf("%s/root", dir);
    _cleanup_buf_ struct buf options = BUF_INIT(MAX_OPTIONS);
    int r = options_of(layers, n, skip, dir, &options, e);
    if (r < 0)
        return r;
    if (skip && chdir(folder) < 0)
        return err_sys(e, errno, "entering %s", folder);
    size_t plain = options.n;
    bool fits = buf_addz(&options, ",volatile") == 0;
    if (mount("overlay", target, "overlay", 0, buf_z(&options)) == 0)
        return 0;
    if (fits) { /* kernels before 5.10 */
        options.p[plain] = 0;
        if (mount("overlay", target, "overlay", 0, options.p) == 0)
            return 0;
    }
    return err_sys(e, errno, "mounting the root file system at %s", target);
}

static int fresh(const char *dir, const char *name, struct err *e)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
    int r = file_remove_tree(AT_FDCWD, path, e);
    return r < 0 ? r : files_mkdirs(path, 0755, e);
}

static int open_in_root(const char *dir, const char *path, int flags)
{
    _cleanup_free_ char *root = xasprintf("%s/root", dir);
    _cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    return fd < 0 ? -1 : (int)syscall(SYS_openat2, fd, path, &how, sizeof how);
}

static void ensure_tmp(const char *dir)
{
    _cleanup_close_ int root = open_in_root(dir, "/", O_PATH | O_DIRECTORY);
    if (root >= 0 && mkdirat(root, "tmp", 01777) == 0)
        fchmodat(root, "tmp", 01777, 0);
}

int rootfs_mount(const char *const *layers, size_t n, const char *dir, struct err *e)
{
    if (!n)
        return err_set(e, -EINVAL, "the image has no layers");
    rootfs_unmount(dir);
    int r = fresh(dir, "upper", e);
    if (r == 0)
        r = fresh(dir, "work", e);
    if (r == 0)
        r = fresh(dir, "root", e);
    if (r == 0)
        r = mount_overlay(layers, n, dir, e);
    if (r == 0)
        ensure_tmp(dir);
    return r;
}

void rootfs_unmount(const char *dir)
{
    _cleanup_free_ char *target = xasprintf("%s/root", dir);
    umount2(target, MNT_DETACH);
}

char *rootfs_read(const char *dir, const char *path)
{
    struct buf out = BUF_INIT(MAX_TEXT_FILE);
    _cleanup_close_ int fd = open_in_root(dir, path, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return xstrdup("");
    char part[4096];
    for (ssize_t r; (r = read(fd, part, sizeof part)) > 0;)
        if (buf_add(&out, part, (size_t)r) < 0)
            break;
    return buf_steal(&out, NULL);
}
