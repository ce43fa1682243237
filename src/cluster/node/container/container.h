/*
 * One container of a pod, from its image to its end:
 *
 *     WAIT -> (PULLING ->) PREPARING -> STARTING -> RUNNING (-> STOPPING) -> BACKOFF or DONE
 *
 * and from BACKOFF to WAIT again. It reports to its sandbox; the pod decides when it may start.
 * Loop thread only.
 */
#ifndef NONAGON_NODE_CONTAINER_H
#define NONAGON_NODE_CONTAINER_H

#include "cluster/node/container/exit_watch.h"
#include "cluster/node/container/probe.h"
#include "cluster/node/container/sandbox.h"

enum container_state {
    CT_WAIT,      /* may be started */
    CT_PULLING,   /* image under way */
    CT_PREPARING, /* worker makes files and mounts */
    CT_STARTING,  /* the runtime runs */
    CT_RUNNING,
    CT_STOPPING, /* asked to end */
    CT_BACKOFF,  /* waits for its time to start again */
    CT_DONE,     /* will not run again */
};

struct container_termination { /* how a run ended */
    bool set;
    int exit_code, signal;
    char reason[32];
    char *message;
    int64_t started_ns, finished_ns; /* wall clock */
    char container_id[RUNTIME_ID_LEN];
};
void container_termination_done(struct container_termination *t);
/* Moves: `from` is empty afterwards. */
void container_termination_move(struct container_termination *to,
                                struct container_termination *from);

struct container {
    struct sandbox *box;
    const yyjson_val *spec;
    const char *name;
    bool init;
    enum container_state state; /* only container_set_state writes it */
    char *wait_reason, *wait_message;
    const struct image *image;
    char *image_id;
    struct image_pull *pull;
    int pull_failures;
    /* the run */
    char id[RUNTIME_ID_LEN];
    int attempt; /* number of the log */
    pid_t pid;
    uint64_t pid_start;
    int pidfd;
    struct exit_watch *watch;
    int64_t started_ns; /* wall clock */
    bool ready, started;
    struct probe *probes[PROBE_KINDS];
    struct timer *timer; /* back-off, or the kill after the grace period */
    struct container_termination now, last;
    int restarts, crashes;
};

/* ---- container_state.c ---- */
void container_init(struct container *c, struct sandbox *box, const yyjson_val *spec, bool init);
void container_set_state(struct container *c, enum container_state s);
void container_wait_for(struct container *c, const char *reason, const char *message);
void container_backoff(struct container *c, int64_t ms);
bool container_alive(const struct container *c); /* has, or is about to have, a process */
void container_kill(struct container *c, int signum);
/* Pure: delay before the start that follows this many crashes. */
int64_t container_backoff_ms(int crashes);
char *container_dir(const struct container *c);
char *container_log(const struct container *c, int attempt);

/* ---- container.c ---- */
void container_done(struct container *c);  /* frees; nothing may run */
void container_start(struct container *c); /* from CT_WAIT */
/* Takes over the process that id, pid and pid_start tell of: -ESRCH when it is not there. */
int container_adopt(struct container *c, struct err *e);
/* The process that they tell of is gone. */
void container_lost(struct container *c);
void container_leave(struct container *c); /* lets go of it, running as it is */

/* ---- container_stop.c ---- */
void container_stop(struct container *c, int64_t grace_ms); /* again with less: shortens */

/* Between the room's own files: */
/* ---- container_image.c ---- */
void container_pull(struct container *c);
/* ---- container_run.c ---- */
void container_run(struct container *c); /* has its image: prepare and start */
/* ---- container_end.c ---- */
int container_watch(struct container *c, struct err *e); /* pidfd is set */
void container_unwatch(struct container *c);
void container_ended(struct container *c, struct container_termination *t); /* takes t */
/* Queues the removal of what the runtime and the kernel keep of a run. */
void container_cleanup(struct container *c);
/* ---- container_probe.c ---- */
void container_probes_start(struct container *c);
void container_probes_stop(struct container *c);

/* The image's StopSignal, else SIGTERM; the image may be NULL. */
int container_stop_signal(const struct image *image);

#endif
