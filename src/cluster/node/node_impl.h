/*
 * What the node's files share: the node, its pods, their containers. All of it belongs to the
 * node's loop.
 *
 * A pod is driven by pod_step, which looks at what is there and starts what is next; every event
 * ends in a call of it. Work in progress elsewhere (worker, programs, requests) holds the pod by
 * pod_hold / pod_release, so a pod that goes away meanwhile is freed when the last of it has come
 * back.
 */
#ifndef NONAGON_NODE_IMPL_H
#define NONAGON_NODE_IMPL_H

#include "base/map.h"
#include "cluster/node/env.h"
#include "cluster/node/netns.h"
#include "cluster/node/node.h"
#include "cluster/node/probe.h"
#include "cluster/node/status.h"
#include "cluster/node/worker.h"

struct node {
    struct loop *loop;
    struct node_opts o; /* strings below */
    char *runtime;      /* what to execute */
    int runtime_fd;
    char *data_dir, *name, *dns_ip, *domain, *runtime_root, *scratch;
    char bridge_ip[64];
    char cgroup_parent[32]; /* "/nonagon-1a2b3c4d": this data directory's own */
    enum cgroup_mode cgroups;
    int64_t cpu_milli, memory, max_files;
    bool may_protect; /* has CAP_SYS_RESOURCE */
    struct kube_client *client;
    struct worker *worker;
    struct ipam *ipam;
    struct netns_pool *nets;
    struct log_door *logs;
    struct http_client *http;
    struct tls_client *tls; /* probes: does not verify */
    struct map *pods;       /* uid -> struct pod */
    size_t live_pods;       /* also those that are out of the table and held */
    int requests;           /* about the Node object, running */
    struct timer *reaper, *housekeeping;
    pid_t unclaimed; /* a dead child nobody has come for yet, and for how long */
    int unclaimed_for;
    bool synced, stopping;
    int64_t heartbeat_ns;
    int64_t stop_deadline_ns;
    void (*stopped)(void *ctx);
    void *stopped_ctx;
};

enum pod_state {
    POD_ACTIVE,   /* being made true */
    POD_DRAINING, /* to be removed; requests in it are finished first */
    POD_STOPPING, /* processes asked to end */
    POD_REMOVING, /* worker removes what is left */
    POD_FORGET,   /* the object is being deleted, or the node stops: nothing left here */
};

struct pod {
    struct node *node;
    struct kobj *obj;  /* newest */
    struct kobj *spec; /* as first seen: containers point into it */
    char *dir, *log_dir;
    enum pod_state state;
    int holds;
    bool freed; /* out of the table; goes when holds is 0 */
    struct netns *net;
    bool net_wanted, volumes_made;
    char ip[16]; /* stays when the namespace is given back */
    int64_t start_ns;
    struct container *containers; /* init containers first */
    size_t n;
    /* status */
    yyjson_doc *written; /* the newest patch sent */
    char *written_text;
    bool writing, slow;
    struct timer *status_timer;
    /* ending */
    bool restoring;   /* its state is being read: nothing is started or written yet */
    bool settled;     /* was over before this process began: its status stays as it is */
    bool keep_object; /* the node stops: the object stays */
    bool object_gone;
    int64_t deadline_ns, quiet_since_ns;
    struct timer *stop_timer;
};

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

struct container {
    struct pod *pod;
    const yyjson_val *spec;
    const char *name;
    bool init;
    enum container_state state;
    char *wait_reason, *wait_message;
    const struct image *image;
    char *image_id;
    struct image_pull *pull;
    int pull_failures;
    /* the run */
    char id[65];
    int attempt; /* number of the log */
    pid_t pid;
    uint64_t pid_start;
    int pidfd;
    struct exit_watch *watch;
    int64_t started_ns; /* wall clock */
    bool ready, started;
    bool killed_by_probe;
    struct probe *probes[PROBE_KINDS];
    struct timer *timer; /* back-off, or the kill after the grace period */
    struct termination now, last;
    int restarts, crashes;
};

