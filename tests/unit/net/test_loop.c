/* The loop: order of posted calls, deferral, timers, the pool, threads, what freeing leaves behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"

static struct loop *loop;
static int counter;
static char trace[64];
static size_t trace_n;
static char letter_x[] = "x", letter_2[] = "2";

static void note(void *arg)
{
    trace[trace_n++] = *(const char *)arg;
}

static void stop(void *arg)
{
    loop_stop(loop);
}

static int set_up(void **state)
{
    loop = loop_new(NULL);
    counter = 0;
    trace_n = 0;
    memset(trace, 0, sizeof(trace));
    return 0;
}

static int tear_down(void **state)
{
    loop_free(loop);
    return 0;
}

static void *post_many(void *arg)
{
    static const char *const letters[] = {"a", "b", "c", "d"};

    for (int i = 0; i < 4; i++)
        loop_post(loop, note, (void *)letters[i]);
    loop_post(loop, stop, NULL);
    return NULL;
}

static void test_post_keeps_order(void **state)
{
    pthread_t t;

    pthread_create(&t, NULL, post_many, NULL);
    loop_run(loop);
    pthread_join(t, NULL);
    assert_string_equal(trace, "abcd");
}

static void test_stop_before_run(void **state)
{
    loop_post(loop, note, letter_x);
    loop_stop(loop);
    loop_run(loop);
    loop_stop(loop);
    loop_run(loop);
    assert_string_equal(trace, "x");
}

static void defer_two(void *arg)
{
    loop_defer(loop, note, letter_2);
    note((char[]){"1"});
    loop_defer(loop, stop, NULL);
}

static void test_defer_runs_after(void **state)
{
    loop_post(loop, defer_two, NULL);
    loop_run(loop);
    assert_string_equal(trace, "12");
}

static struct timer *ticker;

static void tick(void *ctx)
{
    if (++counter < 3)
        return;
    timer_free(ticker);
    loop_stop(loop);
}

static void test_repeat_and_free_inside(void **state)
{
    ticker = timer_new(loop, tick, NULL);
    timer_repeat(ticker, 1);
    loop_run(loop);
    assert_int_equal(counter, 3);
}

static void never(void *ctx)
{
    fail();
}

static void test_stopped_timer_is_silent(void **state)
{
    struct timer *t = timer_new(loop, never, NULL);
    struct timer *end = timer_new(loop, stop, NULL);

    timer_start(t, 1);
    assert_true(timer_active(t));
    timer_stop(t);
    assert_false(timer_active(t));
    timer_start(end, 5);
    loop_run(loop);
    timer_free(t); /* `end` is left to loop_free */
}

static void work(void *arg)
{
    assert_false(loop_is_current(loop));
    counter = 41;
}

static void work_done(void *arg)
{
    assert_true(loop_is_current(loop));
    counter++;
    loop_stop(loop);
}

static void test_work(void **state)
{
    loop_work(loop, work, work_done, NULL);
    loop_run(loop);
    assert_int_equal(counter, 42);
}

static void test_free_runs_posted(void **state)
{
    struct loop *l = loop_new(NULL);

    loop_post(l, note, (char[]){"p"});
    timer_start(timer_new(l, never, NULL), 1000);
    loop_free(l);
    assert_string_equal(trace, "p");
}

static void on_signal(void *ctx, int signum)
{
    assert_int_equal(signum, SIGUSR1);
    counter++;
    loop_stop(loop);
}

static void test_signal(void **state)
{
    struct sigwatch *s = sigwatch_new(loop, SIGUSR1, on_signal, NULL);

    kill(getpid(), SIGUSR1);
    loop_run(loop);
    assert_int_equal(counter, 1);
    sigwatch_free(s);
}

static int good_init(struct loop *l, void *ctx, struct err *e)
{
    assert_true(loop_is_current(l));
    *(int *)ctx += 1;
    return 0;
}

static void fini(struct loop *l, void *ctx)
{
    *(int *)ctx += 10;
}

static int bad_init(struct loop *l, void *ctx, struct err *e)
{
    return err_set(e, -EACCES, "no");
}

static void add_hundred(void *arg)
{
    *(int *)arg += 100;
}

static void test_threads(void **state)
{
    int n = 0;
    struct err e;
    struct loop_thread *t = loop_thread_start("one", good_init, fini, &n, &e);

    assert_non_null(t);
    loop_post(loop_thread_loop(t), add_hundred, &n);
    loop_thread_stop(t);
    assert_int_equal(n, 111);
    assert_null(loop_thread_start("two", bad_init, fini, &n, &e));
    assert_int_equal(e.code, -EACCES);
    loop_thread_stop(NULL);
}

struct false_time {
    int64_t mono, wall;
};

static int64_t false_mono(void *ctx)
{
    return ((struct false_time *)ctx)->mono;
}

static int64_t false_wall(void *ctx)
{
    return ((struct false_time *)ctx)->wall;
}

/* Both times step independently, both ways, and the loop's own timers do not care. */
static void test_clock_steps(void **state)
{
    static const int64_t steps_s[] = {600, -600, -600, 0, 86400};
    struct false_time t = {.mono = 5000 * NS_PER_SEC, .wall = 1700000000 * NS_PER_SEC};
    const struct clock false_clock = {false_mono, false_wall, &t};

    loop_set_clock(loop, &false_clock);
    for (size_t i = 0; i < ARRAY_LEN(steps_s); i++) {
        t.wall += steps_s[i] * NS_PER_SEC;
        assert_int_equal(loop_now_ns(loop), 5000 * NS_PER_SEC);
        assert_int_equal(loop_wall_ns(loop), t.wall);
    }
    t.mono -= 600 * NS_PER_SEC;
    assert_int_equal(loop_now_ns(loop), 4400 * NS_PER_SEC);
    struct timer *timer = timer_new(loop, stop, NULL);
    timer_start(timer, 1);
    loop_run(loop);
    timer_free(timer);
    loop_set_clock(loop, NULL);
    assert_true(loop_wall_ns(loop) > 1700000000 * NS_PER_SEC);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_post_keeps_order),
        T(test_clock_steps),
        T(test_stop_before_run),
        T(test_defer_runs_after),
        T(test_repeat_and_free_inside),
        T(test_stopped_timer_is_silent),
        T(test_work),
        T(test_free_runs_posted),
        T(test_signal),
        T(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
