/* What the files of this room share. */
#ifndef NONAGON_NODE_POD_IMPL_H
#define NONAGON_NODE_POD_IMPL_H

#include "base/map.h"
#include "cluster/node/pod/drain.h"
#include "cluster/node/pod/pod.h"

struct pod_table {
    struct pod_table_opts o; /* strings are own */
    struct kube_client *client;
    struct map *by_uid; /* -> struct pod */
    size_t live;        /* also those that are out of the table and held */
    bool synced, stopping;
    char *network_down; /* why pods cannot be reached; NULL = they can */
    void (*on_synced)(void *ctx);
    void *on_synced_ctx;
};

enum pod_state {
    POD_ACTIVE,   /* being made true */
    POD_DRAINING, /* to be removed; requests in it are finished first */
    POD_STOPPING, /* processes asked to end */
    POD_REMOVING, /* what is left is removed */
    POD_FORGET,   /* the object is being deleted, or the node stops: nothing left here */
};

struct pod {
    struct sandbox box;
    struct pod_table *table;
    enum pod_state state; /* only pod_set_state writes it */
    bool freed;           /* out of the table; goes when nothing holds it */
    bool net_wanted;
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
    int64_t deadline_ns;
    struct pod_drain drain;
    struct timer *stop_timer;
    struct err remove_err; /* of the pool */
};

/* ---- pod_life.c ---- */
struct pod *pod_new(struct pod_table *t, const struct kobj *obj, const struct sandbox_ops *ops);
struct pod *pod_of(struct sandbox *s);
void pod_set_state(struct pod *p, enum pod_state s);
void pod_hold(struct pod *p);
void pod_release(struct pod *p);
void pod_forget(struct pod *p); /* out of the table; freed once nothing holds it */
void pod_free(struct pod *p);
bool pod_alive(const struct pod *p); /* some container has a process */
void pod_stage(const struct pod *p, enum pod_stage what);

/* ---- pod_facts.c ---- */
void pod_facts_of(struct sandbox *s, struct pod_facts *f);
char *pod_resolv_conf(struct sandbox *s);
char *pod_hosts(struct sandbox *s);

/* ---- pod.c ---- */
extern const struct sandbox_ops POD_SANDBOX_OPS;
void pod_step(struct pod *p);

/* ---- pod_stop.c ---- */
void pod_stop(struct pod *p, int64_t grace_ms); /* again with less: shortens */
void pod_stop_step(struct pod *p);              /* a container ended, or work came back */

/* ---- pod_event.c: Warning events ---- */
void pod_warn(struct sandbox *s, const char *reason, const char *text);

/* ---- pod_status.c ---- */
void pod_status(struct pod *p); /* writes if something worth writing changed */
bool pod_ready(struct pod *p);

/* ---- pod_state.c: what survives this process ---- */
void pod_state_save(struct sandbox *s);
/* Restores a new pod from its file, adopting what still runs; false when there is none. */
bool pod_state_restore(struct pod *p);

/* ---- orphans.c: what is on disk and belongs to no pod ---- */
void pod_orphans_remove(struct pod_table *t);

/* ---- live.c: ConfigMaps and Secrets that change under a running pod ---- */
void pod_live_watch(struct pod_table *t);

/* ---- state_file.c ---- */
/* The pod's state file, or NULL; and whether a process that it names is still that process. */
yyjson_doc *state_file_load(const char *data_dir, const char *uid);
bool state_file_runs(const yyjson_val *root, const yyjson_val *container);
const char *state_file_boot(void);
/* Calls fn with each name in DIR/FOLDER. */
void state_file_each(const char *data_dir, const char *folder,
                     void (*fn)(void *ctx, const char *name), void *ctx);

#endif
