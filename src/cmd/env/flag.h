/* The options that roles take from a command line, each a row; a role names those that it heeds. */
#ifndef NONAGON_CMD_ENV_FLAG_H
#define NONAGON_CMD_ENV_FLAG_H

#include "base/buf.h"
#include "cmd/env/env.h"

struct env_flag {
    const char *name, *value; /* --NAME VALUE; no value (NULL): a switch, set with "" */
    const char *help;         /* one line, with the default */
    /* Negative, with the reason, for a value that cannot be. */
    int (*set)(struct env_config *c, const char *value, struct err *e);
};
extern const struct env_flag env_flag_data_dir, env_flag_http_port, env_flag_api_port,
    env_flag_domain, env_flag_kubeconfig, env_flag_address, env_flag_bridge, env_flag_subnet,
    env_flag_log_level, env_flag_accept_data_loss;

/*
 * Takes the flags of `argv` (argv[0] is passed over), NULL-terminated rows given. What is no flag
 * of them, lacks its value, or has one that cannot be is refused with -EINVAL.
 */
int env_flags_parse(const struct env_flag *const *flags, int argc, char **argv,
                    struct env_config *c, struct err *e);
/* A line for each, for the text of help. */
void env_flags_describe(const struct env_flag *const *flags, struct buf *out);

#endif