/* ---- pod.c ---- */
struct pod *pod_new(struct node *n, const struct kobj *obj);
void pod_hold(struct pod *p);
void pod_release(struct pod *p);
void pod_step(struct pod *p);
bool pod_finished(const struct pod *p); /* every container is done */
struct pod *pod_of_container(const struct container *c);
void pod_facts_fill(struct pod *p, struct pod_facts *f);
void pod_forget(struct pod *p); /* out of the table; freed once nothing holds it */
const char *pod_restart_policy(const struct pod *p);
char *pod_resolv_conf(const struct pod *p);
char *pod_hosts(const struct pod *p);

/* ---- pod_stop.c ---- */
void pod_stop(struct pod *p, int64_t grace_ms); /* again with less: shortens */
void pod_stop_step(struct pod *p);              /* a container ended, or work came back */

/* ---- pod_event.c ---- */
/* A Warning event about the pod. */
void pod_warn(const struct pod *p, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- pod_status.c ---- */
void pod_status(struct pod *p); /* writes if something worth writing changed */
bool pod_is_ready(struct pod *p);

/* ---- container.c ---- */
void container_init(struct container *c, struct pod *p, const yyjson_val *spec, bool init);
void container_done(struct container *c); /* frees; nothing may run */
void container_set_state(struct container *c, enum container_state s);
void container_wait_for(struct container *c, const char *reason, const char *message);
void container_start(struct container *c); /* from CT_WAIT */
void container_run(struct container *c);   /* has its image: prepare and start */
void container_running(struct container *c, pid_t pid);
int container_adopt(struct container *c, struct err *e); /* id, pid and pid_start are set */
void container_ended(struct container *c, struct termination *t); /* takes t */
void container_backoff(struct container *c, int64_t ms);
void container_stop(struct container *c, int64_t grace_ms);
void container_kill(struct container *c, int signum);
bool container_alive(const struct container *c); /* has, or is about to have, a process */
int64_t
crash_backoff_ms(int crashes); /* pure: delay before the start that follows this many crashes */
char *container_dir(const struct container *c);
char *container_log(const struct container *c, int attempt);
void container_cgroup(const struct container *c, char *ret, size_t size);

/* ---- container_image.c ---- */
void container_pull(struct container *c);

/* ---- container_run.c, container_exit.c, container_probe.c ---- */
void exit_watch_start(struct container *c);
void exit_watch_stop(struct container *c);
int stop_signal(const struct image *image);
void container_probes_start(struct container *c);
void container_probes_stop(struct container *c);

/* ---- runtime.c: command lines of the OCI runtime ---- */
void runtime_load(struct node *n); /* once, before the others */
struct proc *runtime_run(struct node *n, const char *id, const char *bundle, const char *pid_file,
                         int log_fd, void (*done)(void *ctx, const struct proc_result *r),
                         void *ctx);
struct proc *runtime_exec(struct node *n, const char *id, const yyjson_val *command,
                          uint64_t timeout_ms, void (*done)(void *ctx, const struct proc_result *r),
                          void *ctx);
/* Worker: what the runtime keeps of a container that has ended, and its control groups. */
void runtime_forget(struct node *n, const char *id);
/* Queues runtime_forget and the unmounting of a container's root. */
void runtime_cleanup(struct container *c);
void node_reap_soon(struct node *n);
struct timer *node_reaper(struct node *n);

/* ---- state.c: what survives this process ---- */
void state_save(struct pod *p);
/* Restores a new pod from its file, adopting what still runs; false when there is none. */
bool state_restore(struct pod *p);
void state_claim_addresses(struct node *n); /* before the first namespace is made */
void state_remove_orphans(struct node *n);  /* after the first sync */

uint64_t process_start_time(pid_t pid); /* 0 = no such process */

/* ---- live.c: ConfigMaps and Secrets that change under a running pod ---- */
void live_watch(struct node *n);

/* ---- logs.c ---- */
/* What requests for logs hold on to instead of the node. */
struct log_door *logs_open(struct node *n);
void logs_close(struct log_door *d);
void logs_rotate(struct node *n); /* bounds every running container's file */

/* ---- node_object.c ---- */
void node_heartbeat(struct node *n); /* registers the Node object, or refreshes it when due */

#endif
