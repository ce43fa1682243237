/*
 * Unpacking layers: every way in which an entry could reach outside of the directory, and that what
 * belongs inside arrives whole. Layers are written with libarchive, which lets any name pass. Needs
 * root (owners, whiteouts).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "cluster/image/digest.h"
#include "cluster/image/image.h"
#include "cluster/image/tree.h"

struct place {
    char base[64], root[80], outside[80], tar[80];
    struct archive *a;
    char diff_id[72];
    int64_t bytes;
    struct err e;
};

static const struct layer_limits LIMITS = {1 << 20, 1000};

static int setup(void **state)
{
    struct place *p = xnew(struct place);

    strcpy(p->base, "/tmp/nonagon-layer-XXXXXX");
    if (!mkdtemp(p->base))
        return -1;
    snprintf(p->root, sizeof(p->root), "%s/root", p->base);
    snprintf(p->outside, sizeof(p->outside), "%s/outside", p->base);
    snprintf(p->tar, sizeof(p->tar), "%s/layer", p->base);
    mkdir(p->root, 0755);
    mkdir(p->outside, 0755);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;

    assert_int_equal(tree_remove(AT_FDCWD, p->base), 0);
    free(p);
    return 0;
}

/* ---- writing a layer ---- */

static void begin_filter(struct place *p, const char *filter)
{
    p->a = archive_write_new();
    archive_write_set_format_pax(p->a);
    if (filter)
        archive_write_add_filter_by_name(p->a, filter);
    assert_int_equal(archive_write_open_filename(p->a, p->tar), ARCHIVE_OK);
}

static void begin(struct place *p)
{
    begin_filter(p, NULL);
}

static struct archive_entry *entry(const char *name, int type, int mode)
{
    struct archive_entry *e = archive_entry_new();

    archive_entry_set_pathname(e, name);
    archive_entry_set_filetype(e, (unsigned)type);
    archive_entry_set_perm(e, (mode_t)mode);
    archive_entry_set_mtime(e, 1000000000, 0);
    return e;
}

static void put(struct place *p, struct archive_entry *e, const char *data)
{
    if (data)
        archive_entry_set_size(e, (int64_t)strlen(data));
    assert_true(archive_write_header(p->a, e) >= ARCHIVE_WARN);
    if (data)
        assert_int_equal(archive_write_data(p->a, data, strlen(data)), strlen(data));
    archive_entry_free(e);
}

static void put_file(struct place *p, const char *name, const char *data)
{
    put(p, entry(name, AE_IFREG, 0644), data);
}

static void put_dir(struct place *p, const char *name)
{
    put(p, entry(name, AE_IFDIR, 0755), NULL);
}

static void put_symlink(struct place *p, const char *name, const char *target)
{
    struct archive_entry *e = entry(name, AE_IFLNK, 0777);

    archive_entry_set_symlink(e, target);
    put(p, e, NULL);
}

static void put_hardlink(struct place *p, const char *name, const char *target)
{
    struct archive_entry *e = entry(name, AE_IFREG, 0644);

    archive_entry_set_hardlink(e, target);
    put(p, e, NULL);
}

static int end(struct place *p)
{
    assert_int_equal(archive_write_close(p->a), ARCHIVE_OK);
    archive_write_free(p->a);
    int rc = layer_unpack(p->tar, p->root, &LIMITS, p->diff_id, &p->bytes, &p->e);
    if (rc < 0)
        assert_true(p->e.msg[0]);
    return rc;
}

static void must_unpack(struct place *p)
{
    int rc = end(p);

    if (rc < 0)
        print_error("%s\n", p->e.msg);
    assert_int_equal(rc, 0);
}

/* ---- looking at the result ---- */

static void join(char ret[256], const char *dir, const char *name)
{
    snprintf(ret, 256, "%s/%s", dir, name);
}

static struct stat stat_of(struct place *p, const char *name)
{
    struct stat st;
    char path[256];

    join(path, p->root, name);
    if (lstat(path, &st) < 0)
        fail_msg("%s is missing", name);
    return st;
}

static bool exists(struct place *p, const char *name)
{
    struct stat st;
    char path[256];

    join(path, p->root, name);
    return lstat(path, &st) == 0;
}

