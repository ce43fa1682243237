/*
 * What happens to acknowledged writes when the process is killed, to writes when the disk refuses,
 * and to the opener when the file is not what it should be.
 */
#include "fixture.h"

#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"

/* ---- killed ---- */

#define KEYS   40
#define ROUNDS 20

struct ack {
    int key;
    bool deleted;
    uint64_t rev;
};

struct child {
    struct store *store;
    int pipe;
    uint64_t seed;
};
struct child_write {
    struct child *child;
    struct ack ack;
};

static void child_step(struct child *c);

static void child_done(void *ctx, const struct err *err, const struct store_obj *obj)
{
    struct child_write *w = ctx;

    w->ack.rev = err ? 0 : store_obj_rev(obj);
    if (err || write(w->child->pipe, &w->ack, sizeof(w->ack)) != sizeof(w->ack))
        _exit(3);
    child_step(w->child);
    free(w);
}

/* Writes or deletes a random key, without end. */
static void child_step(struct child *c)
{
    struct child_write *w = xnew(struct child_write);
    char key[40];
    int r;

    c->seed = c->seed * 6364136223846793005ull + 1442695040888963407ull;
    *w = (struct child_write){c, {(int)(c->seed >> 33) % KEYS, false, 0}};
    snprintf(key, sizeof(key), "/pods/a/p%d", w->ack.key);
    const struct store_obj *o = store_get_latest(c->store, key, NULL);
    w->ack.deleted = o && (c->seed >> 50) % 4 == 0;
    if (w->ack.deleted)
        r = store_delete(c->store, key, 0, make_text, NULL, child_done, w, NULL);
    else
        r = store_put(c->store, key, o ? store_obj_rev(o) : 0, make_text, NULL, child_done, w,
                      NULL);
    if (r < 0)
        _exit(4);
}

static void child_main(const char *path, int pipe, uint64_t seed)
{
    struct err e = {0};
    struct loop *l = loop_new(&e);
    struct store_opts o = {path, 0, 100};
    struct child c = {store_open(l, &o, &e), pipe, seed};

    if (!c.store) {
        fprintf(stderr, "%s\n", e.msg);
        _exit(2);
    }
    for (int i = 0; i < 8; i++)
        child_step(&c);
    loop_run(l);
    _exit(5);
}

static void note_ack(struct ack *newest, const struct ack *a)
{
    if (a->rev > newest[a->key].rev)
        newest[a->key] = *a;
}

/* Kills the child after some acknowledgements; all that it sent are taken in. */
static void one_life(struct fixture *f, struct ack *newest, int acks, uint64_t seed)
{
    int fds[2], status;
    struct ack a;

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        child_main(f->path, fds[1], seed);
    }
    close(fds[1]);
    for (int n = 0; read(fds[0], &a, sizeof(a)) == sizeof(a); n++) {
        note_ack(newest, &a);
        if (n == acks)
            kill(pid, SIGKILL);
    }
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void check_acks(struct fixture *f, const struct ack *newest)
{
    uint64_t max = 0;
    char key[40];

    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "/pods/a/p%d", i);
        const struct store_obj *o = store_get(f->store, key);
        const struct ack *a = &newest[i];
        max = a->rev > max ? a->rev : max;
        if (o) {
            /* What is there is the acknowledged version or a later one, whole. */
            _cleanup_free_ char *want = xasprintf("rev %llu", (unsigned long long)store_obj_rev(o));
            assert_bytes(o, want);
            assert_true(a->deleted ? store_obj_rev(o) > a->rev : store_obj_rev(o) >= a->rev);
        } else if (a->rev && !a->deleted) {
            /* Gone is only right if a later deletion was committed but its answer not sent. */
            assert_true(store_rev(f->store) > a->rev);
        }
    }
    assert_true(store_rev(f->store) >= max);
}

static void no_acknowledged_write_is_lost(void **state)
{
    struct fixture *f = *state;
    struct ack newest[KEYS] = {0};
    uint64_t rev = 0;

    for (int round = 0; round < ROUNDS; round++) {
        store_close(f->store);
        one_life(f, newest, 3 + round * 37 % 400, (uint64_t)round * 7919 + 1);
        open_with(f, 0, 100);
        check_acks(f, newest);
        assert_true(store_rev(f->store) > rev);
        rev = store_rev(f->store);
    }
}

/* ---- refused ---- */

static void make_large(char *text, size_t n)
{
    memset(text, 'x', n - 1);
    text[n - 1] = '\0';
}

static void on_retry(void *ctx, const struct err *err, const struct store_obj *obj)
{
    struct fixture *f = ctx;

    /* At the time of the answer the state is already rolled back, so a callback may try again. */
    assert_non_null(err);
    assert_null(obj);
    assert_null(store_get_latest(f->store, "/pods/a/large", NULL));
    f->last_error = *err;
    if (--f->waiting == 0)
        loop_stop(f->loop);
}

