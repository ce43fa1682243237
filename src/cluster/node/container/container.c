/* Where a container's life begins and ends; the steps between are in container_*.c. */
#include "cluster/node/container/container.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

void container_done(struct container *c)
{
    container_probes_stop(c);
    container_unwatch(c);
    if (c->pull)
        image_pull_cancel(c->pull);
    timer_free(c->timer);
    image_unref(c->image);
    free(c->image_id);
    free(c->wait_reason);
    free(c->wait_message);
    container_termination_done(&c->now);
    container_termination_done(&c->last);
}

void container_start(struct container *c)
{
    const char *image = jget_str(c->spec, "image");
    const char *policy = jget_str(c->spec, "imagePullPolicy");
    bool pinned = image && strstr(image, "@sha256:");
    bool ask = streq(policy, "Always") && !pinned;
    image_unref(c->image);
    c->image = image && !ask ? image_store_find(c->box->env->images, image) : NULL;
    if (c->image)
        container_run(c);
    else
        container_pull(c);
}

int container_adopt(struct container *c, struct err *e)
{
    c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    if (c->pidfd < 0)
        return err_sys(e, errno, "adopting process %d of container %s", c->pid, c->name);
    int r = runtime_process_start(c->pid) == c->pid_start
                ? container_watch(c, e)
                : err_set(e, -ESRCH, "process %d is not container %s's any more", c->pid, c->name);
    if (r < 0) {
        container_unwatch(c);
        return r;
    }
    const char *image = jget_str(c->spec, "image");
    c->image = image ? image_store_find(c->box->env->images, image) : NULL;
    container_set_state(c, CT_RUNNING);
    container_probes_start(c);
    return 0;
}

void container_leave(struct container *c)
{
    container_probes_stop(c);
    container_unwatch(c);
    if (c->pull)
        image_pull_cancel(steal(&c->pull));
}