static void assert_content(struct place *p, const char *name, const char *want)
{
    char path[256], got[256] = "";

    join(path, p->root, name);
    int fd = open(path, O_RDONLY | O_NOFOLLOW);
    assert_true(fd >= 0);
    assert_true(read(fd, got, sizeof(got) - 1) >= 0);
    close(fd);
    assert_string_equal(got, want);
}

static void assert_nothing_outside(struct place *p)
{
    assert_int_equal(rmdir(p->outside), 0); /* still there, and empty */
    mkdir(p->outside, 0755);
}

static void assert_is_whiteout(struct place *p, const char *name)
{
    struct stat st = stat_of(p, name);

    assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
}

static void assert_is_opaque(struct place *p, const char *name)
{
    char path[256], value[4] = "";

    join(path, p->root, name);
    assert_int_equal(getxattr(path, "trusted.overlay.opaque", value, sizeof(value)), 1);
    assert_string_equal(value, "y");
}

/* ---- what belongs inside ---- */

static void keeps_everything(void **state)
{
    struct place *p = *state;
    struct archive_entry *e;

    begin(p);
    e = entry("./", AE_IFDIR, 0711);
    put(p, e, NULL);
    e = entry("usr/", AE_IFDIR, 0750);
    archive_entry_set_uid(e, 12);
    archive_entry_set_gid(e, 34);
    put(p, e, NULL);
    e = entry("usr/tool", AE_IFREG, 04755);
    archive_entry_set_uid(e, 1000);
    archive_entry_set_gid(e, 1001);
    archive_entry_xattr_add_entry(e, "user.note", "hi", 2);
    archive_entry_xattr_add_entry(e, "trusted.overlay.redirect", "/etc", 4);
    archive_entry_xattr_add_entry(e, "user.overlay.opaque", "y", 1);
    static const unsigned char cap[20] = {0, 0, 0, 2, 0, 4};
    archive_entry_xattr_add_entry(e, "security.capability", cap, sizeof(cap));
    put(p, e, "tool");
    put_hardlink(p, "usr/same", "usr/tool");
    put_symlink(p, "usr/link", "/etc/passwd");
    put(p, entry("fifo", AE_IFIFO, 0622), NULL);
    put_file(p, "caf\xc3\xa9", "utf-8");
    put_file(p, "deep/in/here", "parents are made");
    must_unpack(p);

    struct stat st = stat_of(p, "usr/tool");
    assert_int_equal(st.st_mode & 07777, 04755);
    assert_int_equal(st.st_uid, 1000);
    assert_int_equal(st.st_gid, 1001);
    assert_int_equal(st.st_mtim.tv_sec, 1000000000);
    assert_int_equal(st.st_nlink, 2);
    assert_int_equal(stat_of(p, "usr/same").st_ino, st.st_ino);
    assert_int_equal(stat_of(p, ".").st_mode & 07777, 0711);
    st = stat_of(p, "usr");
    assert_int_equal(st.st_mode & 07777, 0750);
    assert_int_equal(st.st_uid, 12);
    assert_int_equal(st.st_mtim.tv_sec, 1000000000);
    assert_true(S_ISLNK(stat_of(p, "usr/link").st_mode));
    assert_int_equal(stat_of(p, "fifo").st_mode, S_IFIFO | 0622);
    assert_content(p, "caf\xc3\xa9", "utf-8");
    assert_content(p, "deep/in/here", "parents are made");
    assert_int_equal(p->bytes, 4 + 5 + 16);

    char path[256], value[32];
    join(path, p->root, "usr/tool");
    assert_int_equal(getxattr(path, "user.note", value, sizeof(value)), 2);
    assert_int_equal(getxattr(path, "security.capability", value, sizeof(value)), 20);
    assert_true(getxattr(path, "trusted.overlay.redirect", value, sizeof(value)) < 0);
    assert_true(getxattr(path, "user.overlay.opaque", value, sizeof(value)) < 0);
}

static void read_whole(const char *path, char **ret, size_t *ret_n)
{
    FILE *f = fopen(path, "rb");

    assert_non_null(f);
    *ret = xmalloc(1 << 20);
    *ret_n = fread(*ret, 1, 1 << 20, f);
    fclose(f);
}

