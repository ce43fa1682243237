/*
 * `nonagon up`: every role in one process. Start order: checks, data directory, identity and API,
 * bridge, data plane, autoscaler, node, controllers; stop is the reverse, with the data plane
 * drained first. Readiness means that the API answers, every informer is full, and the gateway
 * listens.
 */
#include "cmd/up.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/data_dir.h"

#define LOCAL_PORT     80
#define DRAIN_MS       15000
/* The kernel removes network namespaces some time after they were given up. */
#define NETWORK_GONE_MS 3000
/* Longer than data plane, pods and network take together at most. */
#define STOP_MS      60000
#define IMPATIENT_NS NS_PER_SEC

static const struct option options[] = {
    {"data-dir", required_argument, NULL, 'd'},
    {"http-port", required_argument, NULL, 'p'},
    {"api-port", required_argument, NULL, 'a'},
    {"domain", required_argument, NULL, 'D'},
    {"kubeconfig", required_argument, NULL, 'k'},
    {"address", required_argument, NULL, 'A'},
    {"bridge", required_argument, NULL, 'b'},
    {"subnet", required_argument, NULL, 's'},
    {"log-level", required_argument, NULL, 'l'},
    {"accept-data-loss", no_argument, NULL, 'L'},
    {NULL, 0, NULL, 0},
};

static int parse_port(const char *text, int *ret)
{
    int64_t v;

    if (str_i64(str_of(text), &v) < 0 || v < 1 || v > 65535)
        return -1;
    *ret = (int)v;
    return 0;
}

static int parse(int argc, char **argv, struct up_options *u)
{
    enum log_level level;
    int o;

    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (o) {
        case 'd':
            u->data_dir = optarg;
            break;
        case 'D':
            u->domain = optarg;
            break;
        case 'k':
            u->kubeconfig = optarg;
            break;
        case 'A':
            u->address = optarg;
            break;
        case 'b':
            u->bridge = optarg;
            break;
        case 's':
            u->subnet = optarg;
            break;
        case 'L':
            u->accept_data_loss = true;
            break;
        case 'p':
            if (parse_port(optarg, &u->http_port) < 0)
                return usage_error(&cmd_up, "--http-port %s: not a port from 1 to 65535", optarg);
            break;
        case 'a':
            if (parse_port(optarg, &u->api_port) < 0)
                return usage_error(&cmd_up, "--api-port %s: not a port from 1 to 65535", optarg);
            break;
        case 'l':
            if (log_level_parse(optarg, &level) < 0)
                return usage_error(&cmd_up, "--log-level %s: use debug, info, warn or error",
                                   optarg);
            log_set_level(level);
            break;
        default:
            return usage_error(&cmd_up, "unknown option");
        }
    }
    if (optind < argc)
        return usage_error(&cmd_up, "unexpected argument '%s'", argv[optind]);
    if (u->http_port == u->api_port)
        return usage_error(&cmd_up, "--http-port and --api-port are both %d", u->http_port);
    return 0;
}

static void raise_file_limit(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return;
    r.rlim_cur = r.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &r);
}

struct up {
    struct up_options o;
    char bridge_ip[64];
    char *kubeconfig;
    struct up_api api;
    struct up_autoscaler autoscaler;
    struct up_node node;
    struct up_controller controller;
    struct dataplane *dp;
    int lock;
};

int up_listen_error(struct err *e, const char *who, const char *option)
{
    struct err was = *e;

    if (was.code != -EADDRINUSE)
        return err_prefix(e, "%s", who);
    return err_set(e, was.code, "%s: %.800s; stop that one, or choose another with %s", who,
                   was.msg, option);
}

static int start_dataplane(struct up *u, struct err *e)
{
    struct dp_listen listen[] = {
        {.host = u->o.address, .port = u->o.http_port, .visibility = DP_EXTERNAL},
        {.host = u->bridge_ip, .port = LOCAL_PORT, .visibility = DP_LOCAL},
        {.host = u->bridge_ip, .port = UP_ACTIVATOR_PORT, .visibility = DP_LOCAL, .activator = true},
    };
    /* A public listener on every address would already cover the bridge's port 80. */
    bool covers = u->o.http_port == LOCAL_PORT && !*u->o.address;
    struct dp_opts o = {
        .listen = listen,
        .n_listen = ARRAY_LEN(listen),
        .on_arrival = up_autoscaler_arrival,
        .ctx = &u->autoscaler,
    };

    if (covers)
        return err_set(
            e, -EINVAL,
            "--http-port 80 on every address leaves no port 80 for cluster-local traffic on %s; "
            "give the public address with --address",
            u->bridge_ip);
    u->dp = dataplane_start(&o, e);
    if (u->dp) {
        dataplane_accept(u->dp);
        return 0;
    }
    return up_listen_error(e, "gateway", strstr(e->msg, u->bridge_ip) ? "--subnet" : "--http-port");
}

static void stop_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGHUP);
}

/* Signals stay pending while we start: looked at where it takes long. */
static bool asked_to_stop(struct err *e)
{
    sigset_t pending;

    if (sigpending(&pending) < 0 ||
        (!sigismember(&pending, SIGTERM) && !sigismember(&pending, SIGINT)))
        return false;
    err_set(e, -EINTR, "stopped before it was ready");
    return true;
}

static int wait_synced(struct up_manager *um, struct err *e)
{
    for (;;) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        if (sem_timedwait(&um->synced, &until) == 0)
            return 0;
        if (asked_to_stop(e))
            return e->code;
    }
}

