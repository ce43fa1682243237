/* Files replaced as a whole, read with a bound, and trees removed whatever they hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

struct place {
    char path[64];
    int fd;
};

static int set_up(void **state)
{
    struct place *p = xnew(struct place);

    snprintf(p->path, sizeof(p->path), "/tmp/nonagon-file-XXXXXX");
    assert_non_null(mkdtemp(p->path));
    p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    int r = file_remove_tree(AT_FDCWD, p->path, NULL);

    close(p->fd);
    free(p);
    return r;
}

static int entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void assert_content(int dir, const char *name, const char *want)
{
    _cleanup_buf_ struct buf b = BUF_INIT(100000);
    struct err e = {0};

    if (file_get(dir, name, &b, &e) < 0)
        fail_msg("%s", e.msg);
    assert_string_equal(buf_z(&b), want);
}

static void put(int dir, const char *name, const char *text)
{
    struct err e = {0};

    if (file_put(dir, name, str_of(text), 0600, FILE_SYNCED, &e) < 0)
        fail_msg("%s", e.msg);
}

static void a_file_is_replaced_as_a_whole(void **state)
{
    struct place *p = *state;
    _cleanup_free_ char *whole = xasprintf("%s/whole", p->path);
    struct stat st;

    umask(0);
    put(p->fd, "f", "first");
    put(AT_FDCWD, whole, "by its path");
    assert_content(p->fd, "f", "first");
    assert_content(p->fd, "whole", "by its path");
    int old = openat(p->fd, "f", O_RDONLY | O_CLOEXEC);
    assert_int_equal(file_put(p->fd, "f", STR("2"), 0640, FILE_UNSYNCED, NULL), 0);
    assert_content(p->fd, "f", "2");
    char text[8] = "";
    assert_int_equal(read(old, text, 7), 5); /* who has the old one open reads it to its end */
    close(old);
    assert_int_equal(fstatat(p->fd, "f", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(entries(p->path), 2);
}

static void a_planted_link_is_replaced_and_not_followed(void **state)
{
    struct place *p = *state;

    put(p->fd, "victim", "untouched");
    assert_int_equal(symlinkat("victim", p->fd, "f"), 0);
    assert_int_equal(linkat(p->fd, "victim", p->fd, "hard", 0), 0);
    put(p->fd, "f", "mine");
    put(p->fd, "hard", "mine");
    assert_content(p->fd, "victim", "untouched");
    assert_content(p->fd, "f", "mine");
}

static void what_cannot_be_written_leaves_nothing(void **state)
{
    struct place *p = *state;
    struct err e = {0};

    assert_int_equal(mkdirat(p->fd, "dir", 0700), 0);
    assert_true(file_put(p->fd, "dir", STR("x"), 0600, FILE_SYNCED, &e) < 0);
    assert_non_null(strstr(e.msg, "dir"));
    assert_int_equal(file_put(p->fd, "none/f", STR("x"), 0600, FILE_SYNCED, &e), -ENOENT);
    assert_non_null(strstr(e.msg, "none/f"));
    assert_int_equal(entries(p->path), 1);
}

static void reading_is_bounded(void **state)
{
    struct place *p = *state;
    struct buf b = BUF_INIT(8);
    struct err e = {0};

    put(p->fd, "f", "12345");
    assert_int_equal(buf_addz(&b, "ab"), 0);
    assert_int_equal(file_get(p->fd, "f", &b, NULL), 0);
    assert_string_equal(buf_z(&b), "ab12345");
    assert_int_equal(file_get(p->fd, "f", &b, &e), -EFBIG);
    assert_int_equal(b.n, 7);
    assert_int_equal(file_get(p->fd, "none", &b, &e), -ENOENT);
    assert_int_equal(file_get(p->fd, ".", &b, &e), -EINVAL);
    assert_int_equal(mkfifoat(p->fd, "pipe", 0600), 0);
    assert_int_equal(file_get(p->fd, "pipe", &b, &e), -EINVAL); /* and does not wait for a writer */
    buf_done(&b);
}

/* ---- removal ---- */

/* A path of `depth` directories with a file in each; no single path could name the lowest. */
static void make_deep(int dir, int depth)
{
    int at = dup(dir);

    for (int i = 0; i < depth; i++) {
        assert_int_equal(mkdirat(at, "d", 0700), 0);
        assert_int_equal(mknodat(at, "file", S_IFREG | 0600, 0), 0);
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(at);
        at = next;
    }
    close(at);
}

static void a_tree_goes_whatever_its_depth(void **state)
{
    static const int depths[] = {0, 1, 31, 32, 33, 34, 66, 3000};
    struct place *p = *state;
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(depths); i++) {
        assert_int_equal(mkdirat(p->fd, "tree", 0700), 0);
        int tree = openat(p->fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        make_deep(tree, depths[i]);
        close(tree);
        if (file_remove_tree(p->fd, "tree", &e) < 0)
            fail_msg("depth %d: %s", depths[i], e.msg);
        assert_int_equal(entries(p->path), 0);
    }
    assert_int_equal(file_remove_tree(p->fd, "tree", NULL), 0); /* nothing is no error */
}

static void links_are_removed_and_not_followed(void **state)
{
    struct place *p = *state;

    assert_int_equal(mkdirat(p->fd, "kept", 0700), 0);
    put(p->fd, "kept/f", "kept");
    assert_int_equal(mkdirat(p->fd, "tree", 0700), 0);
    assert_int_equal(symlinkat("../kept", p->fd, "tree/link"), 0);
    assert_int_equal(symlinkat("kept", p->fd, "link"), 0);
    assert_int_equal(mknodat(p->fd, "tree/pipe", S_IFIFO | 0600, 0), 0);
    assert_int_equal(file_remove_tree(p->fd, "tree", NULL), 0);
    assert_int_equal(file_remove_tree(p->fd, "link", NULL), 0);
    assert_content(p->fd, "kept/f", "kept");
    assert_int_equal(entries(p->path), 1);
}

static void other_file_systems_are_left_alone_and_named(void **state)
{
    struct place *p = *state;
    _cleanup_free_ char *inner = xasprintf("%s/tree/inner", p->path);
    struct err e = {0};

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        skip();
    close(p->fd);
    p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* in the new namespace */
    assert_int_equal(mkdirat(p->fd, "tree", 0700), 0);
    assert_int_equal(mkdirat(p->fd, "tree/inner", 0700), 0);
    assert_int_equal(mount("tmpfs", inner, "tmpfs", 0, "size=64k"), 0);
    put(p->fd, "tree/inner/f", "kept");
    put(p->fd, "tree/f", "goes");
    assert_int_equal(file_remove_tree(p->fd, "tree", &e), -EXDEV);
    assert_non_null(strstr(e.msg, "tree"));
    assert_int_equal(file_remove_tree(p->fd, "tree/inner", &e), -EXDEV);
    assert_content(p->fd, "tree/inner/f", "kept");
    assert_int_equal(faccessat(p->fd, "tree/f", F_OK, 0), -1); /* the rest went all the same */
    assert_int_equal(umount(inner), 0);
}

#define FILE_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(a_file_is_replaced_as_a_whole),
        FILE_TEST(a_planted_link_is_replaced_and_not_followed),
        FILE_TEST(what_cannot_be_written_leaves_nothing),
        FILE_TEST(reading_is_bounded),
        FILE_TEST(a_tree_goes_whatever_its_depth),
        FILE_TEST(links_are_removed_and_not_followed),
        FILE_TEST(other_file_systems_are_left_alone_and_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
