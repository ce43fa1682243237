/*
 * clone(CLONE_VM | CLONE_VFORK): the child borrows our memory until it execs, so starting costs the
 * same however big we are and no lock can be held halfway as after a fork. In return the child's
 * part may only make system calls: everything it needs is prepared before, all signals are blocked
 * meanwhile (a handler would run on shared memory), and what failed is left in the shared
 * structure.
 *
 * Input is a memory file, which needs no one to feed it. The child is watched through a pidfd and
 * reaped by its own id, so no other part's children are touched.
 */
#include "net/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/vec.h"

#define STACK_SIZE    (64 * 1024)
#define CLOEXEC_RANGE 4 /* CLOSE_RANGE_CLOEXEC */
#define DEFAULT_PATH  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* For what runs on borrowed memory: a sanitizer would take its doings for the caller's. */
#define BORROWED __attribute__((no_sanitize("address", "thread", "undefined")))

#ifdef __SANITIZE_THREAD__
/* The sanitizer's own clone takes the child for a fork, and looks away in the parent from then on.
 */
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#define clone __clone
#endif

extern char **environ;

struct plan {
    const struct proc_opts *o;
    char **candidates; /* paths to try, in order */
    char *const *env;
    int in_fd, out_fd;
    sigset_t mask; /* for the child */
    const char *failed_at;
    int failed_errno;
};

BORROWED static int child_fail(struct plan *p, const char *at)
{
    p->failed_errno = errno;
    p->failed_at = at;
    _exit(127);
}

BORROWED static void child_signals(struct plan *p)
{
    /* All zero is the default action in the kernel's own form. The library's sigaction refuses the
     * two signals that it keeps for itself, which a parent started by posix_spawn can have
     * inherited ignored. */
    static const unsigned long dfl[8];

    for (int s = 1; s < NSIG; s++)
        syscall(SYS_rt_sigaction, s, dfl, NULL, (size_t)(NSIG - 1) / 8);
    sigprocmask(SIG_SETMASK, &p->mask, NULL);
}

BORROWED static void child_descriptors(struct plan *p)
{
    if (dup2(p->in_fd, 0) < 0 || dup2(p->out_fd, 1) < 0 || dup2(p->out_fd, 2) < 0)
        child_fail(p, "redirect its input and output");
    syscall(SYS_close_range, 3U, ~0U, CLOEXEC_RANGE);
}

BORROWED static void child_namespaces(struct plan *p)
{
    if (p->o->net_ns_fd > 0 && setns(p->o->net_ns_fd, CLONE_NEWNET) < 0)
        child_fail(p, "enter the network namespace");
    if (p->o->mnt_ns_fd > 0 && setns(p->o->mnt_ns_fd, CLONE_NEWNS) < 0)
        child_fail(p, "enter the mount namespace");
}

BORROWED static int child_main(void *arg)
{
    struct plan *p = arg;
    int why = ENOENT;

    setpgid(0, 0);
    child_namespaces(p);
    child_descriptors(p);
    if (p->o->cwd && chdir(p->o->cwd) < 0)
        child_fail(p, "change to its working directory");
    child_signals(p);
    for (char **c = p->candidates; *c; c++) {
        execve(*c, (char *const *)p->o->argv, p->env);
        if (errno != ENOENT && errno != ENOTDIR)
            why = errno;
    }
    errno = why;
    return child_fail(p, "execute it");
}

/* Every place where argv[0] may be; the child tries them, as it may be in another mount namespace.
 */
static char **candidates(const char *name)
{
    const char *path = getenv("PATH");
    struct str rest = str_of(path && path[0] ? path : DEFAULT_PATH), dir;
    VEC(char *) all = {0};

    if (strchr(name, '/'))
        vec_push(&all, xstrdup(name));
    else
        while (str_split(&rest, ':', &dir))
            vec_push(&all, xasprintf(STR_FMT "/%s", STR_ARG(dir), name));
    vec_push(&all, NULL);
    return all.p;
}

static void free_candidates(char **all)
{
    for (char **c = all; *c; c++)
        free(*c);
    free(all);
}

static int open_input(const char *text, struct err *e)
{
    int fd = text ? memfd_create("input", MFD_CLOEXEC) : open("/dev/null", O_RDONLY | O_CLOEXEC);
    size_t n = text ? strlen(text) : 0;

    if (fd < 0)
        return err_sys(e, errno, "cannot prepare the input");
    if (n > 0 && (write(fd, text, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)) {
        err_sys(e, errno, "cannot prepare the input");
        close(fd);
        return -EIO;
    }
    return fd;
}

static pid_t run_clone(struct plan *p, int *ret_pid_fd)
{
    void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    sigset_t all;

    if (stack == MAP_FAILED)
        return -1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    pid_t pid = clone(child_main, (char *)stack + STACK_SIZE,
                      CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, p, ret_pid_fd);
    int saved = errno;
    sigset_t ours = p->mask;
    pthread_sigmask(SIG_SETMASK, &ours, NULL);
    munmap(stack, STACK_SIZE);
    errno = saved;
    return pid;
}

static int start(struct plan *p, struct child *ret, struct err *e)
{
    const char *name = p->o->argv[0];

    pthread_sigmask(SIG_SETMASK, NULL, &p->mask);
    ret->pid = run_clone(p, &ret->pid_fd);
    if (ret->pid < 0)
        return err_sys(e, errno, "cannot start %s", name);
    if (!p->failed_at)
        return 0;
    while (waitpid(ret->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close(ret->pid_fd);
    return err_sys(e, p->failed_errno, "cannot start %s: it could not %s", name, p->failed_at);
}

int spawn(const struct proc_opts *o, struct child *ret, struct err *e)
{
    struct child c = {.pid = -1, .pid_fd = -1, .out_fd = -1};
    struct plan p = {.o = o, .env = o->env ? (char *const *)o->env : environ};
    _cleanup_close_ int in = open_input(o->input, e), out = -1;
    int pipe_fd[2];

    if (in < 0)
        return in;
    if (o->out_fd <= 0) {
        if (pipe2(pipe_fd, O_CLOEXEC) < 0)
            return err_sys(e, errno, "cannot make a pipe for the output of %s", o->argv[0]);
        c.out_fd = pipe_fd[0];
        out = pipe_fd[1];
        fcntl(c.out_fd, F_SETFL, O_NONBLOCK);
    }
    p.in_fd = in;
    p.out_fd = o->out_fd > 0 ? o->out_fd : out;
    p.candidates = candidates(o->argv[0]);
    int r = start(&p, &c, e);
    free_candidates(p.candidates);
    if (r < 0)
        closep(&c.out_fd);
    else
        *ret = c;
    return r;
}

void child_close(struct child *c)
{
    closep(&c->pid_fd);
    closep(&c->out_fd);
}

bool child_read(int fd, struct buf *out)
{
    char part[8192];
    ssize_t n;

    while ((n = read(fd, part, sizeof(part))) > 0) {
        size_t room = out->max - out->n;
        buf_add(out, part, (size_t)n < room ? (size_t)n : room);
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

void child_reap(pid_t pid, struct proc_result *ret)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    ret->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    ret->term_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void child_kill(pid_t pid, int signum)
{
    if (kill(-pid, signum) < 0)
        kill(pid, signum);
}
