/*
 * What a container is and where it stands. The one setter checks each change against the table of
 * changes that there are, so that a wrong turn ends where it is taken.
 */
#include <assert.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cluster/node/container/container.h"

#define BACKOFF_FIRST_MS 10000
#define BACKOFF_MAX_MS   300000

void container_init(struct container *c, struct sandbox *box, const yyjson_val *spec, bool init)
{
    *c = (struct container){.box = box, .spec = spec, .init = init, .pidfd = -1};
    c->name = jget_str(spec, "name");
    if (!c->name)
        c->name = "";
}

/* ---- the state ---- */
#define TO(s) (1u << (s))
static const unsigned NEXT[] = {
    [CT_WAIT] = TO(CT_PULLING) | TO(CT_PREPARING) | TO(CT_RUNNING) /* adopted */ | TO(CT_BACKOFF) |
                TO(CT_DONE),
    [CT_PULLING] = TO(CT_PREPARING) | TO(CT_BACKOFF) | TO(CT_DONE),
    [CT_PREPARING] = TO(CT_STARTING) | TO(CT_BACKOFF) | TO(CT_DONE),
    [CT_STARTING] = TO(CT_RUNNING) | TO(CT_BACKOFF) | TO(CT_DONE),
    [CT_RUNNING] = TO(CT_STOPPING) | TO(CT_BACKOFF) | TO(CT_DONE),
    [CT_STOPPING] = TO(CT_STOPPING) | TO(CT_BACKOFF) | TO(CT_DONE),
    [CT_BACKOFF] = TO(CT_WAIT) | TO(CT_BACKOFF) | TO(CT_DONE),
    [CT_DONE] = TO(CT_DONE),
};

void container_set_state(struct container *c, enum container_state s)
{
    assert(NEXT[c->state] & TO(s));
    c->state = s;
    if (s != CT_RUNNING)
        c->ready = c->started = false;
    if (s == CT_RUNNING || s == CT_DONE)
        container_wait_for(c, NULL, NULL);
}

void container_wait_for(struct container *c, const char *reason, const char *message)
{
    char *old_reason = c->wait_reason, *old_message = c->wait_message; /* may be what is given */
    c->wait_reason = reason ? xstrdup(reason) : NULL;
    c->wait_message = message ? xstrdup(message) : NULL;
    free(old_reason);
    free(old_message);
}

bool container_alive(const struct container *c)
{
    return c->state == CT_PREPARING || c->state == CT_STARTING || c->state == CT_RUNNING ||
           c->state == CT_STOPPING;
}

/* ---- back-off ---- */
int64_t container_backoff_ms(int crashes)
{
    if (crashes <= 1)
        return 0;
    int64_t ms = BACKOFF_FIRST_MS;
    for (int i = 2; i < crashes && ms < BACKOFF_MAX_MS; i++)
        ms *= 2;
    return ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : ms;
}

static void backoff_over(void *ctx)
{
    struct container *c = ctx;
    container_set_state(c, CT_WAIT);
    c->box->ops->step(c->box);
}

void container_backoff(struct container *c, int64_t ms)
{
    container_set_state(c, CT_BACKOFF);
    timer_free(c->timer);
    c->timer = timer_new(c->box->env->loop, backoff_over, c);
    timer_start(c->timer, (uint64_t)ms);
    c->box->ops->changed(c->box);
}

/* ---- the rest ---- */
char *container_dir(const struct container *c)
{
    return xasprintf("%s/c/%s", c->box->dir, c->name);
}

char *container_log(const struct container *c, int attempt)
{
    return xasprintf("%s/%s/%d.log", c->box->log_dir, c->name, attempt);
}

void container_kill(struct container *c, int signum)
{
    if (c->pidfd >= 0)
        syscall(SYS_pidfd_send_signal, c->pidfd, signum, NULL, 0);
}

void container_termination_done(struct container_termination *t)
{
    free(t->message);
    *t = (struct container_termination){0};
}

void container_termination_move(struct container_termination *to,
                                struct container_termination *from)
{
    container_termination_done(to);
    *to = *from;
    *from = (struct container_termination){0};
}
