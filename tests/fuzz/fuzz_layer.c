/* Layers: arbitrary bytes are unpacked into a directory beside a sentinel, which must be the same
 * afterwards. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/image/image.h"
#include "cluster/image/tree.h"

static void write_file(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct layer_limits lim = {1 << 20, 500};
    char base[] = "/tmp/nonagon-fuzz-XXXXXX", tar[64], root[64], sentinel[64], diff_id[72];
    struct stat before, after;
    int64_t bytes;

    if (geteuid() != 0 || !mkdtemp(base))
        return 0;
    snprintf(tar, sizeof(tar), "%s/tar", base);
    snprintf(root, sizeof(root), "%s/root", base);
    snprintf(sentinel, sizeof(sentinel), "%s/sentinel", base);
    write_file(tar, data, size);
    write_file(sentinel, data, size < 4 ? size : 4);
    if (mkdir(root, 0755) < 0 || stat(sentinel, &before) < 0)
        abort();
    layer_unpack(tar, root, &lim, diff_id, &bytes, NULL);
    if (stat(sentinel, &after) < 0 || after.st_nlink != 1 || after.st_mode != before.st_mode ||
        after.st_mtim.tv_nsec != before.st_mtim.tv_nsec || after.st_size != before.st_size)
        abort();
    if (tree_remove(AT_FDCWD, base) < 0)
        abort();
    return 0;
}
