/*
 * Child processes on a loop: bounded output, always a time limit, reaped by id. The child gets its
 * own process group and dies with a SIGKILL to the group on time-out. Descriptors are closed on
 * exec.
 */
#ifndef NONAGON_NET_PROC_H
#define NONAGON_NET_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/loop.h"

struct proc_result {
    int exit_code; /* -1 when ended by a signal or not started */
    int term_signal;
    bool timed_out;
    struct err err;  /* code 0 unless it could not be started or timed out */
    const char *out; /* standard output and standard error together, terminated, cut at 64 KiB */
    size_t out_len;
};

struct proc_opts {
    const char *const *argv; /* NULL-terminated; argv[0] looked up in PATH */
    const char *const *env;  /* NULL = inherit */
    const char *cwd;         /* NULL = inherit */
    const char *input;       /* written to standard input, then closed; NULL = /dev/null */
    uint64_t timeout_ms;     /* 0 = 60 s */
    int out_fd; /* > 0: child's stdout and stderr go there instead of `out` (duplicated, not closed)
                 */
    int mnt_ns_fd; /* > 0: setns(CLONE_NEWNS) before exec */
    int net_ns_fd; /* > 0: setns(CLONE_NEWNET) before exec */
};

struct proc;
/* done is called once on the loop, also when the program cannot be started. The strings are copied.
 */
struct proc *proc_start(struct loop *l, const struct proc_opts *o,
                        void (*done)(void *ctx, const struct proc_result *r), void *ctx);
pid_t proc_pid(const struct proc *p);
/* Kills the group, forgets the callback; does not wait: a task that hangs in the kernel would hold
 * up the loop. */
void proc_cancel(struct proc *p);

/* The same, blocking, for the thread pool and start-up. ret_out (may be NULL) gets output; returns
 * the exit code or negative. */
int proc_run(const struct proc_opts *o, char **ret_out, struct err *e);

#endif
