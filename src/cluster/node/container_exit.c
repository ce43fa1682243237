/*
 * How a container's end is noticed and told. The process is our child (we are its subreaper), so
 * its exit code can be had; after a restart of this program it is not, and then that is what the
 * status says.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cluster/node/files.h"
#include "cluster/node/node_impl.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define MAX_MESSAGE   4096
#define MAX_LOG_TAIL  2048
#define EXIT_UNKNOWN  137
#define SIGNAL_OFFSET 128

struct exit_watch {
    uv_poll_t poll;
    struct container *c; /* NULL once stopped */
};

/* ---- the message ---- */
/* What the log ends with: at most MAX_LOG_TAIL bytes, from the start of a line. */
static char *log_tail(const struct container *c)
{
    _cleanup_free_ char *path = container_log(c, c->attempt);
    FILE *f = fopen(path, "re");
    if (!f)
        return NULL;
    char *text = xcalloc(1, MAX_LOG_TAIL + 1);
    bool cut = fseek(f, -MAX_LOG_TAIL, SEEK_END) == 0;
    if (!cut)
        rewind(f);
    size_t n = fread(text, 1, MAX_LOG_TAIL, f);
    fclose(f);
    char *line = cut ? memchr(text, '\n', n) : NULL;
    if (line)
        memmove(text, line + 1, strlen(line + 1) + 1);
    return text;
}

static char *message_of(const struct container *c, bool failed)
{
    _cleanup_free_ char *dir = container_dir(c);
    _cleanup_free_ char *path = xasprintf("%s/termination-log", dir);
    char *text = file_read(path, MAX_MESSAGE, NULL);
    const char *policy = jget_str(c->spec, "terminationMessagePolicy");
    if (!failed || (text && *text) || !streq(policy, "FallbackToLogsOnError"))
        return text;
    free(text);
    return log_tail(c);
}

/* ---- the end ---- */
static const char *reason_of(const struct container *c, int code)
{
    char group[128];
    container_cgroup(c, group, sizeof group);
    if (code && cgroup_oom_kills(c->pod->node->cgroups, group) > 0)
        return "OOMKilled";
    return code ? "Error" : "Completed";
}

static void describe(const struct container *c, const siginfo_t *si, bool known,
                     struct termination *t)
{
    t->set = true;
    t->started_ns = c->started_ns;
    t->finished_ns = clock_wall_ns();
    snprintf(t->container_id, sizeof t->container_id, "%s", c->id);
    if (!known) {
        t->exit_code = EXIT_UNKNOWN;
        snprintf(t->reason, sizeof t->reason, "ContainerStatusUnknown");
        t->message = xstrdup("the exit code is not known: the container ended while it was not "
                             "a child of this process, which was restarted after it began");
        return;
    }
    bool by_signal = si->si_code != CLD_EXITED;
    t->signal = by_signal ? si->si_status : 0;
    t->exit_code = by_signal ? SIGNAL_OFFSET + si->si_status : si->si_status;
    snprintf(t->reason, sizeof t->reason, "%s", reason_of(c, t->exit_code));
    t->message = message_of(c, t->exit_code != 0);
}

static void on_exit_event(uv_poll_t *h, int status, int events)
{
    struct exit_watch *w = container_of(h, struct exit_watch, poll);
    struct container *c = w->c;
    siginfo_t si = {0};
    if (!c)
        return;
    bool known = waitid(P_PIDFD, (id_t)c->pidfd, &si, WEXITED | WNOHANG) == 0;
    if (known && si.si_pid == 0)
        return; /* still there */
    struct termination t = {0};
    describe(c, &si, known, &t);
    container_ended(c, &t);
}

static void watch_closed(uv_handle_t *h)
{
    free(container_of((uv_poll_t *)h, struct exit_watch, poll));
}

void exit_watch_start(struct container *c)
{
    struct exit_watch *w = xnew(struct exit_watch);
    w->c = c;
    c->watch = w;
    uv_poll_init(loop_uv(c->pod->node->loop), &w->poll, c->pidfd);
    uv_poll_start(&w->poll, UV_READABLE, on_exit_event);
}

void exit_watch_stop(struct container *c)
{
    if (c->watch) {
        c->watch->c = NULL;
        uv_poll_stop(&c->watch->poll);
        uv_close((uv_handle_t *)&c->watch->poll, watch_closed);
        c->watch = NULL;
    }
    closep(&c->pidfd);
    c->pidfd = -1;
}

/* ---- the image's StopSignal ---- */
int stop_signal(const struct image *image)
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