/* Everything in flight fails when one commit does; nothing of it is seen; the state before is what
 * counts. */
static void assert_refused(struct fixture *f, const char *large, const char *why)
{
    uint64_t rev = store_rev(f->store), kept = store_obj_rev(store_get(f->store, "/pods/a/kept"));

    assert_int_equal(begin_put(f, "/pods/a/kept", kept, "changed"), 0);
    assert_int_equal(store_put(f->store, "/pods/a/large", 0, make_text, (void *)(uintptr_t)large,
                               on_retry, f, &f->last_error),
                     0);
    f->waiting++;
    assert_int_equal(begin_put(f, "/pods/a/large",
                               store_obj_rev(store_get_latest(f->store, "/pods/a/large", NULL)),
                               large),
                     0);
    f->failed = 0;
    wait_all(f);
    assert_true(f->failed >= 1);
    if (!strstr(f->last_error.msg, why) || !strstr(f->last_error.msg, "cannot save /pods/a/"))
        fail_msg("\"%s\" does not say \"%s\"", f->last_error.msg, why);
    assert_null(store_get_latest(f->store, "/pods/a/large", NULL));
    assert_true(store_rev(f->store) >= rev);
}

static void a_file_size_limit_fails_writes_until_it_is_lifted(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *large = xmalloc(300000), *wal = xasprintf("%s-wal", f->path);
    struct rlimit old, tight;
    struct stat st;

    make_large(large, 300000);
    put(f, "/pods/a/kept", 0, "kept");
    assert_int_equal(stat(wal, &st), 0);
    getrlimit(RLIMIT_FSIZE, &old);
    tight = old;
    tight.rlim_cur = (rlim_t)st.st_size + 50000;
    setrlimit(RLIMIT_FSIZE, &tight);
    for (int i = 0; i < 3; i++)
        assert_refused(f, large, "file size limit");
    setrlimit(RLIMIT_FSIZE, &old);
    uint64_t rev = store_rev(f->store);
    assert_true(put(f, "/pods/a/large", 0, large) > rev);
    reopen(f, 0, 0);
    assert_bytes(store_get(f->store, "/pods/a/large"), large);
}

static void fill(const char *path)
{
    static char block[4096];
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    while (fwrite(block, sizeof(block), 1, out) == 1 && fflush(out) == 0)
        ;
    fclose(out);
}

static void a_full_disk_fails_writes_until_there_is_space(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *large = NULL, *ballast = NULL;

    store_close(f->store);
    remove_files(f->path);
    bool mounted = unshare(CLONE_NEWNS) == 0 &&
                   mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                   mount("tmpfs", f->dir, "tmpfs", 0, "size=4m") == 0;
    open_with(f, 0, 0);
    if (!mounted)
        skip();
    large = xmalloc(300000);
    ballast = xasprintf("%s/ballast", f->dir);
    make_large(large, 300000);
    put(f, "/pods/a/kept", 0, "kept");
    fill(ballast);
    for (int i = 0; i < 3; i++)
        assert_refused(f, large, "disk full; free space on /tmp/nonagon-store-");
    unlink(ballast);
    put(f, "/pods/a/large", 0, large);
    reopen(f, 0, 0);
    assert_bytes(store_get(f->store, "/pods/a/large"), large);
    store_close(f->store);
    umount(f->dir);
    open_with(f, 0, 0);
}

/* ---- files that are not what they should be ---- */

static void assert_not_opened(struct fixture *f, const char *path, const char *word)
{
    struct err e = {0};
    struct store_opts o = {path, 0, 0};

    assert_null(store_open(f->loop, &o, &e));
    assert_true(e.code < 0);
    if (!strstr(e.msg, path) || !strstr(e.msg, word))
        fail_msg("\"%s\" does not name %s and \"%s\"", e.msg, path, word);
}

static void write_file(const char *path, const char *text, size_t at)
{
    FILE *out = fopen(path, at ? "r+" : "w");

    assert_non_null(out);
    fseek(out, (long)at, SEEK_SET);
    for (int i = 0; i < 400; i++)
        fputs(text, out);
    fclose(out);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *other = xasprintf("%s/other.db", f->dir);

    write_file(other, "this is not a database at all. ", 0);
    assert_not_opened(f, other, "not a database");
    remove_files(other);
    run_sql(other, "CREATE TABLE theirs (x)");
    assert_not_opened(f, other, "another program");
    remove_files(other);
}

static void a_newer_schema_is_refused(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *other = xasprintf("%s/other.db", f->dir);

    run_sql(other,
            "CREATE TABLE log (x); PRAGMA application_id = 1315925601; PRAGMA user_version = 99");
    assert_not_opened(f, other, "version 99");
    remove_files(other);
}

static bool is_object(struct str bytes)
{
    return bytes.p[0] == '{' && bytes.p[bytes.n - 1] == '}';
}

