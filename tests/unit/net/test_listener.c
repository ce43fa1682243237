/* Listeners at their bounds: of connections, of descriptors; paused ones and inherited sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "base/vec.h"
#include "net/conn.h"

static struct loop *loop;
static struct listener *listener;
static VEC(struct conn *) accepted;
static VEC(int) peers; /* plain sockets, whose connecting needs no loop */
static int troubles;
static char trouble_said[256];

static void on_conn(void *ctx, struct conn *c)
{
    vec_push(&accepted, c);
    loop_stop(loop);
}

static void on_trouble(void *ctx, const struct err *why)
{
    troubles++;
    strcpy(trouble_said, why->msg);
    loop_stop(loop);
}

static void listen_with(struct listen_opts o)
{
    struct err e;

    o.host = "127.0.0.1";
    o.on_trouble = on_trouble;
    listener = listener_new(loop, &o, on_conn, NULL, &e);
    assert_non_null(listener);
}

static int set_up(void **state)
{
    loop = loop_new(NULL);
    troubles = 0;
    return 0;
}

static int tear_down(void **state)
{
    listener_free(listener);
    listener = NULL;
    for (size_t i = 0; i < accepted.n; i++)
        conn_close(accepted.p[i]);
    for (size_t i = 0; i < peers.n; i++)
        close(peers.p[i]);
    vec_done(&accepted);
    vec_done(&peers);
    loop_free(loop);
    return 0;
}

/* The kernel completes it from the backlog, whether anybody accepts or not. */
static int dial(int port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    vec_push(&peers, fd);
    return fd;
}

static void stop_loop(void *arg)
{
    loop_stop(loop);
}

/* Some turns, and 30 ms, in which what must not happen has time to. */
static void run_a_little(void)
{
    struct timer *t = timer_new(loop, stop_loop, NULL);

    timer_start(t, 30);
    while (timer_active(t))
        loop_run(loop);
    timer_free(t);
}

static void run_until(size_t n_accepted)
{
    while (accepted.n < n_accepted)
        loop_run(loop);
}

static void test_paused_one_keeps_clients_waiting(void **state)
{
    listen_with((struct listen_opts){.paused = true});
    dial(listener_port(listener));
    dial(listener_port(listener));
    run_a_little();
    assert_int_equal(accepted.n, 0);
    listener_accept(listener, true);
    run_until(2);
    listener_accept(listener, false);
    dial(listener_port(listener));
    run_a_little();
    assert_int_equal(accepted.n, 2);
    listener_accept(listener, true);
    run_until(3);
}

static void test_stops_at_the_bound_and_resumes(void **state)
{
    listen_with((struct listen_opts){.max_connections = 2});
    for (int i = 0; i < 4; i++)
        dial(listener_port(listener));
    run_until(2);
    run_a_little();
    assert_int_equal(accepted.n, 2);
    assert_int_equal(listener_connections(listener), 2);
    assert_int_equal(troubles, 1);
    assert_non_null(strstr(trouble_said, "maximum of connections"));
    conn_close(accepted.p[0]);
    vec_remove(&accepted, 0);
    run_until(2);
    assert_int_equal(listener_connections(listener), 2);
    conn_close_flush(accepted.p[0]);
    vec_remove(&accepted, 0);
    close(peers.p[1]); /* a flushing close holds its place until the peer is gone */
    vec_remove(&peers, 1);
    run_until(2);
    assert_int_equal(troubles, 1); /* not for every connection */
}

static bool close_first(void *ctx)
{
    if (accepted.n == 0)
        return false;
    conn_close(accepted.p[0]);
    vec_remove(&accepted, 0);
    return true;
}

static void test_owner_makes_room(void **state)
{
    char byte;

    listen_with((struct listen_opts){.max_connections = 2, .make_room = close_first});
    for (int i = 0; i < 5; i++)
        dial(listener_port(listener));
    /* Three of the five were pushed out. */
    for (int i = 0; i < 3; i++) {
        while (recv(peers.p[i], &byte, 1, MSG_DONTWAIT) != 0 && errno == EAGAIN)
            run_a_little();
    }
    run_a_little();
    assert_int_equal(accepted.n, 2);
    assert_int_equal(troubles, 0);
}

