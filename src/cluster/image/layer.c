/*
 * Reading one layer: two libarchive readers in a chain. The outer one only decompresses ("raw"
 * format), the inner one reads the tar; between them pass all bytes of the tar, so the diff id is
 * computed in the same pass.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cluster/image/digest.h"
#include "cluster/image/extract.h"
#include "cluster/image/image.h"

#define CHUNK (128 * 1024)

struct layer_reader {
    struct archive *raw, *tar;
    struct digest_sum sum;
    int64_t passed, max_passed; /* bytes of the tar */
    bool too_long;
    locale_t before; /* of the thread; 0 while it is not changed */
    char buf[CHUNK];
};

/* Names in tar files are UTF-8, whatever the process's locale is. Made once, kept for good. */
static locale_t utf8;
static pthread_once_t utf8_once = PTHREAD_ONCE_INIT;

static void make_utf8(void)
{
    utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static void reader_free(struct layer_reader *r)
{
    if (r->tar)
        archive_read_free(r->tar);
    if (r->raw)
        archive_read_free(r->raw);
    digest_done(&r->sum);
    if (r->before)
        uselocale(r->before);
    free(r);
}
DEFINE_CLEANUP(struct layer_reader *, reader_free)

static la_ssize_t pass_on(struct archive *tar, void *ctx, const void **ret)
{
    struct layer_reader *r = ctx;
    la_ssize_t n = archive_read_data(r->raw, r->buf, sizeof(r->buf));

    if (n < 0) {
        archive_set_error(tar, EIO, "%s", archive_error_string(r->raw));
        return ARCHIVE_FATAL;
    }
    r->passed += n;
    if (r->passed > r->max_passed) {
        r->too_long = true;
        archive_set_error(tar, EFBIG, "the layer decompresses to more than %lld bytes",
                          (long long)r->max_passed);
        return ARCHIVE_FATAL;
    }
    digest_add(&r->sum, r->buf, (size_t)n);
    *ret = r->buf;
    return n;
}

static int open_raw(struct layer_reader *r, int fd, const char *path, struct err *e)
{
    struct archive_entry *entry;
    int rc;

    r->raw = archive_read_new();
    archive_read_support_filter_gzip(r->raw);
    archive_read_support_filter_zstd(r->raw);
    archive_read_support_format_raw(r->raw);
    archive_read_support_format_empty(r->raw);
    rc = archive_read_open_fd(r->raw, fd, CHUNK);
    if (rc == ARCHIVE_OK)
        rc = archive_read_next_header(r->raw, &entry);
    if (rc == ARCHIVE_EOF)
        return err_set(e, -EBADMSG, "layer \"%s\" is empty", path);
    if (rc != ARCHIVE_OK)
        return err_set(e, -EBADMSG, "cannot decompress layer \"%s\": %s", path,
                       archive_error_string(r->raw));
    return 0;
}

static int open_tar(struct layer_reader *r, const char *path, struct err *e)
{
    r->tar = archive_read_new();
    archive_read_support_format_tar(r->tar);
    if (archive_read_open(r->tar, r, NULL, pass_on, NULL) != ARCHIVE_OK)
        return err_set(e, r->too_long ? -EFBIG : -EBADMSG, "layer \"%s\" is not a tar archive: %s",
                       path, archive_error_string(r->tar));
    return 0;
}

static int unpack_entries(struct layer_reader *r, struct extract *x, struct err *e)
{
    struct archive_entry *entry;
    int rc, failed;

    while ((rc = archive_read_next_header(r->tar, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN)
        if ((failed = extract_entry(x, r->tar, entry, e)) < 0)
            return failed;
    if (rc != ARCHIVE_EOF)
        return err_set(e, r->too_long ? -EFBIG : -EBADMSG, "the archive cannot be read on: %s",
                       archive_error_string(r->tar));
    return extract_finish(x, e);
}

/* What follows the end mark of the tar counts for the digest too. */
static int drain(struct layer_reader *r, struct err *e)
{
    const void *p;
    la_ssize_t n;

    while ((n = pass_on(r->tar, r, &p)) > 0)
        ;
    return n < 0 ? err_set(e, r->too_long ? -EFBIG : -EBADMSG,
                           "the archive's end cannot be read: %s", archive_error_string(r->tar))
                 : 0;
}

static int unpack_into(struct layer_reader *r, int root, const struct layer_limits *lim,
                       int64_t *ret_bytes, struct err *e)
{
    struct extract x;

    extract_init(&x, root, lim);
    int rc = unpack_entries(r, &x, e);
    if (rc == 0)
        rc = drain(r, e);
    *ret_bytes = x.bytes;
    extract_done(&x);
    if (rc == 0 && syncfs(root) < 0)
        rc = err_sys(e, errno, "cannot write the files to disk");
    return rc;
}

int layer_unpack(const char *tar_path, const char *dir, const struct layer_limits *lim,
                 char ret_diff_id[static 72], int64_t *ret_bytes, struct err *e)
{
    _cleanup_close_ int fd = open(tar_path, O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(reader_freep) struct layer_reader *r = xnew(struct layer_reader);
    char digest[DIGEST_MAX];
    int64_t bytes = 0;
    int rc;

    digest_start(&r->sum, NULL);
    if (fd < 0)
        return err_sys(e, errno, "cannot open layer \"%s\"", tar_path);
    if (root < 0)
        return err_sys(e, errno, "cannot open directory \"%s\" to unpack a layer into", dir);
    pthread_once(&utf8_once, make_utf8);
    if (utf8)
        r->before = uselocale(utf8);
    /* Headers and padding take at most this much beside the content, unless someone tries to be
     * clever. */
    r->max_passed = lim->max_bytes + lim->max_entries * 4096 + (1 << 20);
    if ((rc = open_raw(r, fd, tar_path, e)) < 0 || (rc = open_tar(r, tar_path, e)) < 0)
        return rc;
    if ((rc = unpack_into(r, root, lim, &bytes, e)) < 0)
        return err_prefix(e, "cannot unpack layer \"%s\"", tar_path);
    digest_end(&r->sum, digest);
    memcpy(ret_diff_id, digest, 72);
    *ret_bytes = bytes;
    return 0;
}
