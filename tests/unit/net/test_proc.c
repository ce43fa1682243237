/* Child processes: output, input, exit codes, signals, limits, namespaces, the group. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/proc.h"

static struct loop *loop;
static struct proc_result last;
static char *last_out;
static int calls;

static int set_up(void **state)
{
    loop = loop_new(NULL);
    calls = 0;
    last_out = NULL;
    return 0;
}

static int tear_down(void **state)
{
    loop_free(loop);
    free(last_out);
    return 0;
}

static void done(void *ctx, const struct proc_result *r)
{
    last = *r;
    free(last_out);
    last_out = xstrndup(r->out, r->out_len);
    calls++;
    loop_stop(loop);
}

static void run(struct proc_opts o)
{
    proc_start(loop, &o, done, NULL);
    assert_int_equal(calls, 0);
    loop_run(loop);
    assert_int_equal(calls, 1);
}

#define SH(text)                                                                                   \
    .argv = (const char *const[])                                                                  \
    {                                                                                              \
        "sh", "-c", text, NULL                                                                     \
    }

static void test_output_and_code(void **state)
{
    run((struct proc_opts){SH("echo out; echo err >&2; exit 3")});
    assert_int_equal(last.exit_code, 3);
    assert_int_equal(last.err.code, 0);
    assert_string_equal(last_out, "out\nerr\n");
}

static void test_input_env_cwd(void **state)
{
    run((struct proc_opts){SH("cat; echo \"$A\"; pwd"), .input = "typed\n", .cwd = "/",
                           .env = (const char *const[]){"A=b", "PATH=/usr/bin:/bin", NULL}});
    assert_string_equal(last_out, "typed\nb\n/\n");
}

static void test_not_found(void **state)
{
    run((struct proc_opts){.argv = (const char *const[]){"no-such-program-here", NULL}});
    assert_int_equal(last.err.code, -ENOENT);
    assert_int_equal(last.exit_code, -1);
    assert_non_null(strstr(last.err.msg, "no-such-program-here"));
}

static void test_signal_end(void **state)
{
    run((struct proc_opts){SH("kill -TERM $$")});
    assert_int_equal(last.exit_code, -1);
    assert_int_equal(last.term_signal, SIGTERM);
}

static void test_time_limit_kills_group(void **state)
{
    run((struct proc_opts){SH("sleep 1000 & sleep 1000"), .timeout_ms = 50});
    assert_true(last.timed_out);
    assert_int_equal(last.err.code, -ETIMEDOUT);
    assert_int_equal(last.term_signal, SIGKILL);
}

static void test_output_is_bounded(void **state)
{
    run((struct proc_opts){SH("head -c 1000000 /dev/zero | tr '\\0' x")});
    assert_int_equal(last.exit_code, 0);
    assert_int_equal(last.out_len, 64 * 1024);
}

static void test_grandchild_may_keep_the_pipe(void **state)
{
    run((struct proc_opts){SH("sleep 30 & echo $!")});
    assert_int_equal(last.exit_code, 0);
    kill((pid_t)atoi(last_out), SIGKILL);
}

static void test_descriptors_stay_here(void **state)
{
    int fd = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */

    run((struct proc_opts){SH("ls /proc/self/fd | wc -l")});
    close(fd);
    assert_int_equal(atoi(last_out), 4); /* 0 1 2 and the directory itself */
}

static void stop_loop(void *ctx)
{
    loop_stop(loop);
}

static void test_cancel(void **state)
{
    struct proc_opts o = {SH("sleep 1000")};
    struct proc *p = proc_start(loop, &o, done, NULL);
    pid_t pid = proc_pid(p);

    assert_int_equal(kill(pid, 0), 0);
    proc_cancel(p);
    struct timer *t = timer_new(loop, stop_loop, NULL);
    timer_repeat(t, 5);
    while (kill(pid, 0) == 0) /* killed and reaped, but not waited for */
        loop_run(loop);
    timer_free(t);
    assert_int_equal(calls, 0);
}

/* A loop that is freed leaves no child behind. */
static void test_loop_freed_meanwhile(void **state)
{
    struct proc_opts o = {SH("sleep 1000")};
    pid_t pid = proc_pid(proc_start(loop, &o, done, NULL));

    loop_free(loop);
    loop = loop_new(NULL);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(calls, 0);
}

static void test_signals_are_clean(void **state)
{
    run((struct proc_opts){SH("grep -E 'SigBlk|SigIgn' /proc/self/status")});
    assert_non_null(strstr(last_out, "SigBlk:\t0000000000000000"));
    assert_non_null(strstr(last_out, "SigIgn:\t0000000000000000"));
}

static void test_namespace(void **state)
{
    struct stat here, there;
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    /* The own namespace: entering it needs the privilege and changes nothing. */
    if (geteuid() != 0)
        skip();
    fstat(fd, &here);
    run((struct proc_opts){SH("stat -L -c %i /proc/self/ns/net"), .net_ns_fd = fd});
    close(fd);
    assert_int_equal(last.err.code, 0);
    there.st_ino = strtoull(last_out, NULL, 10);
    assert_int_equal(here.st_ino, there.st_ino);
    int bad = open("/dev/null", O_RDONLY | O_CLOEXEC);
    calls = 0;
    run((struct proc_opts){SH("true"), .mnt_ns_fd = bad});
    close(bad);
    assert_non_null(strstr(last.err.msg, "enter the mount namespace"));
}

static void test_blocking(void **state)
{
    struct proc_opts o = {SH("echo hi; exit 7")}, slow = {SH("sleep 1000"), .timeout_ms = 20};
    struct proc_opts none = {.argv = (const char *const[]){"no-such-program-here", NULL}};
    _cleanup_free_ char *out = NULL;
    struct err e;

    assert_int_equal(proc_run(&o, &out, &e), 7);
    assert_string_equal(out, "hi\n");
    assert_int_equal(proc_run(&slow, NULL, &e), -ETIMEDOUT);
    assert_int_equal(proc_run(&none, NULL, &e), -ENOENT);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_output_and_code),
        T(test_input_env_cwd),
        T(test_not_found),
        T(test_signal_end),
        T(test_time_limit_kills_group),
        T(test_output_is_bounded),
        T(test_grandchild_may_keep_the_pipe),
        T(test_descriptors_stay_here),
        T(test_cancel),
        T(test_loop_freed_meanwhile),
        T(test_signals_are_clean),
        T(test_namespace),
        T(test_blocking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
