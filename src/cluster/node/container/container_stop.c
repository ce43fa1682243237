/* Ending a container: its process is asked, and killed after the grace period. */
#include <signal.h>

#include "base/str.h"
#include "cluster/node/container/container.h"

static void grace_over(void *ctx)
{
    container_kill(ctx, SIGKILL);
}

static void stop_process(struct container *c, int64_t grace_ms)
{
    bool again = c->state == CT_STOPPING;
    container_probes_stop(c);
    container_set_state(c, CT_STOPPING);
    if (grace_ms <= 0) {
        container_kill(c, SIGKILL);
        return;
    }
    if (!again)
        container_kill(c, container_stop_signal(c->image));
    timer_free(c->timer);
    c->timer = timer_new(c->box->env->loop, grace_over, c);
    timer_start(c->timer, (uint64_t)grace_ms);
}

/* Nothing runs: what is known of the run before is all there is to tell. */
static void stop_waiting(struct container *c)
{
    if (c->pull)
        image_pull_cancel(steal(&c->pull));
    timer_free(steal(&c->timer));
    if (!c->now.set && c->last.set)
        container_termination_move(&c->now, &c->last);
    container_set_state(c, CT_DONE);
}

void container_stop(struct container *c, int64_t grace_ms)
{
    switch (c->state) {
    case CT_RUNNING:
    case CT_STOPPING:
        stop_process(c, grace_ms);
        return;
    case CT_PREPARING:
    case CT_STARTING:
        return; /* ends by itself once it comes back and sees that nobody wants it */
    case CT_PULLING:
    case CT_WAIT:
    case CT_BACKOFF:
        stop_waiting(c);
        return;
    case CT_DONE:
        return;
    }
}

int container_stop_signal(const struct image *image)
{
    const char *text =
        image ? jget_str(yyjson_doc_get_root(image->config), "config", "StopSignal") : NULL;
    if (!text || !*text)
        return SIGTERM;
    int64_t number;
    if (str_i64(str_of(text), &number) == 0)
        return number > 0 && number < NSIG ? (int)number : SIGTERM;
    if (z_starts(text, "SIG"))
        text += 3;
    for (int s = 1; s < NSIG; s++)
        if (streq(sigabbrev_np(s), text))
            return s;
    return SIGTERM;
}
