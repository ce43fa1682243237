/*
 * What one proxied request costs: system calls and allocations of the worker's thread, counted
 * where they are made, with a budget. A change that adds one to every request is seen here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "rig.h"

#define REQUESTS 200

static atomic_int calls, allocations;
static __thread bool is_test; /* the test's own thread is not counted */

static void count(atomic_int *n)
{
    if (!is_test)
        atomic_fetch_add(n, 1);
}

/* ---- the calls that libuv makes for us: ours come first at the link ---- */

ssize_t read(int fd, void *p, size_t n)
{
    count(&calls);
    return syscall(SYS_read, fd, p, n);
}

ssize_t write(int fd, const void *p, size_t n)
{
    count(&calls);
    return syscall(SYS_write, fd, p, n);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
    count(&calls);
    return syscall(SYS_writev, fd, iov, n);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    count(&calls);
    return syscall(SYS_sendmsg, fd, m, flags);
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    count(&calls);
    return syscall(SYS_recvmsg, fd, m, flags);
}

int poll(struct pollfd *p, nfds_t n, int ms)
{
    count(&calls);
    return (int)syscall(SYS_poll, p, n, ms);
}

int epoll_ctl(int ep, int op, int fd, struct epoll_event *ev)
{
    count(&calls);
    return (int)syscall(SYS_epoll_ctl, ep, op, fd, ev);
}

int epoll_pwait(int ep, struct epoll_event *ev, int n, int ms, const sigset_t *mask)
{
    count(&calls);
    return (int)syscall(SYS_epoll_pwait, ep, ev, n, ms, mask, 8);
}

int epoll_wait(int ep, struct epoll_event *ev, int n, int ms)
{
    return epoll_pwait(ep, ev, n, ms, NULL);
}

/* ---- allocations, where the sanitizer tells of them ---- */

int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *))
    __attribute__((weak));

static void on_malloc(const volatile void *p, size_t n)
{
    count(&allocations);
}

static void on_free(const volatile void *p)
{
}

/* ---- */

static int pod, port;

static int set_up(void **state)
{
    int r = rig_start_single(state);

    is_test = true;
    pod = pod_listen(&port);
    rig_route("a.example", "rev");
    rig_backend((struct rig_backend){.revision = "rev", .concurrency = 10, .ports = {port}});
    return r;
}

static void round_trip(int c, int *u, const char *request)
{
    send_z(c, request);
    *u = rig_reached(pod, *u);
    expect(*u, "\r\n\r\n");
    pod_answer(*u, "hello");
    expect(c, "hello");
}

static void costs(const char *request, int max_calls, int max_allocations)
{
    int c = rig_dial(EXTERNAL), u = -1;

    for (int i = 0; i < 20; i++) /* what is made once */
        round_trip(c, &u, request);
    atomic_store(&calls, 0);
    atomic_store(&allocations, 0);
    for (int i = 0; i < REQUESTS; i++)
        round_trip(c, &u, request);
    double per_call = (double)atomic_load(&calls) / REQUESTS;
    double per_allocation = (double)atomic_load(&allocations) / REQUESTS;
    print_message("%.2f system calls, %.2f allocations per request\n", per_call, per_allocation);
    assert_true(per_call > 1); /* they are counted at all */
    /* One more in a few requests is the sweep's or the clock's, not the path's. */
    assert_true(per_call < max_calls + 0.5);
    assert_true(per_allocation < max_allocations + 0.5);
}

/* Two reads, two writes, and a wait before each read. */
static void test_get(void **state)
{
    costs("GET /x?y=1 HTTP/1.1\r\nHost: a.example\r\nUser-Agent: t\r\nAccept: */*\r\n\r\n", 6, 0);
}

/* And a look at the connection, since it must not be sent twice. */
static void test_post(void **state)
{
    costs("POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\n\r\n\r\n", 7, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {T(test_get), T(test_post)};

    if (__sanitizer_install_malloc_and_free_hooks)
        __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
