/* Errors, log lines, randomness, ownership helpers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"

static void errors_say_what_and_why(void **state)
{
    struct err e = {0};

    assert_int_equal(err_set(&e, -ENOENT, "cannot find %s", "x"), -ENOENT);
    assert_int_equal(e.code, -ENOENT);
    assert_string_equal(e.msg, "cannot find x");
    assert_int_equal(err_prefix(&e, "loading %d", 7), -ENOENT);
    assert_string_equal(e.msg, "loading 7: cannot find x");
    assert_int_equal(err_sys(&e, ENOSPC, "cannot write %s", "f"), -ENOSPC);
    assert_string_equal(e.msg, "cannot write f: No space left on device");
    assert_int_equal(err_set(&e, 0, "not a code"), -EIO);
    assert_int_equal(err_set(NULL, -EINVAL, "nobody listens"), -EINVAL);
    assert_int_equal(err_sys(NULL, EPERM, "nobody listens"), -EPERM);
}

static void long_errors_end_in_dots(void **state)
{
    char text[ERR_MSG_MAX * 2];
    struct err e = {0};

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    err_set(&e, -EIO, "%s", text);
    assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
    assert_true(z_ends(e.msg, "x..."));
    err_prefix(&e, "%s", text);
    assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
}

/* Runs fn with standard error going to a pipe; what was written. */
static char *captured(void (*fn)(void))
{
    int fds[2], saved = dup(STDERR_FILENO);
    char *out = xcalloc(1, 8192);

    assert_int_equal(pipe(fds), 0);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    fn();
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_true(read(fds[0], out, 8191) >= 0);
    close(fds[0]);
    return out;
}

static void log_some(void)
{
    char text[4096];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_debug("test", "hidden");
    log_warn("test", "seen %d", 1);
    log_error("test", "%s", text);
}

static void log_lines_are_whole(void **state)
{
    enum log_level level;
    _cleanup_free_ char *out = captured(log_some);
    char *second = strchr(out, '\n');

    assert_null(strstr(out, "hidden"));
    assert_non_null(strstr(out, "warn  test       seen 1\n"));
    assert_non_null(second);
    assert_int_equal(out[strlen(out) - 1], '\n');
    assert_in_range(strlen(second + 1), 1000, 2048);
    assert_int_equal(log_level_parse("warn", &level), 0);
    assert_int_equal(level, LOG_WARN);
    assert_int_equal(log_level_parse("loud", &level), -1);
}

static void random_names_are_of_the_alphabet(void **state)
{
    char a[41], b[41], uuid[37];

    rand_suffix(a, 40);
    rand_suffix(b, 40);
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), 40);
    assert_int_equal(strspn(a, "bcdfghjklmnpqrstvwxz2456789"), 40);
    rand_uuid(uuid);
    assert_int_equal(strlen(uuid), 36);
    assert_int_equal(uuid[14], '4');
    assert_non_null(strchr("89ab", uuid[19]));
    assert_true(rand_fast() != rand_fast());
}

static void helpers_hand_over(void **state)
{
    char *p = xstrdup("x"), *q = steal(&p);

    assert_null(p);
    assert_string_equal(q, "x");
    free(q);
    _cleanup_free_ char *null_copy = xstrdup(NULL);
    assert_string_equal(null_copy, "");
    _cleanup_free_ char *text = xasprintf("%s=%d", "a", 5);
    assert_string_equal(text, "a=5");
    int fd = open("/dev/null", O_RDONLY);
    int copy = fd;
    closep(&fd);
    assert_int_equal(fd, -1);
    assert_int_equal(fcntl(copy, F_GETFD), -1);
    closep(&fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_say_what_and_why),
        cmocka_unit_test(long_errors_end_in_dots),
        cmocka_unit_test(log_lines_are_whole),
        cmocka_unit_test(random_names_are_of_the_alphabet),
        cmocka_unit_test(helpers_hand_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
