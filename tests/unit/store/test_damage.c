/*
 * Files that changed behind the store's back. Whatever bit flips, whatever is cut or gone: what is
 * served is what was acknowledged, and what is not served is named.
 */
#include "fixture.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/file.h"

#define KEYS   60
#define WRITES 500

/* ---- what was acknowledged ---- */

struct version {
    uint64_t rev; /* 0 = absent */
};

struct model {
    struct version newest[KEYS];
    uint64_t rev;
};

static void key_of(int i, char ret[static 40])
{
    static const char *const kinds[] = {"/pods", "/configmaps", "serving/services"};

    snprintf(ret, 40, "%s/ns/object-%d", kinds[i % 3], i);
}

/* Of very different lengths: some rows need pages of their own. */
static char *text_of(uint64_t rev)
{
    int n = rev % 50 == 0 ? 9000 : (int)(rev % 7) * 40;

    return xasprintf("{\"rev\":\"%llu\",\"pad\":\"%0*d\"}", (unsigned long long)rev, n + 1, 7);
}

static char *make_version(void *ctx, uint64_t rev, size_t *ret_n)
{
    char *text = text_of(rev);

    *ret_n = strlen(text);
    return text;
}

static void step_model(struct model *m, int i, int *ret_key, bool *ret_delete)
{
    *ret_key = (i * 37 + i / 7) % KEYS;
    *ret_delete = i % 13 == 5 && m->newest[*ret_key].rev;
    m->newest[*ret_key].rev = *ret_delete ? 0 : ++m->rev;
    m->rev += *ret_delete;
}

static void write_some(struct fixture *f, struct model *m, int from, int to)
{
    for (int i = from; i < to; i++) {
        char key[40];
        int k;
        bool gone;
        step_model(m, i, &k, &gone);
        key_of(k, key);
        const struct store_obj *o = store_get_latest(f->store, key, NULL);
        int r = gone ? store_delete(f->store, key, 0, make_version, NULL, on_done, f, NULL)
                     : store_put(f->store, key, o ? store_obj_rev(o) : 0, make_version, NULL,
                                 on_done, f, NULL);
        assert_int_equal(r, 0);
        f->waiting++;
        if (i % 5 == 0)
            wait_all(f);
    }
    wait_all(f);
    assert_int_equal(f->failed, 0);
}

/* ---- a place with files as a killed process leaves them ---- */

struct place {
    struct fixture f;
    struct model m;
    char whole[64]; /* the folder with the files as they should be */
    struct buf told;
};

static const char *const tails[] = {"", "-wal", "-acked"};

static void on_damage(void *ctx, const char *what)
{
    buf_addf(ctx, "%s\n", what);
}

static int try_open(struct place *p, bool accept, struct err *e)
{
    struct store_opts o = {.path = p->f.path,
                           .history = 50,
                           .compact_after = 100,
                           .accept_loss = accept,
                           .verify_ms = -1,
                           .on_damage = on_damage,
                           .damage_ctx = &p->told};

    buf_clear(&p->told);
    *e = (struct err){0};
    p->f.store = store_open(p->f.loop, &o, e);
    return p->f.store ? 0 : e->code;
}

static void copy_file(const char *from, const char *to)
{
    _cleanup_buf_ struct buf b = BUF_INIT(64 << 20);

    unlink(to);
    if (file_get(AT_FDCWD, from, &b, NULL) == 0)
        assert_int_equal(file_put(AT_FDCWD, to, buf_str(&b), 0600, FILE_UNSYNCED, NULL), 0);
}

static void copy_all(const char *from, const char *to)
{
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        _cleanup_free_ char *a = xasprintf("%s/state.db%s", from, tails[i]);
        _cleanup_free_ char *b = xasprintf("%s/state.db%s", to, tails[i]);
        copy_file(a, b);
    }
}

static void restore(struct place *p)
{
    store_close(steal(&p->f.store));
    copy_all(p->whole, p->f.dir);
}

static char *file_of(const struct place *p, const char *tail)
{
    return xasprintf("%s%s", p->f.path, tail);
}

/* Half of it has reached the database, half is in the log only; some rows were removed. */
static void child_main(struct place *p)
{
    struct err e;

    p->f.loop = loop_new(&e);
    if (try_open(p, false, &e) < 0)
        _exit(1);
    write_some(&p->f, &p->m, 0, WRITES / 2);
    store_close(p->f.store);
    if (try_open(p, false, &e) < 0)
        _exit(2);
    write_some(&p->f, &p->m, WRITES / 2, WRITES);
    _exit(0);
}

