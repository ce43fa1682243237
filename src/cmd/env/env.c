/* The environment's own few functions: defaults, and a message that all listeners
 * share. */
#include "cmd/env/env.h"

#include <errno.h>
#include <string.h>

void env_config_default(struct env_config *c)
{
    *c = (struct env_config){
        .data_dir = ENV_DATA_DIR,
        .domain = "localhost",
        .address = "",
        .bridge = "nonagon0",
        .subnet = "10.222.0.0/16",
        .http_port = 8080,
        .api_port = 6443,
    };
}

void env_open(struct env *e)
{
    memset(e, 0, sizeof(*e));
    env_config_default(&e->config);
    env_link_init(&e->client);
    env_link_init(&e->arrivals);
    env_link_init(&e->traffic);
    env_link_init(&e->pods);
}

void env_close(struct env *e)
{
    env_link_done(&e->client);
    env_link_done(&e->arrivals);
    env_link_done(&e->traffic);
    env_link_done(&e->pods);
}

int env_listen_error(struct err *e, const char *who, const char *option)
{
    struct err was = *e;

    if (was.code != -EADDRINUSE)
        return err_prefix(e, "%s", who);
    return err_set(e, was.code, "%s: %.800s; stop that one, or choose another with %s", who,
                   was.msg, option);
}
