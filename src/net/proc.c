/*
 * Child processes on a loop. The end of the child decides, not the end of its output: a grandchild
 * may hold the pipe open for as long as it likes. What is in the pipe when the child has ended is
 * still read.
 */
#include "net/proc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/loop_impl.h"
#include "net/spawn.h"

#define DROP_WAIT_MS 1000

struct proc {
    struct loop_owned owned;
    struct loop *loop;
    struct child child;
    char *name;
    uint64_t timeout_ms;
    void (*done)(void *ctx, const struct proc_result *r);
    void *ctx;
    uv_poll_t ended, output;
    bool watching_output, over;
    unsigned handles; /* not yet let go by libuv, and deferred calls */
    struct timer *limit;
    struct buf out;
    struct proc_result result;
};

static void release(struct proc *p)
{
    if (--p->handles > 0)
        return;
    child_close(&p->child);
    buf_done(&p->out);
    free(p->name);
    free(p);
}

static void on_ended_gone(uv_handle_t *h)
{
    release(container_of((uv_poll_t *)h, struct proc, ended));
}

static void on_output_gone(uv_handle_t *h)
{
    release(container_of((uv_poll_t *)h, struct proc, output));
}

static void stop_output(struct proc *p)
{
    if (p->watching_output)
        uv_close((uv_handle_t *)&p->output, on_output_gone);
    p->watching_output = false;
}

static void stop_watching(struct proc *p)
{
    p->over = true;
    timer_free(p->limit);
    p->limit = NULL;
    stop_output(p);
    uv_close((uv_handle_t *)&p->ended, on_ended_gone);
}

static void report(struct proc *p)
{
    p->result.out = buf_z(&p->out);
    p->result.out_len = p->out.n;
    if (p->done)
        p->done(p->ctx, &p->result);
}

static void timed_out(struct proc_result *r, const char *name, uint64_t ms)
{
    r->timed_out = true;
    err_set(&r->err, -ETIMEDOUT, "%s was killed after its time limit of %llu ms", name,
            (unsigned long long)ms);
}

static void on_ended(uv_poll_t *h, int status, int events)
{
    struct proc *p = container_of(h, struct proc, ended);

    child_reap(p->child.pid, &p->result);
    p->child.pid = -1;
    if (p->child.out_fd >= 0)
        child_read(p->child.out_fd, &p->out);
    p->handles++;
    stop_watching(p);
    report(p);
    release(p);
}

static void on_output(uv_poll_t *h, int status, int events)
{
    struct proc *p = container_of(h, struct proc, output);

    if (status < 0 || !child_read(p->child.out_fd, &p->out))
        stop_output(p);
}

static void on_limit(void *ctx)
{
    struct proc *p = ctx;

    timed_out(&p->result, p->name, p->timeout_ms);
    child_kill(p->child.pid, SIGKILL);
}

/* The loop is being freed: nobody will see the child's end. A task that the kernel does not let go
 * is left to init. */
static void drop(struct loop_owned *o)
{
    struct proc *p = container_of(o, struct proc, owned);
    struct pollfd end = {.fd = p->child.pid_fd, .events = POLLIN};
    struct proc_result ignored;

    if (p->over)
        return;
    p->done = NULL;
    child_kill(p->child.pid, SIGKILL);
    if (poll(&end, 1, DROP_WAIT_MS) > 0)
        child_reap(p->child.pid, &ignored);
    p->child.pid = -1;
    stop_watching(p);
}

static void watch(struct proc *p)
{
    p->owned.drop = drop;
    uv_poll_init(&p->loop->uv, &p->ended, p->child.pid_fd);
    p->ended.data = &p->owned;
    uv_poll_start(&p->ended, UV_READABLE, on_ended);
    p->handles++;
    if (p->child.out_fd >= 0) {
        uv_poll_init(&p->loop->uv, &p->output, p->child.out_fd);
        p->output.data = &p->owned;
        uv_poll_start(&p->output, UV_READABLE, on_output);
        p->watching_output = true;
        p->handles++;
    }
    p->limit = timer_new(p->loop, on_limit, p);
    timer_start(p->limit, p->timeout_ms);
}

static void report_not_started(void *arg)
{
    struct proc *p = arg;

    p->over = true;
    report(p);
    release(p);
}

struct proc *proc_start(struct loop *l, const struct proc_opts *o,
                        void (*done)(void *ctx, const struct proc_result *r), void *ctx)
{
    struct proc *p = xnew(struct proc);

    p->loop = l;
    p->name = xstrdup(o->argv[0]);
    p->timeout_ms = o->timeout_ms ? o->timeout_ms : PROC_TIMEOUT_MS;
    p->done = done;
    p->ctx = ctx;
    buf_init(&p->out, PROC_OUTPUT_MAX);
    p->child = (struct child){.pid = -1, .pid_fd = -1, .out_fd = -1};
    p->result.exit_code = -1;
    if (spawn(o, &p->child, &p->result.err) < 0) {
        p->handles++;
        loop_defer(l, report_not_started, p);
    } else {
        watch(p);
    }
    return p;
}

pid_t proc_pid(const struct proc *p)
{
    return p->child.pid;
}

void proc_cancel(struct proc *p)
{
    if (!p || p->over)
        return;
    p->done = NULL; /* on_ended reaps, and finds no one to tell; so does a failed start */
    if (p->child.pid >= 0)
        child_kill(p->child.pid, SIGKILL);
}

/* ---- blocking ---- */

/* Waits until the child has ended; kills it at the deadline. */
static void wait_for(struct child *c, int64_t deadline_ns, struct buf *out, bool *ret_late)
{
    struct pollfd fds[2] = {{.fd = c->pid_fd, .events = POLLIN},
                            {.fd = c->out_fd, .events = POLLIN}};

    for (;;) {
        int64_t left = deadline_ns - clock_mono_ns();
        if (left <= 0 && !*ret_late) {
            *ret_late = true;
            child_kill(c->pid, SIGKILL);
        }
        poll(fds, 2, *ret_late ? -1 : (int)(left / NS_PER_MS) + 1);
        if (fds[1].revents && !child_read(c->out_fd, out))
            fds[1].fd = -1;
        if (fds[0].revents)
            return;
    }
}

int proc_run(const struct proc_opts *o, char **ret_out, struct err *e)
{
    _cleanup_buf_ struct buf out = BUF_INIT(PROC_OUTPUT_MAX);
    uint64_t ms = o->timeout_ms ? o->timeout_ms : PROC_TIMEOUT_MS;
    struct proc_result r = {.exit_code = -1};
    struct child c;
    bool late = false;

    int rc = spawn(o, &c, e);
    if (rc < 0)
        return rc;
    wait_for(&c, clock_mono_ns() + (int64_t)ms * NS_PER_MS, &out, &late);
    child_reap(c.pid, &r);
    if (c.out_fd >= 0)
        child_read(c.out_fd, &out);
    child_close(&c);
    if (late) {
        timed_out(&r, o->argv[0], ms);
        return err_set(e, r.err.code, "%s", r.err.msg);
    }
    if (r.term_signal)
        return err_set(e, -ECHILD, "%s was ended by signal %d", o->argv[0], r.term_signal);
    if (ret_out)
        *ret_out = buf_steal(&out, NULL);
    return r.exit_code;
}
