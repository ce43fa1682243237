/*
 * What the splits of Ingresses lead to: follows Services, EndpointSlices, Revisions and pods, keeps
 * the data plane's backends in step, and says which Ingresses must be looked at again. One per
 * gateway, on the manager's loop.
 */
#ifndef NONAGON_PLUGIN_INGRESS_GATEWAY_BACKENDS_H
#define NONAGON_PLUGIN_INGRESS_GATEWAY_BACKENDS_H

#include "dataplane/dataplane.h"
#include "kube/controller.h"
#include "plugin/ingress/gateway/source.h"

struct backends;
struct backends_opts {
    struct manager *manager;
    struct dataplane *dataplane;
    /* What a split of this Ingress leads to is another, or can be served no more or again. */
    void (*on_change)(void *ctx, const char *ingress);
    void *ctx;
};
/* Before manager_start: registers with the manager. */
struct backends *backends_new(const struct backends_opts *o);
/* Leaves the data plane as it is. Nothing of the manager may run afterwards but its freeing. */
void backends_free(struct backends *b);

/*
 * The Ingress of this key is about to lead to the Services of its splits: the data plane is told of
 * what it does not know yet. Settle it in the same turn: taken = it leads to these now, and no
 * longer to what it led to before; else all is as it was. What no Ingress leads to is forgotten.
 */
void backends_claim(struct backends *b, const char *ingress, const struct kobj *spec_of);
void backends_settle(struct backends *b, const char *ingress, bool taken);
void backends_let_go(struct backends *b, const char *ingress);

/* What the data plane knows a claimed Service's port by. */
struct backend_key backends_find(const struct backends *b, const char *ns, const char *service,
                                 const yyjson_val *port);
/* All keys of the Ingress in one text, which changes when one of them does. Malloc'ed. */
char *backends_keys(const struct backends *b, const char *ingress);
/*
 * The worst state of what the Ingress leads to (splits that get no request do not count). Unless it
 * is BACKEND_SERVED, ret_why says in a sentence what is missing; malloc'ed.
 */
enum backend_state backends_judge(const struct backends *b, const char *ingress, char **ret_why);
/* The condition's reason for a state. */
const char *backend_reason(enum backend_state s);

#endif
