/* A list of roles, started in order and stopped in reverse; around them the data directory's lock
 * and the pods' bridge, which several roles stand on. */
#include "cmd/embedded.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "cluster/node/node.h"
#include "cmd/env/data_dir.h"
#include "cmd/role/role.h"

#define MAX_ROLES 8
/* How often a start that waits looks whether it is still wanted. */
#define LOOK_MS 200
/* The kernel removes network namespaces some time after they were given up. */
#define NETWORK_GONE_MS 3000

struct running {
    const struct role *role;
    void *self;
};

struct embedded {
    struct env env;
    struct embedded_opts o;
    struct trace_table *traces;
    int lock;
    struct running roles[MAX_ROLES];
    size_t n_roles;
};

static bool cancelled(const struct embedded *u, struct err *e)
{
    if (!u->o.cancelled || !u->o.cancelled(u->o.ctx))
        return false;
    err_set(e, -EINTR, "stopped before it was ready");
    return true;
}

static int start_role(struct embedded *u, const struct role *role, struct err *e)
{
    void *self;

    if (cancelled(u, e))
        return e->code;
    self = role->start(&u->env, e);
    if (!self)
        return e->code ? e->code : -EIO;
    u->roles[u->n_roles++] = (struct running){role, self};
    return 0;
}

static int wait_ready(const struct embedded *u, const struct running *r, struct err *e)
{
    while (!r->role->ready(r->self, LOOK_MS)) {
        if (cancelled(u, e))
            return e->code;
    }
    return 0;
}

static int prepare(struct embedded *u, struct err *e)
{
    const struct env_config *c = &u->env.config;

    if (node_preflight(e) < 0)
        return e->code;
    u->lock = data_dir_take(c->data_dir, e);
    if (u->lock < 0)
        return u->lock;
    return node_bridge_setup(c->bridge, c->subnet, u->env.local_ip, e);
}

static int start(struct embedded *u, struct err *e)
{
    if (prepare(u, e) < 0)
        return e->code;
    for (size_t i = 0; u->o.roles[i]; i++) {
        if (i == MAX_ROLES)
            return err_set(e, -E2BIG, "more than %d roles in one process", MAX_ROLES);
        if (start_role(u, u->o.roles[i], e) < 0)
            return e->code;
    }
    for (size_t i = 0; i < u->n_roles; i++) {
        if (wait_ready(u, &u->roles[i], e) < 0)
            return e->code;
    }
    return 0;
}

struct embedded *embedded_start(const struct embedded_opts *o, struct err *e)
{
    struct embedded *u = xnew(struct embedded);

    env_open(&u->env);
    u->env.config = o->config;
    u->o = *o;
    u->lock = -1;
    u->traces = trace_table_new();
    u->env.trace = trace_table_sink(u->traces);
    if (start(u, e) == 0)
        return u;
    if (o->undoing)
        o->undoing(o->ctx);
    embedded_stop(u, e->code == -EINTR);
    return NULL;
}

void embedded_stop(struct embedded *u, bool drain)
{
    bool had_roles = u->n_roles > 0;

    while (u->n_roles) {
        struct running *r = &u->roles[--u->n_roles];
        r->role->stop(r->self, drain);
    }
    /* Another start has its own way with what a pod that runs on still needs. */
    if (u->env.local_ip[0])
        (void)node_bridge_teardown(u->env.config.bridge, u->env.config.subnet,
                                   had_roles ? NETWORK_GONE_MS : 0);
    if (u->lock >= 0)
        close(u->lock);
    env_close(&u->env);
    trace_table_free(u->traces);
    free(u);
}

const struct env *embedded_env(const struct embedded *u)
{
    return &u->env;
}