static int set_up_place(void **state)
{
    struct place *p = xnew(struct place);
    const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    struct err e;
    int status = -1, key;
    bool gone;

    p->told = BUF_INIT(1 << 20);
    snprintf(p->f.dir, sizeof(p->f.dir), "%s/nonagon-damage-XXXXXX", tmp);
    snprintf(p->whole, sizeof(p->whole), "%s/nonagon-whole-XXXXXX", tmp);
    assert_non_null(mkdtemp(p->f.dir));
    assert_non_null(mkdtemp(p->whole));
    snprintf(p->f.path, sizeof(p->f.path), "%s/state.db", p->f.dir);
    pid_t pid = fork();
    if (pid == 0)
        child_main(p);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (int i = 0; i < WRITES; i++)
        step_model(&p->m, i, &key, &gone);
    copy_all(p->f.dir, p->whole);
    p->f.loop = loop_new(&e);
    *state = p;
    return 0;
}

static int tear_down_place(void **state)
{
    struct place *p = *state;

    store_close(p->f.store);
    loop_free(p->f.loop);
    file_remove_tree(AT_FDCWD, p->f.dir, NULL);
    file_remove_tree(AT_FDCWD, p->whole, NULL);
    buf_done(&p->told);
    free(p);
    return 0;
}

/* ---- what is asked of it ---- */

static int is_acknowledged(void *ctx, const struct store_obj *o)
{
    struct place *p = ctx;
    _cleanup_free_ char *want = text_of(store_obj_rev(o));
    char key[40];

    if (strcmp(store_obj_bytes(o).p, want) != 0)
        return 1;
    for (int i = 0; i < KEYS; i++) {
        key_of(i, key);
        if (streq(key, store_obj_key(o)))
            return p->m.newest[i].rev == store_obj_rev(o) ? 0 : 2;
    }
    return 3;
}

/* Absent ones; 0 also when each is known to be damaged. */
static int unexplained(struct place *p)
{
    int n = 0;
    char key[40];

    for (int i = 0; i < KEYS; i++) {
        key_of(i, key);
        if (p->m.newest[i].rev && !store_get(p->f.store, key))
            n += store_damaged(p->f.store, key, NULL) == 0;
    }
    return n;
}

/* NULL, or what is wrong with how it opens. */
static const char *judge(struct place *p)
{
    struct err e;
    int r = try_open(p, false, &e);

    if (r < 0)
        return strstr(e.msg, p->f.dir) ? NULL : "refused without naming the file";
    if (store_each(p->f.store, "", is_acknowledged, p))
        return "serves what was not acknowledged";
    if (p->told.n)
        return strstr(p->told.p, p->f.dir) ? NULL : "damage told without naming the file";
    if (unexplained(p))
        return "leaves out what was acknowledged";
    if (store_rev(p->f.store) != p->m.rev)
        return "has another revision";
    return NULL;
}

static void assert_good(struct place *p, const char *what, size_t at)
{
    const char *wrong = judge(p);

    if (wrong)
        fail_msg("%s at %zu: %s (told: %s)", what, at, wrong, buf_z(&p->told));
}

static void whole_files_open_silently(void **state)
{
    struct place *p = *state;
    struct stat st;

    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        _cleanup_free_ char *path = file_of(p, tails[i]);
        assert_int_equal(stat(path, &st), 0); /* or the test would test nothing */
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_true(st.st_size > 1000);
    }
    for (int i = 0; i < 3; i++) {
        assert_good(p, "nothing", 0);
        assert_int_equal(p->told.n, 0);
        assert_int_equal(unexplained(p), 0);
        store_close(steal(&p->f.store));
    }
}

/* ---- bits ---- */

static void flip(const char *path, size_t bit)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    unsigned char c;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &c, 1, (off_t)(bit / 8)), 1);
    c ^= (unsigned char)(1 << bit % 8);
    assert_int_equal(pwrite(fd, &c, 1, (off_t)(bit / 8)), 1);
    close(fd);
}

static void flip_and_judge(struct place *p, const char *tail, size_t bit)
{
    _cleanup_free_ char *path = file_of(p, tail);

    restore(p);
    flip(path, bit);
    assert_good(p, *tail ? tail : "state.db", bit);
}

