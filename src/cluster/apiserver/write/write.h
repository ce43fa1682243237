/*
 * One change of one object on its way through defaulting, admission, validation and the store. Its
 * owner embeds it, fills the first part and starts it; however it ends, done is called exactly
 * once, perhaps before the start returns. Loop-thread only.
 */
#ifndef NONAGON_CLUSTER_APISERVER_WRITE_WRITE_H
#define NONAGON_CLUSTER_APISERVER_WRITE_WRITE_H

#include "cluster/apiserver/request/query.h"
#include "cluster/apiserver/write/core.h"

struct write;
/*
 * fail is NULL on success; its content may be taken (api_status_move). object: the bytes as stored
 * (or as they would be: dry run), valid for the call; deleted if the write removed the object. The
 * write may be freed inside, after write_clear.
 */
typedef void write_done_fn(void *ctx, struct api_status *fail, struct str object, bool deleted);
/* Makes the wanted object from w->old, the newest: a patch. NULL with the status. */
typedef struct kmut *write_change_fn(void *ctx, const struct write *w, struct api_status *st);

/* Where a write stands; only write.c's setter changes it. */
enum write_stage {
    WRITE_IDLE,
    WRITE_LOAD,   /* what is there; whether anything may be written at all */
    WRITE_CHANGE, /* what is wanted, with the metadata that the server keeps */
    WRITE_SHAPE,  /* pruned and defaulted */
    WRITE_MUTATE, /* hooks that change it */
    WRITE_CHECK,  /* shaped again, and valid */
    WRITE_ADMIT,  /* hooks that refuse it */
    WRITE_COMMIT, /* claims, and the store's acceptance */
    WRITE_ENDED,  /* done was called, or the store calls it */
};

struct write {
    struct api_core *core;
    const struct api_kind *kind; /* borrowed */
    const char *ns, *name;       /* "" = none: cluster-scoped; created under the name inside */
    const char *sub;             /* "", "status", "finalize", "scale" */
    const struct user_info *user;
    enum validation_mode validation;
    bool dry_run;
    bool must_match;    /* the object's resourceVersion is a precondition if it is set */
    struct kmut *input; /* what is wanted; taken over. NULL: change makes it */
    write_change_fn *change;
    void *change_ctx;
    admission_warn_fn *warn; /* may be NULL */
    void *warn_to;
    write_done_fn *done;
    void *ctx;
    /* inside */
    bool creates, generated; /* a new object; the server makes its name */
    enum write_stage stage;
    unsigned tries;
    bool waited; /* something may have come between: the store's word counts */
    struct kmut *obj;
    const struct kobj *old; /* NULL on create */
    uint64_t old_rev;
    char *key, *text;
    size_t text_n;
    bool held;
    struct admission_request rq;
};

void write_create(struct write *w);
void write_update(struct write *w);
void write_clear(struct write *w); /* frees what it owns; not while it is under way */

/* ---- without admission and validation: deletions, and what the server does by itself ---- */
/* Before any of the below. */
void write_begin(struct write *w);
/* Fills old, old_rev and key with the newest version; -1 NotFound. */
int write_load(struct write *w, struct api_status *st);
/*
 * Ends the write: stores w->obj over w->old as it is; removes w->old, whose last state is w->obj if
 * set, else as it was; answers with the object as it was; fails. done is called (perhaps by the
 * store, later): the write is not to be touched afterwards.
 */
void write_store(struct write *w);
void write_remove(struct write *w);
void write_keep(struct write *w);
void write_fail(struct write *w, struct api_status *st);

#endif
