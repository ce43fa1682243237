/*
 * The store beside a model of it: random writes of several kinds on a disk that fails now and then,
 * with restarts and compaction in between. State, history and every watch are what the model says.
 */
#include "fixture.h"

#include "base/buf.h"
#include "faults.h"

#define KINDS   3
#define KEYS    24
#define STEPS   4000
#define HISTORY 60

struct event {
    uint64_t rev, prev;
    int key;
    enum store_event ev;
};

struct model {
    uint64_t newest[KEYS]; /* 0 = absent */
    struct event log[STEPS];
    size_t n;
    uint64_t rev; /* of the newest event */
    uint64_t seed;
};

static const char *const heads[KINDS] = {"/pods/", "/events/", "serving/routes/"};

static uint32_t random_below(struct model *m, uint32_t n)
{
    m->seed = m->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(m->seed >> 33) % n;
}

static void key_of(int i, char ret[static 48])
{
    snprintf(ret, 48, "%sns%d/k%d", heads[i % KINDS], i % 2, i);
}

static bool concerns(const struct event *ev, const char *prefix)
{
    char key[48];

    key_of(ev->key, key);
    return strncmp(key, prefix, strlen(prefix)) == 0;
}

/* ---- what watches tell ---- */

static void add_event(struct buf *b, enum store_event ev, uint64_t rev, uint64_t prev)
{
    buf_addf(b, "%c%llu<%llu ", "AMD"[ev], (unsigned long long)rev, (unsigned long long)prev);
}

static void note(void *ctx, enum store_event ev, const struct store_obj *obj,
                 const struct store_obj *prev)
{
    _cleanup_free_ char *want = xasprintf("rev %llu", (unsigned long long)store_obj_rev(obj));

    assert_bytes(obj, want); /* a deletion too tells the object's last state */
    add_event(ctx, ev, store_obj_rev(obj), prev ? store_obj_rev(prev) : 0);
}

static void expect(const struct model *m, const char *prefix, uint64_t from, struct buf *out)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->log[i].rev > from && concerns(&m->log[i], prefix))
            add_event(out, m->log[i].ev, m->log[i].rev, m->log[i].prev);
}

static void check_watch(struct fixture *f, struct model *m, const char *prefix)
{
    _cleanup_buf_ struct buf got = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20);
    uint64_t oldest = store_compacted_rev(f->store, prefix);
    uint64_t from = oldest + random_below(m, (uint32_t)(m->rev - oldest + 1));
    struct err e = {0};
    struct store_watch *w = store_watch_start(f->store, prefix, from, note, &got, &e);

    if (!w)
        fail_msg("%s", e.msg);
    expect(m, prefix, from, &want);
    assert_string_equal(buf_z(&got), buf_z(&want));
    store_watch_stop(w);
    if (oldest == 0)
        return;
    assert_null(store_watch_start(f->store, prefix, oldest - 1, note, &got, &e));
    assert_int_equal(e.code, -ESTALE);
}

static void check(struct fixture *f, struct model *m)
{
    size_t live = 0;
    char key[48];

    assert_int_equal(store_rev(f->store), m->rev);
    for (int i = 0; i < KEYS; i++) {
        key_of(i, key);
        const struct store_obj *o = store_get(f->store, key);
        assert_int_equal(o ? store_obj_rev(o) : 0, m->newest[i]);
        live += m->newest[i] > 0;
    }
    assert_int_equal(store_count(f->store, ""), live);
    for (int i = 0; i < KINDS; i++)
        check_watch(f, m, heads[i]);
    check_watch(f, m, "");
    check_watch(f, m, "/pods/ns1/");
}

/* ---- what happens ---- */

struct step {
    struct fixture *f;
    struct model *m;
    int key;
    bool gone;
};

