/* Starting a program from a process with many threads. Shared by the files of this folder. */
#ifndef NONAGON_NET_SPAWN_H
#define NONAGON_NET_SPAWN_H

#include "net/proc.h"

#define PROC_OUTPUT_MAX (64 * 1024)
#define PROC_TIMEOUT_MS 60000

struct child {
    pid_t pid;
    int pid_fd; /* readable once the child has ended */
    int out_fd; /* reading end of its output, non-blocking; -1 when out_fd was given */
};

int spawn(const struct proc_opts *o, struct child *ret, struct err *e);
void child_close(struct child *c);

/* Reads what is there into out, dropping what is beyond the maximum; false at the end of the
 * stream. */
struct buf;
bool child_read(int fd, struct buf *out);
/* Takes the status of an ended child (never of another one). */
void child_reap(pid_t pid, struct proc_result *ret);
void child_kill(pid_t pid, int signum); /* the whole group */

#endif
