/*
 * Two whole Nonagons in one process, each with a data directory, bridge and ports of its own.
 *
 * usage: two_ups DIR HTTP_PORT API_PORT BRIDGE SUBNET  DIR HTTP_PORT API_PORT BRIDGE SUBNET
 *
 * Prints "ready in" once both are ready; SIGTERM stops both.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/embedded.h"
#include "cmd/role/role.h"

static const struct role *const roles[] = {&role_api,     &role_autoscaler, &role_node,
                                           &role_gateway, &role_controller, NULL};

static struct embedded *start(char **arg)
{
    struct embedded_opts o = {.roles = roles};
    struct err e = {0};

    env_config_default(&o.config);
    o.config.data_dir = arg[0];
    o.config.http_port = (int)strtol(arg[1], NULL, 10);
    o.config.api_port = (int)strtol(arg[2], NULL, 10);
    o.config.bridge = arg[3];
    o.config.subnet = arg[4];
    struct embedded *u = embedded_start(&o, &e);
    if (!u)
        fprintf(stderr, "%s: %s\n", arg[0], e.msg);
    return u;
}

int main(int argc, char **argv)
{
    sigset_t signals;
    int got;

    if (argc != 11)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    struct embedded *a = start(argv + 1), *b = a ? start(argv + 6) : NULL;
    if (b) {
        printf("ready in one process\n");
        fflush(stdout);
        sigwait(&signals, &got);
    }
    if (b)
        embedded_stop(b, true);
    if (a)
        embedded_stop(a, true);
    return b ? 0 : 1;
}