/* Its rows had no checksums: what can be read gets them, what cannot is put aside and named. */
static void a_database_of_version_1_is_brought_to_this_form(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *mark = xasprintf("%s-acked", f->path);
    struct store_opts o = {.path = f->path, .readable = is_object};
    struct err e = {0};

    store_close(f->store);
    remove_files(f->path);
    run_sql(f->path,
            "PRAGMA journal_mode = WAL; PRAGMA application_id = 1315925601;"
            "PRAGMA user_version = 1;"
            "CREATE TABLE log (rev INTEGER PRIMARY KEY, key TEXT NOT NULL,"
            " deleted INTEGER NOT NULL, value BLOB NOT NULL);"
            "INSERT INTO log VALUES (3, '/pods/a/x', 0, '{\"v\":1}'), (4, '/pods/a/y', 0, '{}'),"
            " (6, '/pods/a/x', 0, '{\"v\":2}'), (7, '/pods/a/empty', 0, ''),"
            " (8, '/pods/a/bad', 0, '{]'), (9, '/pods/a/z', 0, '{}'), (11, '/pods/a/z', 1, '')");
    for (int i = 0; i < 3; i++) {
        f->store = store_open(f->loop, &o, &e);
        if (!f->store)
            fail_msg("%s", e.msg);
        assert_int_equal(store_rev(f->store), 11 + i);
        assert_bytes(store_get(f->store, "/pods/a/x"), "{\"v\":2}");
        assert_bytes(store_get(f->store, "/pods/a/y"), "{}");
        assert_null(store_get(f->store, "/pods/a/z"));
        assert_null(store_get(f->store, "/pods/a/empty"));
        assert_int_equal(store_damaged(f->store, "/pods/a/empty", &e), -EUCLEAN);
        assert_int_equal(store_damaged(f->store, "/pods/a/bad", &e), -EUCLEAN);
        assert_int_equal(store_damaged(f->store, "/pods/a/z", &e), 0);
        /* The history of what was written without knowing the version before is not told. */
        assert_int_equal(store_compacted_rev(f->store, "/pods/"), 11);
        put(f, "/pods/a/more", i ? store_obj_rev(store_get(f->store, "/pods/a/more")) : 0, "{}");
        store_close(f->store);
        assert_int_equal(access(mark, F_OK), 0);
    }
    open_with(f, 0, 0);
}

static void its_files_are_for_their_owner_only(void **state)
{
    static const char *const tails[] = {"", "-wal", "-acked"};
    struct fixture *f = *state;
    struct stat st;

    for (int i = 0; i < 2; i++) {
        put(f, "/secrets/a/s", store_rev(f->store), "secret");
        for (size_t t = 0; t < ARRAY_LEN(tails); t++) {
            _cleanup_free_ char *path = xasprintf("%s%s", f->path, tails[t]);
            assert_int_equal(stat(path, &st), 0);
            assert_int_equal(st.st_mode & 0777, 0600);
        }
        store_close(f->store);
        chmod(f->path, 0644); /* as earlier versions left it */
        umask(0);
        open_with(f, 0, 0);
    }
}

static void a_damaged_database_is_refused(void **state)
{
    struct fixture *f = *state;
    uint64_t rev = 0;
    struct stat st;

    for (int i = 0; i < 300; i++)
        rev = put(f, "/pods/a/p", rev,
                  "some bytes to fill a page with, so that there are several of them");
    store_close(f->store);
    assert_int_equal(stat(f->path, &st), 0);
    assert_true(st.st_size > 3 * 4096);
    write_file(f->path, "damage!! ", 4096);
    assert_not_opened(f, f->path, "damaged");
    remove_files(f->path);
    open_with(f, 0, 0);
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    assert_not_opened(*state, "/nonexistent/state.db", "/nonexistent exists");
    assert_not_opened(*state, "/", "cannot open the database");
}

static void a_second_server_is_refused(void **state)
{
    struct fixture *f = *state;

    /* Locks of one process do not exclude each other, so another one must try. */
    pid_t pid = fork();
    if (pid == 0) {
        struct err e = {0};
        struct store_opts o = {f->path, 0, 0};
        struct store *s = store_open(f->loop, &o, &e);
        _exit(!s && strstr(e.msg, "another process") ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    put(f, "/pods/a/p", 0, "still mine");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(no_acknowledged_write_is_lost),
        STORE_TEST(a_file_size_limit_fails_writes_until_it_is_lifted),
        STORE_TEST(a_full_disk_fails_writes_until_there_is_space),
        STORE_TEST(a_file_that_is_no_database_is_refused),
        STORE_TEST(a_newer_schema_is_refused),
        STORE_TEST(a_database_of_version_1_is_brought_to_this_form),
        STORE_TEST(its_files_are_for_their_owner_only),
        STORE_TEST(a_damaged_database_is_refused),
        STORE_TEST(a_folder_that_is_not_there_is_named),
        STORE_TEST(a_second_server_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