static void diff_id_is_of_the_tar(void **state)
{
    static const char *const filters[] = {"gzip", "zstd"};
    struct place *p = *state;
    char want[DIGEST_MAX], *tar;
    size_t n;

    begin(p);
    put_file(p, "a", "content");
    must_unpack(p);
    read_whole(p->tar, &tar, &n);
    digest_of(tar, n, NULL, want);
    free(tar);
    assert_string_equal(p->diff_id, want);
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        tree_remove(AT_FDCWD, p->root);
        mkdir(p->root, 0755);
        begin_filter(p, filters[i]);
        put_file(p, "a", "content");
        must_unpack(p);
        assert_string_equal(p->diff_id, want);
        assert_content(p, "a", "content");
    }
}

static void whiteouts_become_overlay_marks(void **state)
{
    struct place *p = *state;

    begin(p);
    put_dir(p, "etc");
    put_file(p, "etc/.wh.passwd", "");
    put_file(p, "etc/.wh.passwd", "");
    put_dir(p, "var");
    put_file(p, "var/.wh..wh..opq", "");
    put_file(p, "var/new", "new");
    put_file(p, ".wh..wh.plnk", "");
    put_file(p, ".wh..wh.aufs/x", "");
    /* beside an entry of the same name, in both orders */
    put_file(p, ".wh.one", "");
    put_file(p, "one", "1");
    put_file(p, "two", "2");
    put_file(p, ".wh.two", "");
    put_file(p, ".wh.three", "");
    put_dir(p, "three");
    put_dir(p, "four");
    put_file(p, ".wh.four", "");
    put_file(p, ".wh.five", "");
    put_file(p, "five/x", "x");
    must_unpack(p);
    assert_is_whiteout(p, "etc/passwd");
    assert_is_opaque(p, "var");
    assert_content(p, "var/new", "new");
    assert_false(exists(p, ".wh..wh.plnk"));
    assert_false(exists(p, ".wh..wh.aufs"));
    assert_content(p, "one", "1");
    assert_content(p, "two", "2");
    assert_is_opaque(p, "three");
    assert_is_opaque(p, "four");
    assert_is_opaque(p, "five");
}

static void later_entries_replace_earlier(void **state)
{
    struct place *p = *state;

    begin(p);
    put_file(p, "a", "old");
    put_file(p, "a", "new");
    put_symlink(p, "l", "a");
    put_file(p, "l", "file over link");
    put_dir(p, "d");
    put_file(p, "d/x", "x");
    put_file(p, "d", "file over dir");
    put_file(p, "f", "f");
    put_dir(p, "f");
    put_file(p, "f/y", "y");
    put_dir(p, "k");
    put_file(p, "k/kept", "kept");
    put(p, entry("k", AE_IFDIR, 0700), NULL);
    put_symlink(p, "s", "nowhere");
    put_dir(p, "s");
    must_unpack(p);
    assert_content(p, "a", "new");
    assert_content(p, "l", "file over link");
    assert_content(p, "d", "file over dir");
    assert_content(p, "f/y", "y");
    assert_content(p, "k/kept", "kept");
    assert_int_equal(stat_of(p, "k").st_mode & 07777, 0700);
    assert_true(S_ISDIR(stat_of(p, "s").st_mode));
}

static void file_over_hardlink_leaves_the_other(void **state)
{
    struct place *p = *state;

    begin(p);
    put_file(p, "a", "first");
    put_hardlink(p, "b", "a");
    put_file(p, "b", "second");
    put_hardlink(p, "a", "a"); /* to itself: nothing to do */
    must_unpack(p);
    assert_content(p, "a", "first");
    assert_content(p, "b", "second");
}

static void sparse_files(void **state)
{
    struct place *p = *state;
    struct archive_entry *e = entry("sparse", AE_IFREG, 0644);
    char data[200000] = "";

    begin(p);
    archive_entry_set_size(e, sizeof(data));
    archive_entry_sparse_add_entry(e, 65536, 4096);
    data[65536] = 'x';
    assert_int_equal(archive_write_header(p->a, e), ARCHIVE_OK);
    assert_int_equal(archive_write_data(p->a, data, sizeof(data)), sizeof(data));
    archive_entry_free(e);
    must_unpack(p);
    struct stat st = stat_of(p, "sparse");
    assert_int_equal(st.st_size, sizeof(data));
    assert_true(st.st_blocks * 512 < 100000);
}

/* ---- escapes ---- */

