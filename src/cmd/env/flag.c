/* One small setter a flag. A value is taken as "--name value" or "--name=value". */
#include "cmd/env/flag.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"

static int port(const char *value, int *ret, struct err *e)
{
    int64_t v;

    if (str_i64(str_of(value), &v) < 0 || v < 1 || v > 65535)
        return err_set(e, -EINVAL, "not a port from 1 to 65535");
    *ret = (int)v;
    return 0;
}

static int set_http_port(struct env_config *c, const char *value, struct err *e)
{
    return port(value, &c->http_port, e);
}

static int set_api_port(struct env_config *c, const char *value, struct err *e)
{
    return port(value, &c->api_port, e);
}

static int set_data_dir(struct env_config *c, const char *value, struct err *e)
{
    c->data_dir = value;
    return *value ? 0 : err_set(e, -EINVAL, "give a directory");
}

static int set_domain(struct env_config *c, const char *value, struct err *e)
{
    c->domain = value;
    return *value ? 0 : err_set(e, -EINVAL, "give a domain name");
}

static int set_kubeconfig(struct env_config *c, const char *value, struct err *e)
{
    c->kubeconfig = value;
    return *value ? 0 : err_set(e, -EINVAL, "give a file");
}

static int set_address(struct env_config *c, const char *value, struct err *e)
{
    c->address = value;
    return 0;
}

static int set_bridge(struct env_config *c, const char *value, struct err *e)
{
    c->bridge = value;
    return 0;
}

static int set_subnet(struct env_config *c, const char *value, struct err *e)
{
    c->subnet = value;
    return 0;
}

static int set_accept_data_loss(struct env_config *c, const char *value, struct err *e)
{
    c->accept_data_loss = true;
    return 0;
}

static int set_log_level(struct env_config *c, const char *value, struct err *e)
{
    enum log_level level;

    if (log_level_parse(value, &level) < 0)
        return err_set(e, -EINVAL, "use debug, info, warn or error");
    log_set_level(level);
    return 0;
}

const struct env_flag env_flag_data_dir = {
    "data-dir", "D", "where everything is kept (default " ENV_DATA_DIR ")", set_data_dir};
const struct env_flag env_flag_http_port = {"http-port", "N", "the gateway's port (default 8080)",
                                            set_http_port};
const struct env_flag env_flag_api_port = {
    "api-port", "N", "the Kubernetes API's port (default 6443)", set_api_port};
const struct env_flag env_flag_domain = {
    "domain", "NAME", "Services answer at NAME.NAMESPACE.DOMAIN (default localhost)", set_domain};
const struct env_flag env_flag_kubeconfig = {
    "kubeconfig", "F", "where to write the kubeconfig (default DATA_DIR/kubeconfig)",
    set_kubeconfig};
const struct env_flag env_flag_address = {
    "address", "A", "listen on this address only (default: all)", set_address};
const struct env_flag env_flag_bridge = {"bridge", "NAME",
                                         "the pods' network bridge (default nonagon0)", set_bridge};
const struct env_flag env_flag_subnet = {"subnet", "CIDR",
                                         "the pods' addresses (default 10.222.0.0/16)", set_subnet};
const struct env_flag env_flag_log_level = {
    "log-level", "L", "debug, info, warn or error (default info)", set_log_level};

const struct env_flag env_flag_accept_data_loss = {
    "accept-data-loss", NULL, "start although acknowledged writes are gone from the data directory",
    set_accept_data_loss};

static const struct env_flag *find(const struct env_flag *const *flags, struct str name)
{
    for (size_t i = 0; flags[i]; i++) {
        if (str_eq(name, str_of(flags[i]->name)))
            return flags[i];
    }
    return NULL;
}

int env_flags_parse(const struct env_flag *const *flags, int argc, char **argv,
                    struct env_config *c, struct err *e)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i], *value;
        if (strncmp(arg, "--", 2) != 0)
            return err_set(e, -EINVAL, "unexpected argument '%s'", arg);
        size_t n = strcspn(arg + 2, "=");
        const struct env_flag *f = find(flags, (struct str){arg + 2, n});
        if (!f)
            return err_set(e, -EINVAL, "unknown option '%.*s'", (int)n + 2, arg);
        if (!f->value && arg[2 + n])
            return err_set(e, -EINVAL, "--%s takes no value", f->name);
        if (!f->value)
            value = "";
        else if (arg[2 + n] == '=')
            value = arg + 2 + n + 1;
        else if (i + 1 < argc)
            value = argv[++i];
        else
            return err_set(e, -EINVAL, "--%s needs a value", f->name);
        struct err why = {0};
        if (f->set(c, value, &why) < 0)
            return err_set(e, -EINVAL, "--%s %s: %s", f->name, value, why.msg);
    }
    return 0;
}

void env_flags_describe(const struct env_flag *const *flags, struct buf *out)
{
    for (size_t i = 0; flags[i]; i++) {
        char head[64];
        snprintf(head, sizeof(head), "--%s %s", flags[i]->name,
                 flags[i]->value ? flags[i]->value : "");
        buf_addf(out, "  %-17s%s\n", head, flags[i]->help);
    }
}