/* All bits of what every file begins with, and as many of the rest as there is time for. */
static void flip_many(struct place *p, const char *tail, size_t first_bytes)
{
    const char *env = getenv("NONAGON_FLIPS");
    size_t wanted = env ? strtoul(env, NULL, 10) : 150;
    _cleanup_free_ char *path = file_of(p, tail);
    struct stat st;

    restore(p);
    assert_int_equal(stat(path, &st), 0);
    size_t bits = (size_t)st.st_size * 8, stride = bits / wanted | 1;
    for (size_t bit = 0; bit < 8 * first_bytes; bit++)
        flip_and_judge(p, tail, bit);
    for (size_t bit = 8 * first_bytes; bit < bits; bit += stride)
        flip_and_judge(p, tail, bit);
}

static void no_bit_of_the_database_matters_unseen(void **state)
{
    flip_many(*state, "", 24);
}

static void no_bit_of_its_log_matters_unseen(void **state)
{
    flip_many(*state, "-wal", 56);
}

static void no_bit_of_the_marker_matters_unseen(void **state)
{
    flip_many(*state, "-acked", 0);
}

/* ---- files ---- */

static void cut(const char *path, off_t size)
{
    assert_int_equal(truncate(path, size), 0);
}

static void a_cut_log_is_a_loss(void **state)
{
    struct place *p = *state;
    _cleanup_free_ char *wal = file_of(p, "-wal");
    struct stat st;
    struct err e;

    assert_int_equal(stat(wal, &st), 0);
    for (off_t size = st.st_size - 1; size > 0; size -= st.st_size / 40) {
        restore(p);
        cut(wal, size);
        assert_int_equal(try_open(p, false, &e), -EUCLEAN);
        assert_non_null(strstr(e.msg, "were acknowledged"));
        assert_non_null(strstr(e.msg, "accept the loss"));
    }
}

static void no_log_or_no_database_is_a_loss(void **state)
{
    struct place *p = *state;
    _cleanup_free_ char *wal = file_of(p, "-wal");
    struct err e;

    unlink(wal);
    assert_int_equal(try_open(p, false, &e), -EUCLEAN);
    for (int i = 0; i < 2; i++) {
        restore(p);
        unlink(wal);
        if (i)
            cut(p->f.path, 0);
        else
            unlink(p->f.path);
        assert_int_equal(try_open(p, false, &e), -EUCLEAN);
        assert_non_null(strstr(e.msg, "is gone or empty"));
        assert_int_equal(try_open(p, false, &e), -EUCLEAN); /* and again: nothing was made */
    }
}

/* Revisions go on behind what was lost, and watches begin anew. */
static void a_loss_can_be_accepted(void **state)
{
    struct place *p = *state;
    _cleanup_free_ char *wal = file_of(p, "-wal");
    struct err e;

    cut(wal, 100000);
    assert_int_equal(try_open(p, false, &e), -EUCLEAN);
    assert_int_equal(try_open(p, true, &e), 0);
    assert_true(store_rev(p->f.store) >= p->m.rev);
    assert_null(store_watch_start(p->f.store, "/pods/", p->m.rev - 1, NULL, NULL, &e));
    assert_int_equal(e.code, -ESTALE);
    assert_true(put(&p->f, "/pods/ns/new", 0, "new") > p->m.rev);
    for (int i = 0; i < 2; i++) {
        store_close(steal(&p->f.store));
        assert_int_equal(try_open(p, false, &e), 0);
        assert_int_equal(p->told.n, 0);
        assert_bytes(store_get(p->f.store, "/pods/ns/new"), "new");
    }
    store_close(steal(&p->f.store));
    unlink(p->f.path);
    uint64_t rev = p->m.rev + 1;
    assert_int_equal(try_open(p, true, &e), 0);
    assert_int_equal(store_count(p->f.store, ""), 0);
    assert_true(put(&p->f, "/pods/ns/new", 0, "new") > rev);
}

