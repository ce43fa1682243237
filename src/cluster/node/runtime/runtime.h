/*
 * The OCI runtime and what it stands on: the program itself (kept as a sealed copy), where it keeps
 * its state, the control groups of this data directory, the worker in whose mount namespace it
 * runs, and the reaping of the helpers that it leaves behind. One per node; loop thread, except
 * where another is said.
 */
#ifndef NONAGON_NODE_RUNTIME_H
#define NONAGON_NODE_RUNTIME_H

#include "cluster/node/runtime/cgroup.h"
#include "cluster/node/runtime/worker.h"
#include "net/proc.h"
#include "json/json.h"

#define RUNTIME_ID_LEN 65 /* of a container, with its end */

struct runtime;
/*
 * DIR/crun and DIR/mnt are its own; DIR is absolute, without links. Becomes the reaper of the
 * containers' processes: one runtime in a process.
 */
struct runtime *runtime_new(struct loop *l, const char *dir, struct err *e);
/* Finishes the worker's queue; removes the control group of the node if nothing runs in it. */
void runtime_free(struct runtime *r);
struct runtime_worker *runtime_get_worker(const struct runtime *r);

bool runtime_cgroup_v2(const struct runtime *r);
/* "/PARENT/ID", as the runtime is told. */
void runtime_cgroup_of(const struct runtime *r, const char *id, char *ret, size_t size);
bool runtime_was_oom(const struct runtime *r, const char *id); /* any thread */

/* Runs the container detached; its output goes to out_fd (borrowed until done). */
struct proc *runtime_run(struct runtime *r, const char *id, const char *bundle,
                         const char *pid_file, int out_fd,
                         void (*done)(void *ctx, const struct proc_result *r), void *ctx);
struct proc *runtime_exec(struct runtime *r, const char *id, const yyjson_val *command,
                          uint64_t timeout_ms, void (*done)(void *ctx, const struct proc_result *r),
                          void *ctx);
/* Worker thread: ends what is left of the container and removes its state and control groups. */
void runtime_forget(struct runtime *r, const char *id);
/* Calls fn with the id of every container of which something is left. Not to be changed inside. */
void runtime_each(struct runtime *r, void (*fn)(void *ctx, const char *id), void *ctx);

/* Reaps, soon, children that are nobody's: after each end of a program of the runtime. */
void runtime_reap_soon(struct runtime *r);

uint64_t runtime_process_start(pid_t pid); /* in clock ticks since the boot; 0 = no such process */

#endif
