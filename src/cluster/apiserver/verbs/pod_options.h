/*
 * The query of a pod's subresources that a node serves, checked and put into the kubelet's words.
 * What the query names it keeps: the options are valid as long as it is. Pure.
 */
#ifndef NONAGON_CLUSTER_APISERVER_VERBS_POD_OPTIONS_H
#define NONAGON_CLUSTER_APISERVER_VERBS_POD_OPTIONS_H

#include "cluster/apiserver/request/status.h"
#include "cluster/kubelet/kubelet.h"
#include "kube/object.h"

struct pod_options {
    union {
        struct kubelet_target target; /* the first member of each */
        struct kubelet_logs logs;
        struct kubelet_exec exec;
        struct kubelet_attach attach;
        struct kubelet_port_forward forward;
    };
    /* inside */
    char *container;
    char **command;
    size_t n_command;
    uint16_t ports[KUBELET_FORWARD_PORTS];
};
void pod_options_done(struct pod_options *o);

/* Each fills *ret (done by the caller also on failure) or returns -1 with the status. now: wall. */
int pod_options_logs(struct str query, const struct kobj *pod, int64_t now, struct pod_options *ret,
                     struct api_status *st);
int pod_options_exec(struct str query, const struct kobj *pod, struct pod_options *ret,
                     struct api_status *st);
int pod_options_attach(struct str query, const struct kobj *pod, struct pod_options *ret,
                       struct api_status *st);
int pod_options_forward(struct str query, const struct kobj *pod, struct pod_options *ret,
                        struct api_status *st);

/*
 * The subprotocol to speak, of those that are offered ("a, b") and those served (NULL-terminated,
 * the best first); NULL when there is none.
 */
const char *pod_protocol(struct str offered, const char *const *served);

#endif