static void another_database_in_its_place_is_seen(void **state)
{
    struct place *p = *state;
    _cleanup_free_ char *wal = file_of(p, "-wal"), *mark = file_of(p, "-acked"),
                        *kept = file_of(p, "-kept");
    struct err e;

    copy_file(mark, kept);
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        _cleanup_free_ char *path = file_of(p, tails[i]);
        unlink(path);
    }
    assert_int_equal(try_open(p, false, &e), 0);
    for (int i = 0; i < WRITES + 10; i++)
        put(&p->f, "/pods/ns/other", i ? store_rev(p->f.store) : 0, "other");
    store_close(steal(&p->f.store));
    copy_file(kept, mark);
    assert_int_equal(try_open(p, false, &e), -EUCLEAN);
    assert_non_null(strstr(e.msg, "another was put in its place"));
    assert_int_equal(try_open(p, true, &e), 0);
}

static void a_lost_marker_is_told_and_made_anew(void **state)
{
    struct place *p = *state;
    _cleanup_free_ char *mark = file_of(p, "-acked");
    struct err e;

    for (int i = 0; i < 2; i++) {
        restore(p);
        if (i)
            unlink(mark);
        else
            assert_int_equal(
                file_put(AT_FDCWD, mark, STR("not a marker"), 0600, FILE_UNSYNCED, NULL), 0);
        assert_good(p, "marker", 0);
        assert_non_null(strstr(buf_z(&p->told), "-acked is"));
        store_close(steal(&p->f.store));
        assert_int_equal(try_open(p, false, &e), 0);
        assert_int_equal(p->told.n, 0);
    }
}

static void empty_is_lost_when_others_know_better(void **state)
{
    struct place *p = *state;
    struct store_opts o = {.path = p->f.path, .expect_data = true};
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        _cleanup_free_ char *path = file_of(p, tails[i]);
        unlink(path);
    }
    assert_null(store_open(p->f.loop, &o, &e));
    assert_int_equal(e.code, -EUCLEAN);
    o.accept_loss = true;
    p->f.store = store_open(p->f.loop, &o, &e);
    assert_non_null(p->f.store);
}

/* ---- one object ---- */

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* The newest version of a key that has one. */
static int some_object(struct place *p, char ret[static 40])
{
    for (int i = 0; i < KEYS; i++) {
        if (!p->m.newest[i].rev)
            continue;
        key_of(i, ret);
        return i;
    }
    fail();
    return -1;
}

static void change(struct place *p, const char *set, uint64_t rev)
{
    _cleanup_free_ char *sql =
        xasprintf("UPDATE log SET %s WHERE rev = %llu", set, (unsigned long long)rev);

    run_sql(p->f.path, sql);
}

/* Left out, named, not taken for absent; and it can be deleted, or put again. */
static void one_damaged_object_stops_nothing(void **state)
{
    static const char *const changes[] = {"value = replace(value, 'rev', 'wow')",
                                          "key = key || 'x'",
                                          "prev = 1",
                                          "deleted = 1",
                                          "sum = sum + 1",
                                          "before = before + 1"};
    struct place *p = *state;
    struct err e;
    char key[40];
    int i = some_object(p, key);
    size_t live = 0;

    for (int k = 0; k < KEYS; k++)
        live += p->m.newest[k].rev > 0;
    for (size_t c = 0; c < ARRAY_LEN(changes); c++) {
        restore(p);
        change(p, changes[c], p->m.newest[i].rev);
        assert_good(p, changes[c], c);
        assert_non_null(strstr(buf_z(&p->told), "does not fit its checksum"));
        assert_null(store_get(p->f.store, key));
        size_t left = store_count(p->f.store, "");
        assert_in_range(left, live - 2, live - 1);
        store_close(steal(&p->f.store));
        /* The next start knows it still, and says so. */
        assert_int_equal(try_open(p, false, &e), 0);
        assert_int_equal(store_count(p->f.store, ""), left);
        assert_true(store_each_damaged(p->f.store, NULL, NULL) > 0);
        assert_non_null(strstr(buf_z(&p->told), "is left out"));
    }
}

static void on_discarded(void *ctx, const struct err *err, const struct store_obj *obj)
{
    assert_null(obj);
    on_done(ctx, err, obj);
}