static int start(struct up *u, struct err *e)
{
    const char *dir = u->o.data_dir;
    _cleanup_free_ char *server = xasprintf("https://127.0.0.1:%d", u->o.api_port);

    if (node_preflight(e) < 0)
        return e->code;
    u->lock = data_dir_take(dir, e);
    if (u->lock < 0)
        return u->lock;
    if (node_bridge_setup(u->o.bridge, u->o.subnet, u->bridge_ip, e) < 0)
        return e->code;
    u->api.o = u->node.o = u->controller.o = &u->o;
    u->api.listen_ip = u->controller.bridge_ip = u->bridge_ip;
    u->autoscaler.api = u->node.api = u->controller.api = &u->api;
    if (up_api_start(&u->api, e) < 0)
        return e->code;
    if (api_identity_kubeconfig(&u->api.id, u->kubeconfig, server, e) < 0)
        return e->code;
    if (up_defaults_install(&u->api, &u->o, e) < 0)
        return e->code;
    if (up_autoscaler_start(&u->autoscaler, e) < 0 || start_dataplane(u, e) < 0)
        return e->code;
    up_autoscaler_attach(&u->autoscaler, u->dp);
    u->node.dp = u->controller.dp = u->dp;
    if (asked_to_stop(e) || up_node_start(&u->node, e) < 0 ||
        up_controller_start(&u->controller, e) < 0)
        return e->code;
    return wait_synced(&u->autoscaler.um, e) < 0 || wait_synced(&u->node.um, e) < 0 ||
                   wait_synced(&u->controller.um, e) < 0
               ? e->code
               : 0;
}

static void stop(struct up *u, bool drain)
{
    up_controller_stop(&u->controller);
    if (u->dp) {
        up_autoscaler_attach(&u->autoscaler, NULL);
        up_node_detach(&u->node);
        dataplane_stop(u->dp, drain ? DRAIN_MS : 0);
    }
    bool had_node = u->node.thread;
    up_node_stop(&u->node, drain);
    if (u->autoscaler.thread)
        up_autoscaler_stop(&u->autoscaler);
    up_api_stop(&u->api);
    /* Another start has its own way with what a pod that runs on still needs. */
    if (u->bridge_ip[0])
        (void)node_bridge_teardown(u->o.bridge, had_node ? NETWORK_GONE_MS : 0);
    if (u->lock >= 0)
        close(u->lock);
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

static void print_ready(const struct up *u, int64_t ns)
{
    char port[16] = "";

    if (u->o.http_port != 80)
        snprintf(port, sizeof(port), ":%d", u->o.http_port);
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
           NONAGON_VERSION, u->o.data_dir, u->o.api_port, u->o.domain, port, u->o.bridge,
           u->o.subnet, (double)ns / 1e6, u->kubeconfig, u->o.domain, port);
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

static void bound_stop(void)
{
    pthread_t t;

    if (pthread_create(&t, NULL, watch_stop, NULL) == 0)
        pthread_detach(t);
}

static int run(int argc, char **argv)
{
    int64_t begin = clock_mono_ns();
    struct up u = {
        .o = {.data_dir = UP_DATA_DIR,
              .domain = "localhost",
              .address = "",
              .bridge = "nonagon0",
              .subnet = "10.222.0.0/16",
              .http_port = 8080,
              .api_port = 6443},
        .lock = -1,
    };
    struct err e = {0};
    sigset_t signals;
    int got, r = parse(argc, argv, &u.o);

    if (r)
        return r;
    /* Threads inherit the mask: only sigwait below sees these. */
    stop_signals(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    raise_file_limit();
    u.kubeconfig =
        u.o.kubeconfig ? xstrdup(u.o.kubeconfig) : xasprintf("%s/kubeconfig", u.o.data_dir);
    u.o.kubeconfig = u.kubeconfig;
    if (start(&u, &e) < 0) {
        bool asked = e.code == -EINTR && asked_to_stop(NULL);
        bound_stop();
        stop(&u, asked);
        free(u.kubeconfig);
        return asked ? EXIT_SUCCESS : fail("%s", e.msg);
    }
    print_ready(&u, clock_mono_ns() - begin);
    notify("READY=1");
    do {
        sigwait(&signals, &got);
    } while (got == SIGHUP);
    notify("STOPPING=1");
    bound_stop();
    printf("stopping: draining requests and pods\n");
    fflush(stdout);
    stop(&u, true);
    free(u.kubeconfig);
    printf("stopped\n");
    return EXIT_SUCCESS;
}

const struct command cmd_up = {
    .name = "up",
    .summary = "run everything on this machine: API, gateway, autoscaler, pods",
    .usage = "usage: nonagon up [OPTIONS]\n\n"
             "  --data-dir D     where everything is kept (default " UP_DATA_DIR ")\n"
             "  --http-port N    the gateway's port (default 8080)\n"
             "  --api-port N     the Kubernetes API's port (default 6443)\n"
             "  --domain NAME    Services answer at NAME.NAMESPACE.DOMAIN (default localhost)\n"
             "  --kubeconfig F   where to write the kubeconfig (default DATA_DIR/kubeconfig)\n"
             "  --address A      listen on this address only (default: all)\n"
             "  --bridge NAME    the pods' network bridge (default nonagon0)\n"
             "  --subnet CIDR    the pods' addresses (default 10.222.0.0/16)\n"
             "  --log-level L    debug, info, warn or error (default info)\n"
             "  --accept-data-loss  start although acknowledged writes are gone from the data "
             "directory\n\n"
             "Runs in the foreground as root until SIGTERM or SIGINT, then drains requests and "
             "pods. Another\n"
             "start on the same data directory finds everything as it was.\n",
    .run = run,
};
