/*
 * Links: the interfaces across which roles reach one another. A role that has something offers it
 * (a table of functions and their context) and withdraws it before it ends; a role that wants it
 * calls through the link, and is answered as if by nobody while nobody offers. So neither holds a
 * pointer into the other. In one process a call goes straight through; with the same tables a link
 * can as well end in a wire.
 *
 * Any thread. A withdrawal returns once no call is under way any more; functions that are offered
 * therefore return soon, and never offer or withdraw.
 */
#ifndef NONAGON_CMD_ENV_LINK_H
#define NONAGON_CMD_ENV_LINK_H

#include <pthread.h>
#include <stdint.h>

#include "cluster/kubelet/kubelet.h"
#include "kube/client.h"
#include "net/loop.h"
#include "plugin/autoscaler/signal/signal.h"

struct env_link {
    pthread_rwlock_t lock;
    const void *ops;
    void *ctx;
};
void env_link_init(struct env_link *l);
void env_link_done(struct env_link *l);
void env_link_offer(struct env_link *l, const void *ops, void *ctx);
void env_link_withdraw(struct env_link *l);

/* ---- a client of the API, on the given loop ---- */
struct env_client_ops {
    struct kube_client *(*client)(void *ctx, struct loop *l, const char *user);
};
/* NULL while nobody serves the API. The caller frees it before the API's role stops. */
struct kube_client *env_client(struct env_link *l, struct loop *loop, const char *user);

/* ---- a request waits and nothing is ready: told at once ---- */
struct env_arrival_ops {
    void (*arrived)(void *ctx, const char *ns, const char *revision);
};
void env_arrived(struct env_link *l, const char *ns, const char *revision);

/* ---- what goes on at revisions ---- */
struct env_traffic_stat {
    const char *ns, *revision;
    struct signal_sample sample;
};
typedef void env_traffic_fn(void *to, const struct env_traffic_stat *stats, size_t n);
struct env_traffic_ops {
    /* Gathers what happened since the last time; fn runs later, on the loop. */
    void (*collect)(void *ctx, struct loop *l, env_traffic_fn *fn, void *to);
    /* Requests inside one pod now. */
    uint64_t (*in_flight)(void *ctx, const char *ns, const char *revision, const char *ip);
};
void env_collect(struct env_link *l, struct loop *loop, env_traffic_fn *fn, void *to);
uint64_t env_in_flight(struct env_link *l, const char *ns, const char *revision, const char *ip);

/*
 * ---- what a pod's subresources ask of its node (struct kubelet_ops) ----
 *
 * The same operations, through the link: ctx is the struct env_link. While nobody runs pods they
 * answer 503, and 501 for what the node does not offer.
 */
extern const struct kubelet_ops env_kubelet_ops;

#endif