static void test_no_share_left(void **state)
{
    size_t taken = 0;

    fdbudget_set(64);
    listen_with((struct listen_opts){.fd_class = FD_CLIENT});
    while (fdbudget_used(FD_CLIENT) < fdbudget_share(FD_CLIENT) - 1)
        taken += fdbudget_take(FD_CLIENT);
    dial(listener_port(listener));
    dial(listener_port(listener));
    run_until(1);
    while (!troubles)
        loop_run(loop);
    run_a_little();
    assert_int_equal(accepted.n, 1);
    conn_close(accepted.p[0]);
    vec_remove(&accepted, 0);
    run_until(1); /* after at most 100 ms */
    conn_close(accepted.p[0]);
    vec_remove(&accepted, 0);
    assert_int_equal(fdbudget_used(FD_CLIENT), taken);
    while (taken--)
        fdbudget_give(FD_CLIENT);
}

/* The kernel has no descriptor: the listener neither spins nor gives up. */
static void test_no_descriptor_left(void **state)
{
    struct rlimit was, none;
    VEC(int) hogs = {0};
    struct rusage before, after;

    listen_with((struct listen_opts){0});
    dial(listener_port(listener));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = was;
    none.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;)
        vec_push(&hogs, fd);
    assert_int_equal(errno, EMFILE);
    getrusage(RUSAGE_THREAD, &before);
    while (!troubles)
        loop_run(loop);
    for (int i = 0; i < 10; i++)
        run_a_little();
    getrusage(RUSAGE_THREAD, &after);
    assert_int_equal(accepted.n, 0);
    assert_int_equal(troubles, 1);
    assert_non_null(strstr(trouble_said, "Too many open files"));
    assert_true(after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw < 1000);
    assert_true(after.ru_utime.tv_sec * 1000000 + after.ru_utime.tv_usec -
                    before.ru_utime.tv_sec * 1000000 - before.ru_utime.tv_usec <
                200000); /* of 300 ms that a loop without end would have burned */
    for (size_t i = 0; i < hogs.n; i++)
        close(hogs.p[i]);
    vec_done(&hogs);
    run_until(1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
}

static void test_inherited_socket(void **state)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* blocking, kept over exec: as systemd gives it */
    struct err e;

    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 16), 0);
    listen_with((struct listen_opts){.fd = fd});
    dial(listener_port(listener));
    run_until(1);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_null(listener_new(loop, &(struct listen_opts){.fd = udp}, on_conn, NULL, &e));
    assert_non_null(strstr(e.msg, "not a stream socket"));
    close(udp);
}

static int alive;

static void look_at(uv_handle_t *h, void *arg)
{
    uv_os_fd_t fd;
    int on = 0, idle = 0;
    socklen_t len = sizeof(int);

    if (h->type != UV_TCP || uv_fileno(h, &fd) != 0)
        return;
    getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &len);
    getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &len);
    alive += on && idle == 60;
}

static void on_connected(void *ctx, struct conn *c, const struct err *why)
{
    assert_non_null(c);
    *(struct conn **)ctx = c;
    loop_stop(loop);
}

/* Both ends of a connection ask for a sign of life. */
static void test_keep_alive(void **state)
{
    struct conn *c = NULL;

    listen_with((struct listen_opts){0});
    struct connect_opts o = {.host = "127.0.0.1", .port = listener_port(listener)};
    conn_connect(loop, &o, on_connected, &c);
    while (!c || accepted.n < 1)
        loop_run(loop);
    alive = 0;
    uv_walk(loop_uv(loop), look_at, NULL);
    assert_int_equal(alive, 2);
    conn_close(c);
}

/* While nobody reads, a question tells whether the peer is still there. */
static void test_peer_left_unread(void **state)
{
    listen_with((struct listen_opts){0});
    int fd = dial(listener_port(listener));
    run_until(1);
    conn_read_stop(accepted.p[0]);
    assert_int_equal(send(fd, "x", 1, 0), 1);
    run_a_little();
    assert_false(conn_peer_left(accepted.p[0]));
    shutdown(fd, SHUT_WR);
    while (!conn_peer_left(accepted.p[0]))
        run_a_little();
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_paused_one_keeps_clients_waiting),
        T(test_stops_at_the_bound_and_resumes),
        T(test_owner_makes_room),
        T(test_no_share_left),
        T(test_no_descriptor_left),
        T(test_inherited_socket),
        T(test_keep_alive),
        T(test_peer_left_unread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
