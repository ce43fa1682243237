/* Plain system calls with messages. */
#include "cluster/node/runtime/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

int files_mkdirs(const char *path, mode_t mode, struct err *e)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return 0;
    _cleanup_free_ char *copy = xstrdup(path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return err_sys(e, errno, "making the directory %s", copy);
        *slash = '/';
    }
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return err_sys(e, errno, "making the directory %s", path);
    return 0;
}

int file_write(const char *path, const void *data, size_t n, mode_t mode, struct err *e)
{
    _cleanup_close_ int fd =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0 || fchmod(fd, mode) < 0)
        return err_sys(e, errno, "making the file %s", path);
    for (const char *p = data; n;) {
        ssize_t w = write(fd, p, n);
        if (w < 0)
            return err_sys(e, errno, "writing %s", path);
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

char *file_read(const char *path, size_t max, size_t *ret_n)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    _cleanup_free_ char *out = xmalloc(max + 1);
    size_t n = 0;
    for (ssize_t r; n < max && (r = read(fd, out + n, max - n)) != 0; n += (size_t)r)
        if (r < 0)
            return NULL;
    out[n] = 0;
    if (ret_n)
        *ret_n = n;
    return xrealloc(steal(&out), n + 1);
}