static void dotdot_is_refused(void **state)
{
    static const char *const names[] = {"../outside/x", "a/../../outside/x", "..",
                                        "a/..",         "/../outside/x",     "./../x"};
    struct place *p = *state;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        begin(p);
        put_file(p, names[i], "x");
        assert_int_equal(end(p), -EBADMSG);
        assert_nothing_outside(p);
    }
}

static void absolute_names_land_inside(void **state)
{
    struct place *p = *state;
    char name[256], path[256];

    join(name, p->outside, "x");
    begin(p);
    put_file(p, name, "x");
    put_file(p, "//etc/./y", "y");
    must_unpack(p);
    assert_content(p, "etc/y", "y");
    snprintf(path, sizeof(path), "%s", name + 1);
    assert_content(p, path, "x");
    assert_nothing_outside(p);
}

static void symlinked_parents_stay_inside(void **state)
{
    struct place *p = *state;

    begin(p);
    put_symlink(p, "out", p->outside);
    put_file(p, "out/x", "x");
    assert_int_equal(end(p), -EBADMSG); /* no such directory inside */
    assert_nothing_outside(p);

    begin(p);
    put_symlink(p, "up", "../outside");
    put_file(p, "up/x", "x");
    assert_int_equal(end(p), -EBADMSG);
    assert_nothing_outside(p);

    begin(p);
    put_symlink(p, "loop", "loop");
    put_file(p, "loop/x", "x");
    assert_int_equal(end(p), -EBADMSG);

    begin(p);
    put_symlink(p, "proc", "/proc/self/root");
    put_file(p, "proc/x", "x");
    assert_int_equal(end(p), -EBADMSG);
}

static void symlinked_parents_are_followed_inside(void **state)
{
    struct place *p = *state;

    begin(p);
    put_dir(p, "usr/lib");
    put_symlink(p, "lib", "usr/lib");
    put_file(p, "lib/a", "a");
    put_symlink(p, "abs", "/usr/lib");
    put_file(p, "abs/b", "b");
    put_symlink(p, "top", "../../../..");
    put_file(p, "top/c", "c");
    put_file(p, "lib/.wh.gone", "");
    must_unpack(p);
    assert_true(S_ISLNK(stat_of(p, "lib").st_mode));
    assert_content(p, "usr/lib/a", "a");
    assert_content(p, "usr/lib/b", "b");
    assert_content(p, "c", "c");
    assert_is_whiteout(p, "usr/lib/gone");
    assert_nothing_outside(p);
}

static void symlink_as_target_is_not_followed(void **state)
{
    struct place *p = *state;
    char victim[256];

    join(victim, p->outside, "victim");
    begin(p);
    put_symlink(p, "x", victim);
    put_file(p, "x", "data");
    put_symlink(p, "d", p->outside);
    struct archive_entry *e = entry("d", AE_IFDIR, 0700);
    archive_entry_set_uid(e, 77);
    put(p, e, NULL);
    must_unpack(p);
    assert_content(p, "x", "data");
    assert_true(S_ISDIR(stat_of(p, "d").st_mode));
    assert_nothing_outside(p);
    struct stat st;
    assert_int_equal(stat(p->outside, &st), 0);
    assert_int_equal(st.st_uid, 0);
}

static void hardlinks_to_the_outside_are_refused(void **state)
{
    struct place *p = *state;
    char secret[256];

    join(secret, p->outside, "secret");
    close(open(secret, O_CREAT | O_WRONLY, 0600));
    const char *const targets[] = {
        secret, "../outside/secret", "out/secret", "a/../../outside/secret", "/", "", "gone"};
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        begin(p);
        put_symlink(p, "out", p->outside);
        put_hardlink(p, "link", targets[i]);
        if (*targets[i])
            assert_int_equal(end(p), -EBADMSG);
        else
            end(p); /* an empty target is no link: an empty file */
        struct stat st;
        assert_int_equal(stat(secret, &st), 0);
        assert_int_equal(st.st_nlink, 1);
    }
    unlink(secret);
}

