/*
 * The thread on which the node does what blocks: files, mounts. It lives in a mount namespace of
 * its own, where root file systems are put together and where the runtime is started: mounts made
 * there vanish with the process, so a crash leaves none behind. Jobs run one after the other, in
 * order.
 */
#ifndef NONAGON_NODE_WORKER_H
#define NONAGON_NODE_WORKER_H

#include "cluster/node/runtime/cgroup.h"
#include "net/loop.h"

struct runtime_worker;
/* `scratch`: a directory that only this worker uses for mounts of its own. */
struct runtime_worker *runtime_worker_new(struct loop *l, enum cgroup_mode mode,
                                          const char *scratch, struct err *e);
/* Finishes what is queued; `done` functions still pending run on the loop. */
void runtime_worker_free(struct runtime_worker *w);
int runtime_worker_mnt_ns(const struct runtime_worker *w); /* descriptor of the namespace */
/* Loop thread: runs work(arg) on the thread, then done(arg) on the loop. */
void runtime_worker_do(struct runtime_worker *w, void (*work)(void *arg), void (*done)(void *arg),
                       void *arg);

#endif
