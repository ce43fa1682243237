/* See rig.h. */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define WAIT_MS 5000

struct dataplane *dp;
struct trace_table *traces;
struct loop *loop;
struct buf seen;
static atomic_int arrivals;
static int open_fds[256];
static size_t n_open;

static void on_arrival(void *ctx, const char *ns, const char *revision)
{
    atomic_fetch_add(&arrivals, 1);
}

static atomic_int_fast64_t stepped_ns;

static int64_t stepped_mono(void *ctx)
{
    return clock_mono_ns() + atomic_load(&stepped_ns);
}

static int64_t stepped_wall(void *ctx)
{
    return clock_wall_ns();
}

static const struct clock stepped = {.mono_ns = stepped_mono, .wall_ns = stepped_wall};

void rig_step(int64_t ns)
{
    atomic_fetch_add(&stepped_ns, ns);
}

static int start(int workers, size_t max_clients)
{
    static const struct dp_listen listen[] = {{"127.0.0.1", 0, DP_EXTERNAL, false},
                                              {"127.0.0.1", 0, DP_LOCAL, false},
                                              {"127.0.0.1", 0, DP_LOCAL, true}};
    static const char *const trusted[] = {"127.0.0.8/30"};
    struct dp_opts o = {.listen = listen,
                        .n_listen = 3,
                        .workers = workers,
                        .on_arrival = on_arrival,
                        .clock = &stepped,
                        .trace = trace_table_sink(traces = trace_table_new()),
                        .max_clients = max_clients,
                        .trusted_proxies = trusted,
                        .n_trusted_proxies = 1};
    struct err e;
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max; /* a thousand waiting requests need two thousand sockets */
    setrlimit(RLIMIT_NOFILE, &files);
    loop = loop_new(&e);
    arrivals = 0;
    buf_init(&seen, 64 << 20);
    dp = dataplane_start(&o, &e);
    if (!dp)
        return -1;
    dataplane_accept(dp);
    return 0;
}

int rig_start(void **state)
{
    return start(2, 0);
}

int rig_start_single(void **state)
{
    return start(1, 0);
}

int rig_start_small(void **state)
{
    return start(1, 4);
}

int rig_stop(void **state)
{
    while (n_open > 0)
        close(open_fds[--n_open]);
    dataplane_stop(dp, 1000);
    dp = NULL;
    trace_table_free(traces);
    loop_free(loop);
    buf_done(&seen);
    return 0;
}

static pthread_t stopper;

static void *stop_main(void *arg)
{
    dataplane_stop(dp, 5000);
    return NULL;
}

void rig_stop_in_background(void)
{
    pthread_create(&stopper, NULL, stop_main, NULL);
}

void rig_join(void)
{
    pthread_join(stopper, NULL);
    dp = NULL;
}

void rig_wait_arrivals(int at_least)
{
    for (int i = 0; i < WAIT_MS && atomic_load(&arrivals) < at_least; i++)
        poll(NULL, 0, 1);
    assert_true(atomic_load(&arrivals) >= at_least);
}

static void applied(void *ctx)
{
    loop_stop(loop);
}

void rig_ingress(const struct dp_ingress *in)
{
    dp_set_ingress(dp, in, loop, applied, NULL);
    loop_run(loop);
}

void rig_route(const char *host, const char *revision)
{
    const struct dp_split split = {.ns = "ns", .service = revision, .port = 80, .percent = 100};
    const struct dp_path path = {.prefix = "", .splits = &split, .n_splits = 1};
    const struct dp_rule rule = {
        .hosts = &host, .n_hosts = 1, .visibility = DP_EXTERNAL, .paths = &path, .n_paths = 1};
    const struct dp_ingress in = {.key = host, .rules = &rule, .n_rules = 1, .hash = "hash-1"};

    rig_ingress(&in);
}

void rig_backend(struct rig_backend b)
{
    struct dp_endpoint eps[8];
    struct dp_backend in = {.ns = "ns",
                            .service = b.service ? b.service : b.revision,
                            .port = 80,
                            .revision = b.revision,
                            .container_concurrency = b.concurrency,
                            .timeout_ms = b.timeout_ms,
                            .response_start_timeout_ms = b.response_start_ms,
                            .idle_timeout_ms = b.idle_ms,
                            .endpoints = eps};

    for (; in.n_endpoints < 8 && b.ports[in.n_endpoints]; in.n_endpoints++)
        eps[in.n_endpoints] = (struct dp_endpoint){"127.0.0.1", b.ports[in.n_endpoints], "pod"};
    dp_set_backend(dp, &in, loop, applied, NULL);
    loop_run(loop);
}

void rig_remove(const char *key)
{
    dp_remove_ingress(dp, key, loop, applied, NULL);
    loop_run(loop);
}