static void on_step(void *ctx, const struct err *err, const struct store_obj *obj)
{
    struct step *st = ctx;
    struct model *m = st->m;

    on_done(st->f, err, obj);
    if (!err) {
        uint64_t rev = store_obj_rev(obj), prev = m->newest[st->key];
        assert_true(rev > m->rev);
        m->log[m->n++] = (struct event){rev, prev, st->key,
                                        st->gone ? STORE_DELETED
                                        : prev   ? STORE_MODIFIED
                                                 : STORE_ADDED};
        m->newest[st->key] = st->gone ? 0 : rev;
        m->rev = rev;
    }
    free(st);
}

static void write_one(struct fixture *f, struct model *m)
{
    struct step *st = xnew(struct step);
    char key[48];

    *st = (struct step){f, m, (int)random_below(m, KEYS), false};
    /* One kind changes far more often than the others. */
    if (random_below(m, 4))
        st->key = st->key / KINDS * KINDS + 1;
    key_of(st->key, key);
    const struct store_obj *o = store_get_latest(f->store, key, NULL);
    st->gone = o && random_below(m, 4) == 0;
    f->waiting++;
    int r = st->gone ? store_delete(f->store, key, store_obj_rev(o), make_text, NULL, on_step, st,
                                    &f->last_error)
                     : store_put(f->store, key, o ? store_obj_rev(o) : 0, make_text, NULL, on_step,
                                 st, &f->last_error);
    if (r < 0)
        fail_msg("%s", f->last_error.msg);
}

static void write_group(struct fixture *f, struct model *m, size_t *left)
{
    static const int codes[] = {SQLITE_IOERR_WRITE, SQLITE_FULL, SQLITE_IOERR_FSYNC};
    uint32_t n = 1 + random_below(m, 6), fault = random_below(m, 12);
    bool faulty = fault < ARRAY_LEN(codes);

    if (faulty)
        faults_set(codes[fault], fault == 2);
    for (uint32_t i = 0; i < n && *left; i++, --*left)
        write_one(f, m);
    wait_all(f);
    faults_set(0, false);
}

static void the_store_is_what_the_model_says(void **state)
{
    struct fixture *f = *state;
    struct model *m = xnew(struct model);
    _cleanup_buf_ struct buf live = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20);
    struct store_watch *w = NULL;
    uint64_t from = 0;
    size_t left = STEPS;

    m->seed = 20260101;
    reopen(f, HISTORY, 40);
    w = store_watch_start(f->store, "", 0, note, &live, NULL);
    while (left) {
        write_group(f, m, &left);
        if (random_below(m, 10) == 0)
            check(f, m);
        if (random_below(m, 60))
            continue;
        expect(m, "", from, &want);
        assert_string_equal(buf_z(&live), buf_z(&want));
        store_watch_stop(w);
        reopen(f, HISTORY, 40);
        check(f, m);
        from = m->rev;
        buf_clear(&live);
        buf_clear(&want);
        w = store_watch_start(f->store, "", from, note, &live, NULL);
    }
    assert_true(f->failed > 100); /* or the disk never failed */
    assert_true(store_compacted_rev(f->store, "/events/") > 0);
    store_watch_stop(w);
    free(m);
}

/* ---- the first cause ---- */

static void the_first_cause_of_failures_is_kept(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    int64_t since = -1;

    assert_int_equal(store_health(f->store, &since, &e), 0);
    faults_set(SQLITE_FULL, false);
    begin_put(f, "/pods/a/x", 0, "1");
    wait_all(f);
    assert_int_equal(store_health(f->store, &since, &e), -ENOSPC);
    assert_non_null(strstr(e.msg, "disk full"));
    for (int i = 0; i < 3; i++) {
        faults_set(SQLITE_CORRUPT, false);
        begin_put(f, "/pods/a/x", 0, "1");
        wait_all(f);
        assert_int_equal(store_health(f->store, &since, &e), -ENOSPC);
        assert_non_null(strstr(f->last_error.msg, "disk full"));
    }
    assert_true(since > 0);
    faults_set(0, false);
    put(f, "/pods/a/x", 0, "1");
    assert_int_equal(store_health(f->store, &since, &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(the_store_is_what_the_model_says),
        STORE_TEST(the_first_cause_of_failures_is_kept),
    };

    faults_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
