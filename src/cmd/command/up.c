/*
 * `nonagon up`: every role in one process, and what a process owes its machine: signals, the limit
 * of open files, the word to a supervisor. Readiness means that the API answers, every informer is
 * full, and every route that was there at the start is served.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/command/command.h"
#include "cmd/embedded.h"
#include "cmd/role/role.h"
#include "net/activation.h"
#include "net/fdbudget.h"

/* Longer than data plane, pods and network take together at most. */
#define STOP_MS      60000
#define IMPATIENT_NS NS_PER_SEC

/* In the order of starting: whoever serves others comes before them. */
static const struct role *const roles[] = {&role_api,     &role_autoscaler, &role_node,
                                           &role_gateway, &role_controller, NULL};

static const struct env_flag *const flags[] = {
    &env_flag_data_dir,
    &env_flag_http_port,
    &env_flag_api_port,
    &env_flag_domain,
    &env_flag_kubeconfig,
    &env_flag_address,
    &env_flag_bridge,
    &env_flag_subnet,
    &env_flag_log_level,
    &env_flag_accept_data_loss,
    NULL,
};

/* As many descriptors as the machine allows; a start with few is good for few clients. */
static void raise_file_limit(void)
{
    struct err e = {0};

    if (fdbudget_from_limit(&e) < 0)
        log_warn("up", "%s", e.msg);
}

/*
 * The sockets of a supervisor that listens for us and goes on while we are restarted: what connects
 * meanwhile waits, instead of being refused.
 */
static int take_sockets(struct env_config *c, struct err *e)
{
    struct activation a;

    if (activation_take(&a, e) < 0)
        return e->code;
    for (size_t i = 0; i < a.n; i++) {
        if (!streq(a.names[i], "gateway") && !streq(a.names[i], "api"))
            return err_set(e, -EINVAL,
                           "the supervisor hands over a socket named \"%s\"; name it gateway or "
                           "api (FileDescriptorName=)",
                           a.names[i]);
    }
    int http = activation_fd(&a, "gateway", 0), api = activation_fd(&a, "api", 0);
    c->http_fd = http > 0 ? http : 0;
    c->api_fd = api > 0 ? api : 0;
    return 0;
}

static void stop_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGHUP);
}

/* Signals stay pending while we start: looked at where it takes long. */
static bool asked_to_stop(void *ctx)
{
    sigset_t pending;

    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT));
}

/* Tells a supervisor that speaks the systemd protocol; nothing happens where there is none. */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    _cleanup_close_ int fd = -1;

    if (!path || strlen(path) >= sizeof(to.sun_path))
        return;
    memcpy(to.sun_path, path, strlen(path));
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
}

static void print_ready(const struct env_config *c, int64_t ns)
{
    _cleanup_free_ char *kubeconfig =
        c->kubeconfig ? xstrdup(c->kubeconfig) : xasprintf("%s/kubeconfig", c->data_dir);
    char port[16] = "";

    if (c->http_port != 80)
        snprintf(port, sizeof(port), ":%d", c->http_port);
    printf("nonagon %s\n"
           "  data     %s\n"
           "  api      https://127.0.0.1:%d\n"
           "  gateway  http://*.%s%s\n"
           "  pods     bridge %s, %s\n"
           "ready in %.0f ms\n\n"
           "Use it:\n"
           "  export KUBECONFIG=%s\n"
           "  kubectl get ksvc -A\n"
           "A Service answers at http://NAME.NAMESPACE.%s%s. Stop with Ctrl-C.\n",
           NONAGON_VERSION, c->data_dir, c->api_port, c->domain, port, c->bridge, c->subnet,
           (double)ns / 1e6, kubeconfig, c->domain, port);
    fflush(stdout);
}

/*
 * Bounds the stop. When it takes too long, or a second signal comes (not the same one twice, as a
 * terminal and a wrapper send it), the process ends at once: whatever it leaves, the next start
 * finds, as after a crash.
 */
static void *watch_stop(void *arg)
{
    sigset_t signals;
    struct timespec limit = {.tv_sec = STOP_MS / 1000};
    int64_t begin = clock_mono_ns();
    int got;

    stop_signals(&signals);
    do {
        got = sigtimedwait(&signals, NULL, &limit);
    } while (got == SIGHUP || (got < 0 && errno == EINTR) ||
             (got > 0 && clock_mono_ns() - begin < IMPATIENT_NS));
    fprintf(stderr, "nonagon: %s: ending now; the next start finds what is left running\n",
            got > 0 ? "asked again to stop" : "stopping takes too long");
    _exit(EXIT_FAILURE);
}

static void bound_stop(void *ctx)
{
    pthread_t t;

    if (pthread_create(&t, NULL, watch_stop, NULL) == 0)
        pthread_detach(t);
}

static int parse(int argc, char **argv, struct env_config *c)
{
    struct err e = {0};

    env_config_default(c);
    if (env_flags_parse(flags, argc, argv, c, &e) < 0)
        return usage_error(&cmd_up, "%s", e.msg);
    if (c->http_port == c->api_port)
        return usage_error(&cmd_up, "--http-port and --api-port are both %d", c->http_port);
    return 0;
}

static int serve(struct embedded *u)
{
    sigset_t signals;
    int got;

    stop_signals(&signals);
    notify("READY=1");
    do {
        sigwait(&signals, &got);
    } while (got == SIGHUP);
    notify("STOPPING=1");
    bound_stop(NULL);
    printf("stopping: draining requests and pods\n");
    fflush(stdout);
    embedded_stop(u, true);
    printf("stopped\n");
    return EXIT_SUCCESS;
}

static int run(int argc, char **argv)
{
    int64_t begin = clock_mono_ns();
    struct embedded_opts o = {.roles = roles, .cancelled = asked_to_stop, .undoing = bound_stop};
    struct err e = {0};
    sigset_t signals;
    int r = parse(argc, argv, &o.config);

    if (r)
        return r;
    /* Threads inherit the mask: only who waits for these sees them. */
    stop_signals(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    raise_file_limit();
    if (take_sockets(&o.config, &e) < 0)
        return fail("%s", e.msg);
    struct embedded *u = embedded_start(&o, &e);
    if (!u)
        return e.code == -EINTR ? EXIT_SUCCESS : fail("%s", e.msg);
    print_ready(&o.config, clock_mono_ns() - begin);
    return serve(u);
}

static void describe(struct buf *out)
{
    buf_addf(out, "usage: nonagon up [OPTIONS]\n\n");
    env_flags_describe(flags, out);
    buf_addf(out,
             "\nRuns in the foreground as root until SIGTERM or SIGINT, then drains requests and "
             "pods. Another\nstart on the same data directory finds everything as it was.\n");
}

const struct command cmd_up = {
    .name = "up",
    .summary = "run everything on this machine: API, gateway, autoscaler, pods",
    .describe = describe,
    .run = run,
};
