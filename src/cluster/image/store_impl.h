/* Shared by store.c and pull.c. Everything here is used on the store's loop only, except content.
 */
#ifndef NONAGON_CLUSTER_IMAGE_STORE_IMPL_H
#define NONAGON_CLUSTER_IMAGE_STORE_IMPL_H

#include "base/list.h"
#include "base/map.h"
#include "cluster/image/content.h"

struct image_store {
    struct loop *loop;
    struct content *content;
    struct map *names;   /* full reference -> image_data, which it holds */
    struct map *pulls;   /* key -> pull: those that may be joined */
    struct map *layers;  /* diff id -> layer_job */
    struct list queue;   /* of job: waiting for a thread */
    struct list telling; /* of image_pull: answered, and about to be told */
    int running;
    bool closing;
    struct names_watch *watch;
};

/* A piece of work for the thread pool, of which LIMIT_IMAGE_JOBS run at a time. Embedded in what it
 * works on. */
struct job {
    struct list node;
    struct image_store *s;
    void (*work)(struct job *j);
    /* On the loop; may free the job. Always called, also after closing. */
    void (*done)(struct job *j);
};
void job_submit(struct image_store *s, struct job *j);

/* The image under a full reference, or NULL. Takes in what another process has imported. */
struct image_data *store_lookup(struct image_store *s, const char *full);
void image_store_put(struct image_store *s, const char *full, struct image_data *d);
struct image *store_image_new(const char *name, struct image_data *d);

/* All pulls end without calling back. */
void pulls_cancel_all(struct image_store *s);

#endif
