/*
 * What the rooms above share of the server: store, registry of kinds, admission, cluster IPs.
 * Counted: a write that is under way holds it, so that the server can go while the store or a hook
 * still owes an answer. Loop-thread only.
 */
#ifndef NONAGON_CLUSTER_APISERVER_WRITE_CORE_H
#define NONAGON_CLUSTER_APISERVER_WRITE_CORE_H

#include "base/list.h"
#include "cluster/apiserver/admission/admission.h"
#include "cluster/apiserver/kinds/kinds.h"
#include "cluster/store/store.h"

/* Something to be told when the server closes, before the store is left alone. */
struct core_closer {
    void (*fn)(struct core_closer *c);
    struct list link;
};

struct cluster_ips;
struct api_core {
    struct loop *loop;
    struct store *store; /* borrowed; not to be called once closing */
    struct kinds *kinds;
    struct admission_chain admission;
    struct cluster_ips *ips;
    struct list closers;
    bool closing;
    size_t refs;
};
/* The hooks are copied. */
struct api_core *api_core_new(struct loop *l, struct store *s, const struct admission *hooks,
                              size_t n_hooks, struct err *e);
struct api_core *api_core_ref(struct api_core *c);
void api_core_unref(struct api_core *c);
/* Nothing new is asked of the store from here on. */
void api_core_close(struct api_core *c);

void core_closer_add(struct api_core *c, struct core_closer *e, void (*fn)(struct core_closer *c));
void core_closer_remove(struct core_closer *e);

/* The server itself as a writer. */
extern const struct user_info api_server_user;

#endif