struct find {
    const char *revision;
    struct dp_stat found;
};

static void on_stats(void *ctx, const struct dp_stat *stats, size_t n)
{
    struct find *f = ctx;

    for (size_t i = 0; i < n; i++) {
        if (streq(stats[i].revision, f->revision))
            f->found = stats[i];
    }
    loop_stop(loop);
}

struct dp_stat rig_stat(const char *revision)
{
    struct find f = {.revision = revision};

    dp_collect(dp, loop, on_stats, &f);
    loop_run(loop);
    return f.found;
}

/* ---- sockets ---- */

static int keep(int fd)
{
    assert_true(fd >= 0 && n_open < 256);
    open_fds[n_open++] = fd;
    return fd;
}

int rig_dial(int listener)
{
    return rig_dial_from(listener, NULL);
}

int rig_dial_from(int listener, const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)dataplane_port(dp, (size_t)listener)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = keep(socket(AF_INET, SOCK_STREAM, 0));

    if (address) {
        inet_pton(AF_INET, address, &from.sin_addr);
        assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    }
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

void rig_close(int fd)
{
    for (size_t i = 0; i < n_open; i++) {
        if (open_fds[i] == fd) {
            open_fds[i] = open_fds[--n_open];
            close(fd);
            return;
        }
    }
    fail_msg("descriptor %d is not ours", fd);
}

void rig_forget(void)
{
    close(open_fds[--n_open]);
}

int pod_listen(int *ret_port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(sa);
    int fd = keep(socket(AF_INET, SOCK_STREAM, 0));

    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 128), 0);
    getsockname(fd, (struct sockaddr *)&sa, &n);
    *ret_port = ntohs(sa.sin_port);
    return fd;
}

static bool readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms) == 1;
}

int pod_accept(int listen_fd)
{
    if (!readable(listen_fd, WAIT_MS))
        fail_msg("no connection reached the pod");
    return keep(accept(listen_fd, NULL, NULL));
}

bool pod_nothing_to_accept(int listen_fd)
{
    return !readable(listen_fd, 0);
}

struct pod_hit pod_any(const int *listen_fds, const int *conn_fds, int n)
{
    struct pollfd p[16];

    for (int i = 0; i < n; i++) {
        p[2 * i] = (struct pollfd){.fd = listen_fds[i], .events = POLLIN};
        p[2 * i + 1] = (struct pollfd){.fd = conn_fds[i], .events = POLLIN};
    }
    poll(p, (nfds_t)(2 * n), WAIT_MS);
    for (int i = 0; i < n; i++) {
        if (p[2 * i].revents)
            return (struct pod_hit){i, pod_accept(listen_fds[i])};
        if (p[2 * i + 1].revents)
            return (struct pod_hit){i, conn_fds[i]};
    }
    fail_msg("no pod was reached");
    return (struct pod_hit){-1, -1};
}

int rig_reached(int listen_fd, int conn_fd)
{
    return pod_any(&listen_fd, &conn_fd, 1).fd;
}

int rig_readable_first(int a, int b)
{
    struct pollfd p[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};

    assert_true(poll(p, 2, WAIT_MS) > 0);
    return p[0].revents ? 0 : 1;
}

void send_z(int fd, const char *z)
{
    size_t n = strlen(z);

    while (n > 0) {
        ssize_t w = send(fd, z, n, MSG_NOSIGNAL);
        assert_true(w > 0);
        z += w;
        n -= (size_t)w;
    }
}

void expect(int fd, const char *text)
{
    char part[65536];

    buf_clear(&seen);
    while (!has(text)) {
        ssize_t n = readable(fd, WAIT_MS) ? read(fd, part, sizeof(part)) : -1;
        if (n <= 0)
            fail_msg("waited for \"%s\", got \"%s\"%s", text, buf_z(&seen),
                     n == 0 ? " and the end" : "");
        buf_add(&seen, part, (size_t)n);
    }
}

void expect_eof(int fd)
{
    char part[65536];
    ssize_t n;

    buf_clear(&seen);
    while ((n = readable(fd, WAIT_MS) ? read(fd, part, sizeof(part)) : -2) > 0)
        buf_add(&seen, part, (size_t)n);
    if (n == -2)
        fail_msg("waited for the end, got \"%s\"", buf_z(&seen));
}

bool has(const char *text)
{
    return strstr(buf_z(&seen), text) != NULL;
}

void get(int fd, const char *host, const char *path)
{
    char rq[512];

    snprintf(rq, sizeof(rq), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host);
    send_z(fd, rq);
}

void pod_answer(int fd, const char *body)
{
    char rs[512];

    snprintf(rs, sizeof(rs), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
             body);
    send_z(fd, rs);
}
