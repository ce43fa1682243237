/* The store's state, shared by what opens it and what runs it. */
#ifndef NONAGON_STORE_IMPL_H
#define NONAGON_STORE_IMPL_H

#include <pthread.h>

#include "base/map.h"
#include "cluster/store/damaged.h"
#include "cluster/store/hub.h"
#include "cluster/store/index.h"
#include "cluster/store/obj.h"
#include "cluster/store/writer.h"

struct store_pending {
    const struct store_obj *obj; /* a reference */
    bool deleted;
};

struct store {
    struct loop *loop;
    struct rowlog *log;
    struct writer *writer;
    struct index *index;
    struct hub *hub;
    struct damaged *damaged;
    struct map *pending; /* key -> struct store_pending */
    size_t in_flight, in_flight_bytes;
    uint64_t rev;      /* newest committed */
    uint64_t last_rev; /* newest given out */
    rev_vec dead;      /* rows that nothing needs, in no order */
    int64_t compact_after;
    struct err broken; /* why commits fail, code 0 = they do not: the first cause */
    int64_t broken_since;
    void (*on_damage)(void *ctx, const char *what);
    void *damage_ctx;
    bool posted; /* a call of the loop is on its way: guarded by post_lock */
    bool closed;
    pthread_mutex_t post_lock;
};

/* On the writer's thread: brings the loop to take what is finished. One call is on its way at most.
 */
void store_on_writer_done(void *ctx);
void store_take_finished(struct store *s);
void store_fail_all(struct store *s, write_vec writes, const struct err *why);
void store_free(struct store *s);

#endif
