/* A store in a directory of its own, and writes that are waited for. */
#ifndef TEST_STORE_FIXTURE_H
#define TEST_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "cluster/store/store.h"

struct fixture {
    char dir[64], path[80];
    struct loop *loop;
    struct store *store;
    int waiting; /* writes not answered yet */
    int failed;
    struct err last_error;
};

static inline void open_with(struct fixture *f, size_t history, int64_t compact_after)
{
    struct err e = {0};
    struct store_opts o = {f->path, history, compact_after};

    f->store = store_open(f->loop, &o, &e);
    if (!f->store)
        fail_msg("%s", e.msg);
}

static inline int set_up(void **state)
{
    struct fixture *f = xnew(struct fixture);
    struct err e = {0};

    snprintf(f->dir, sizeof(f->dir), "/tmp/nonagon-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/state.db", f->dir);
    f->loop = loop_new(&e);
    open_with(f, 0, 0);
    *state = f;
    return 0;
}

static inline void remove_files(const char *path)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-journal", "-acked"};

    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        _cleanup_free_ char *name = xasprintf("%s%s", path, tails[i]);
        unlink(name);
    }
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    loop_free(f->loop);
    remove_files(f->path);
    rmdir(f->dir);
    free(f);
    return 0;
}

static inline void reopen(struct fixture *f, size_t history, int64_t compact_after)
{
    store_close(f->store);
    open_with(f, history, compact_after);
}

/* The bytes are the given text, or the revision when there is none. */
static inline char *make_text(void *ctx, uint64_t rev, size_t *ret_n)
{
    char *text = ctx ? xstrdup(ctx) : xasprintf("rev %llu", (unsigned long long)rev);

    *ret_n = strlen(text);
    return text;
}

static inline void on_done(void *ctx, const struct err *err, const struct store_obj *obj)
{
    struct fixture *f = ctx;

    f->failed += err != NULL;
    if (err)
        f->last_error = *err;
    if (--f->waiting == 0)
        loop_stop(f->loop);
}

static inline void wait_all(struct fixture *f)
{
    if (f->waiting > 0)
        loop_run(f->loop);
}

/* Starts a write; the answer of the call. */
static inline int begin_put(struct fixture *f, const char *key, uint64_t expect, const char *text)
{
    int r = store_put(f->store, key, expect, make_text, (void *)(uintptr_t)text, on_done, f,
                      &f->last_error);

    f->waiting += r == 0;
    return r;
}

static inline int begin_delete(struct fixture *f, const char *key, uint64_t expect)
{
    int r = store_delete(f->store, key, expect, make_text, NULL, on_done, f, &f->last_error);

    f->waiting += r == 0;
    return r;
}

static inline uint64_t put(struct fixture *f, const char *key, uint64_t expect, const char *text)
{
    if (begin_put(f, key, expect, text) < 0)
        fail_msg("%s", f->last_error.msg);
    wait_all(f);
    return store_obj_rev(store_get(f->store, key));
}

static inline void del(struct fixture *f, const char *key)
{
    if (begin_delete(f, key, 0) < 0)
        fail_msg("%s", f->last_error.msg);
    wait_all(f);
}

static inline void assert_bytes(const struct store_obj *o, const char *want)
{
    assert_non_null(o);
    assert_int_equal(store_obj_bytes(o).n, strlen(want));
    assert_string_equal(store_obj_bytes(o).p, want);
}

#define STORE_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

#endif
