/*
 * A process descriptor becomes readable when the process ends. The process is our child (we are its
 * subreaper), so its exit code can be had; after a restart of this program it is not. A process
 * that ends at once may do so before the runtime's helper, which is its parent until then: so what
 * is dead and not yet anybody's is asked for again for a while.
 */
#include "cluster/node/container/exit_watch.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define AGAIN_MS 20
#define TRIES    100

struct exit_watch {
    uv_poll_t poll;
    int pidfd;
    void (*ended)(void *ctx, const siginfo_t *si); /* NULL once stopped or told */
    void *ctx;
    struct timer *again;
    int tries;
};

static bool is_unburied(const struct exit_watch *w)
{
    return syscall(SYS_pidfd_send_signal, w->pidfd, 0, NULL, 0) == 0;
}

static void look(struct exit_watch *w)
{
    siginfo_t si = {0};
    bool known = waitid(P_PIDFD, (id_t)w->pidfd, &si, WEXITED | WNOHANG) == 0;
    if (known && si.si_pid == 0)
        return; /* still there */
    uv_poll_stop(&w->poll);
    if (!known && w->tries++ < TRIES && is_unburied(w)) {
        timer_start(w->again, AGAIN_MS);
        return;
    }
    void (*ended)(void *ctx, const siginfo_t *info) = w->ended;
    w->ended = NULL;
    ended(w->ctx, known ? &si : NULL);
}

static void look_again(void *ctx)
{
    look(ctx);
}

static void on_readable(uv_poll_t *h, int status, int events)
{
    struct exit_watch *w = container_of(h, struct exit_watch, poll);
    if (w->ended)
        look(w);
}

static void closed(uv_handle_t *h)
{
    free(container_of((uv_poll_t *)h, struct exit_watch, poll));
}

struct exit_watch *exit_watch_start(struct loop *l, int pidfd,
                                    void (*ended)(void *ctx, const siginfo_t *si), void *ctx,
                                    struct err *e)
{
    struct exit_watch *w = xnew(struct exit_watch);
    w->pidfd = pidfd;
    w->again = timer_new(l, look_again, w);
    w->ended = ended;
    w->ctx = ctx;
    int r = uv_poll_init(loop_uv(l), &w->poll, pidfd);
    if (r < 0) {
        timer_free(w->again);
        free(w);
        err_set(e, r, "watching a process: %s", uv_strerror(r));
        return NULL;
    }
    uv_poll_start(&w->poll, UV_READABLE, on_readable);
    return w;
}

void exit_watch_stop(struct exit_watch *w)
{
    if (!w)
        return;
    w->ended = NULL;
    timer_free(w->again);
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, closed);
}