static void hardlink_to_symlink_links_the_link(void **state)
{
    struct place *p = *state;
    char secret[256];

    join(secret, p->outside, "secret");
    close(open(secret, O_CREAT | O_WRONLY, 0600));
    begin(p);
    put_symlink(p, "s", secret);
    put_hardlink(p, "h", "s");
    put_file(p, "h", "over");
    must_unpack(p);
    assert_content(p, "h", "over");
    struct stat st;
    assert_int_equal(stat(secret, &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_int_equal(st.st_nlink, 1);
    unlink(secret);
}

static void hardlink_to_directory_or_whiteout_is_refused(void **state)
{
    struct place *p = *state;

    begin(p);
    put_dir(p, "d");
    put_hardlink(p, "h", "d");
    assert_int_equal(end(p), -EBADMSG);
    begin(p);
    put_file(p, ".wh.w", "");
    put_hardlink(p, "h", "w");
    assert_int_equal(end(p), -EBADMSG);
}

static void whiteouts_cannot_reach_out(void **state)
{
    static const char *const names[] = {".wh.", ".wh..", ".wh...", "../outside/.wh.victim",
                                        ".wh.a/b"};
    struct place *p = *state;
    char victim[256];

    join(victim, p->outside, "victim");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        close(open(victim, O_CREAT | O_WRONLY, 0600));
        begin(p);
        put_file(p, names[i], "");
        assert_int_equal(end(p), -EBADMSG);
        assert_int_equal(unlink(victim), 0);
    }
    begin(p);
    put_symlink(p, "out", p->outside);
    put_file(p, "out/.wh.victim", "");
    assert_int_equal(end(p), -EBADMSG);
    begin(p);
    put_symlink(p, "out", p->outside);
    put_file(p, "out/.wh..wh..opq", "");
    assert_int_equal(end(p), -EBADMSG);
    assert_nothing_outside(p);
}

static void devices_are_left_out(void **state)
{
    struct place *p = *state;
    struct archive_entry *e;

    begin(p);
    e = entry("sda", AE_IFBLK, 0666);
    archive_entry_set_rdev(e, makedev(8, 0));
    put(p, e, NULL);
    e = entry("mem", AE_IFCHR, 0666);
    archive_entry_set_rdev(e, makedev(1, 1));
    put(p, e, NULL);
    e = entry("hides", AE_IFCHR, 0666); /* a whiteout that is none by its name */
    archive_entry_set_rdev(e, makedev(0, 0));
    put(p, e, NULL);
    put_file(p, "after", "after");
    must_unpack(p);
    assert_false(exists(p, "sda"));
    assert_false(exists(p, "mem"));
    assert_false(exists(p, "hides"));
    assert_content(p, "after", "after");
}

static void root_cannot_be_replaced(void **state)
{
    struct place *p = *state;

    begin(p);
    put_symlink(p, "./", p->outside);
    assert_int_equal(end(p), -EBADMSG);
    begin(p);
    put_file(p, "/", "x");
    assert_int_equal(end(p), -EBADMSG);
    assert_nothing_outside(p);
}

/* ---- too much ---- */

/*
 * Writes one header by hand and 1.5 KB of what follows it: the library would fill an entry up to
 * its announced size. The head's size fields are the caller's.
 */
static void write_announced(struct place *p, unsigned char h[static 2048], char type)
{
    unsigned sum = 0;

    snprintf((char *)h + 100, 8, "%07o", 0644);
    snprintf((char *)h + 108, 8, "%07o", 0);
    snprintf((char *)h + 116, 8, "%07o", 0);
    snprintf((char *)h + 136, 12, "%011o", 0);
    h[156] = (unsigned char)type;
    memcpy(h + 257, "ustar  ", 8);
    memset(h + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += h[i];
    snprintf((char *)h + 148, 8, "%06o", sum);
    FILE *f = fopen(p->tar, "wb");
    assert_int_equal(fwrite(h, 1, 2048, f), 2048);
    fclose(f);
}

static void huge_files_are_refused(void **state)
{
    struct place *p = *state;
    unsigned char h[2048] = "huge";

    h[124] = 0x80;  /* base 256 */
    h[124 + 6] = 1; /* 2^40: the announced size is enough, the data never comes */
    write_announced(p, h, '0');
    assert_int_equal(layer_unpack(p->tar, p->root, &LIMITS, p->diff_id, &p->bytes, &p->e), -EFBIG);
}

/* In the old GNU form: 512 bytes of data that claim to be a tebibyte. */
static void huge_sparse_files_are_refused(void **state)
{
    struct place *p = *state;
    unsigned char h[2048] = "sparse";

    snprintf((char *)h + 124, 12, "%011o", 512);
    snprintf((char *)h + 386, 12, "%011o", 0);
    snprintf((char *)h + 398, 12, "%011o", 512);
    h[483] = 0x80;  /* base 256 */
    h[483 + 6] = 1; /* 2^40 */
    write_announced(p, h, 'S');
    assert_int_equal(layer_unpack(p->tar, p->root, &LIMITS, p->diff_id, &p->bytes, &p->e), -EFBIG);
}

static void bombs_are_refused(void **state)
{
    struct place *p = *state;
    char *zeros = xcalloc(1, 2 << 20);
    struct archive_entry *e;

    begin_filter(p, "gzip");
    for (int i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof(name), "f%d", i);
        e = entry(name, AE_IFREG, 0644);
        archive_entry_set_size(e, 500000);
        archive_write_header(p->a, e);
        archive_write_data(p->a, zeros, 500000);
        archive_entry_free(e);
    }
    assert_int_equal(end(p), -EFBIG);
    begin_filter(p, "gzip");
    for (int i = 0; i < 1001; i++)
        put_dir(p, "same");
    assert_int_equal(end(p), -EFBIG);
    free(zeros);
}

static void endless_tail_is_refused(void **state)
{
    struct place *p = *state;
    char command[512];

    snprintf(command, sizeof(command), "head -c 20000000 /dev/zero | gzip >%s", p->tar);
    assert_int_equal(system(command), 0);
    assert_int_equal(layer_unpack(p->tar, p->root, &LIMITS, p->diff_id, &p->bytes, &p->e), -EFBIG);
}

static void long_and_deep_names_are_refused(void **state)
{
    struct place *p = *state;
    char name[6000];

    memset(name, 'a', sizeof(name));
    name[300] = '\0';
    begin(p);
    put_file(p, name, "x");
    assert_int_equal(end(p), -EBADMSG);
    name[300] = 'a';
    for (size_t i = 100; i < sizeof(name); i += 100)
        name[i] = '/';
    name[sizeof(name) - 1] = '\0';
    begin(p);
    put_file(p, name, "x");
    assert_int_equal(end(p), -EBADMSG);
    for (size_t i = 0; i < 2000; i++)
        name[i] = i % 2 ? '/' : 'd';
    name[1999] = '\0';
    begin(p);
    put_file(p, name, "x");
    assert_int_equal(end(p), -EBADMSG);
    assert_int_equal(strlen(tree_show(name).text) < 250, 1);
}

static void garbage_is_refused(void **state)
{
    struct place *p = *state;
    static const char *const texts[] = {"", "not a tar", "\x1f\x8b\x08garbage",
                                        "\x28\xb5\x2f\xfd garbage"};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        FILE *f = fopen(p->tar, "w");
        fputs(texts[i], f);
        fclose(f);
        assert_int_equal(layer_unpack(p->tar, p->root, &LIMITS, p->diff_id, &p->bytes, &p->e),
                         -EBADMSG);
    }
    begin(p);
    put_file(p, "a", "some content that is cut");
    archive_write_close(p->a);
    archive_write_free(p->a);
    assert_int_equal(truncate(p->tar, 520), 0);
    assert_int_equal(layer_unpack(p->tar, p->root, &LIMITS, p->diff_id, &p->bytes, &p->e),
                     -EBADMSG);
    assert_int_equal(layer_unpack("/nonexistent", p->root, &LIMITS, p->diff_id, &p->bytes, &p->e),
                     -ENOENT);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(keeps_everything),
        T(diff_id_is_of_the_tar),
        T(whiteouts_become_overlay_marks),
        T(later_entries_replace_earlier),
        T(file_over_hardlink_leaves_the_other),
        T(sparse_files),
        T(dotdot_is_refused),
        T(absolute_names_land_inside),
        T(symlinked_parents_stay_inside),
        T(symlinked_parents_are_followed_inside),
        T(symlink_as_target_is_not_followed),
        T(hardlinks_to_the_outside_are_refused),
        T(hardlink_to_symlink_links_the_link),
        T(hardlink_to_directory_or_whiteout_is_refused),
        T(whiteouts_cannot_reach_out),
        T(devices_are_left_out),
        T(root_cannot_be_replaced),
        T(huge_files_are_refused),
        T(huge_sparse_files_are_refused),
        T(bombs_are_refused),
        T(endless_tail_is_refused),
        T(long_and_deep_names_are_refused),
        T(garbage_is_refused),
    };

    if (geteuid() != 0) {
        print_message("[  SKIPPED ] unpacking needs root\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