static void a_damaged_object_goes_or_comes_by_its_name(void **state)
{
    struct place *p = *state;
    struct err e;
    char key[40];
    int i = some_object(p, key);

    for (int put_it = 0; put_it < 2; put_it++) {
        restore(p);
        change(p, "value = 'x'", p->m.newest[i].rev);
        assert_int_equal(try_open(p, false, &e), 0);
        assert_int_equal(store_damaged(p->f.store, key, &e), -EUCLEAN);
        assert_non_null(strstr(e.msg, key));
        if (put_it) {
            put(&p->f, key, 0, "again");
        } else {
            assert_int_equal(store_discard(p->f.store, key, on_discarded, &p->f, &e), 0);
            p->f.waiting++;
            wait_all(&p->f);
            assert_int_equal(p->f.failed, 0);
            assert_int_equal(store_discard(p->f.store, key, on_discarded, &p->f, &e), -ENOENT);
        }
        for (int round = 0; round < 2; round++) {
            assert_int_equal(store_damaged(p->f.store, key, NULL), 0);
            assert_int_equal(store_get(p->f.store, key) != NULL, put_it);
            store_close(steal(&p->f.store));
            assert_int_equal(try_open(p, false, &e), 0);
            assert_int_equal(p->told.n, 0);
        }
    }
}

static void a_missing_row_is_a_loss(void **state)
{
    struct place *p = *state;
    struct err e;
    char key[40];
    int i = some_object(p, key);
    _cleanup_free_ char *sql =
        xasprintf("DELETE FROM log WHERE rev = %llu", (unsigned long long)p->m.newest[i].rev);
    _cleanup_free_ char *named =
        xasprintf("revision %llu is missing", (unsigned long long)p->m.newest[i].rev);

    run_sql(p->f.path, sql);
    assert_int_equal(try_open(p, false, &e), -EUCLEAN);
    if (!strstr(e.msg, named))
        fail_msg("\"%s\" does not say \"%s\"", e.msg, named);
    assert_int_equal(try_open(p, true, &e), 0);
    assert_non_null(strstr(buf_z(&p->told), named));
    store_close(steal(&p->f.store));
    assert_int_equal(try_open(p, false, &e), 0);
    assert_int_equal(p->told.n, 0);
}

/* ---- later ---- */

static void on_damage_stop(void *ctx, const char *what)
{
    struct place *p = ctx;

    on_damage(&p->told, what);
    loop_stop(p->f.loop);
}

static void damage_is_found_while_it_runs(void **state)
{
    struct place *p = *state;
    struct store_opts o = {
        .path = p->f.path, .verify_ms = 1, .on_damage = on_damage_stop, .damage_ctx = p};
    struct err e;
    char key[40];
    int i = some_object(p, key);
    _cleanup_buf_ struct buf b = BUF_INIT(64 << 20);
    _cleanup_free_ char *text = text_of(p->m.newest[i].rev);

    assert_int_equal(try_open(p, false, &e), 0);
    store_close(p->f.store); /* all of it is in the database now */
    assert_int_equal(file_get(AT_FDCWD, p->f.path, &b, NULL), 0);
    const char *found = memmem(b.p, b.n, text, strlen(text));
    assert_non_null(found);
    buf_clear(&p->told);
    p->f.store = store_open(p->f.loop, &o, &e);
    assert_non_null(p->f.store);
    flip(p->f.path, (size_t)(found - b.p) * 8 + 16);
    loop_run(p->f.loop);
    assert_non_null(strstr(p->told.p, key));
    /* What is in memory is what was acknowledged, and is served. */
    assert_int_equal(store_each(p->f.store, "", is_acknowledged, p), 0);
}

#define DAMAGE_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up_place, tear_down_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DAMAGE_TEST(whole_files_open_silently),
        DAMAGE_TEST(no_bit_of_the_database_matters_unseen),
        DAMAGE_TEST(no_bit_of_its_log_matters_unseen),
        DAMAGE_TEST(no_bit_of_the_marker_matters_unseen),
        DAMAGE_TEST(a_cut_log_is_a_loss),
        DAMAGE_TEST(no_log_or_no_database_is_a_loss),
        DAMAGE_TEST(a_loss_can_be_accepted),
        DAMAGE_TEST(another_database_in_its_place_is_seen),
        DAMAGE_TEST(a_lost_marker_is_told_and_made_anew),
        DAMAGE_TEST(empty_is_lost_when_others_know_better),
        DAMAGE_TEST(one_damaged_object_stops_nothing),
        DAMAGE_TEST(a_damaged_object_goes_or_comes_by_its_name),
        DAMAGE_TEST(a_missing_row_is_a_loss),
        DAMAGE_TEST(damage_is_found_while_it_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
