/*
 * What a node offers for the pods that it runs: their logs, commands run in them, the streams of
 * their first process, their ports. The API server calls it for a pod's subresources and neither
 * knows who stands behind it nor how the streams travel inside; a node implements it. Header only.
 *
 * An operation is called on the loop of the exchange (the API server's) once the request is
 * authorized and its options are checked: the pod exists as an object, the container's name is one
 * of the pod's, numbers lie in their ranges. It takes the exchange over and answers it exactly
 * once, at once or later, also when it has to refuse: with a metav1.Status and what was attempted,
 * on what, why it failed. The options and every string in them live for the call only.
 *
 * An operation that is NULL is not offered: the API server refuses it by itself (501).
 */
#ifndef NONAGON_CLUSTER_KUBELET_H
#define NONAGON_CLUSTER_KUBELET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/exchange.h"

/* The container that a request means. The name is never empty. */
struct kubelet_target {
    const char *ns, *pod;
    const char *uid; /* of the pod object: a pod of the same name may have been there before */
    const char *container;
};

/* v1 PodLogOptions. The answer is text/plain, streamed. */
struct kubelet_logs {
    struct kubelet_target target;
    bool follow;
    bool previous;       /* of the run before the present one */
    bool timestamps;     /* each line begins with RFC 3339 with nanoseconds, and a blank */
    int64_t tail_lines;  /* the last so many; -1 = all */
    int64_t limit_bytes; /* of the whole answer; -1 = all */
    int64_t since_ns;    /* wall clock; lines at or after it; INT64_MIN = all */
};

/*
 * Streams over WebSocket. The API server has seen that the request asks for an upgrade to it
 * (version 13, with a key) and has chosen the subprotocol from what the client offers and the
 * operation is served by; the kubelet answers the handshake (http_upgrade, Sec-WebSocket-Accept,
 * Sec-WebSocket-Protocol) and speaks it.
 *
 * "v4.channel.k8s.io", "v5.channel.k8s.io": binary messages, the first byte is the channel: 0
 * stdin, 1 stdout, 2 stderr, 3 a metav1.Status at the end (NonZeroExitCode with the cause
 * ExitCode), 4 resize ({"Width":…,"Height":…}); v5 also 255, followed by the channel that the
 * client closes.
 */
#define KUBELET_CHANNEL_V4 "v4.channel.k8s.io"
#define KUBELET_CHANNEL_V5 "v5.channel.k8s.io"

struct kubelet_streams {
    const char *protocol; /* KUBELET_CHANNEL_… */
    bool in, out, err;    /* at least one; never err together with tty */
    bool tty;
};

/* v1 PodExecOptions: runs a command in a running container. */
struct kubelet_exec {
    struct kubelet_target target;
    struct kubelet_streams streams;
    const char *const *command; /* n_command ≥ 1, none empty at [0]; not NULL-terminated */
    size_t n_command;
};

/* v1 PodAttachOptions: the streams of the container's first process. */
struct kubelet_attach {
    struct kubelet_target target;
    struct kubelet_streams streams;
};

/*
 * v1 PodPortForwardOptions. v4.channel.k8s.io only: port i has the channels 2·i (data) and 2·i+1
 * (errors), and each begins with the port's number, two bytes, little endian.
 */
struct kubelet_port_forward {
    struct kubelet_target target; /* container: the pod's first; the pod's network is meant */
    const char *protocol;
    const uint16_t *ports; /* n_ports ≥ 1, none 0 */
    size_t n_ports;
};
#define KUBELET_FORWARD_PORTS 64 /* of one request, at most */

struct kubelet_ops {
    void (*logs)(void *ctx, struct http_exchange *x, const struct kubelet_logs *o);
    void (*exec)(void *ctx, struct http_exchange *x, const struct kubelet_exec *o);
    void (*attach)(void *ctx, struct http_exchange *x, const struct kubelet_attach *o);
    void (*port_forward)(void *ctx, struct http_exchange *x, const struct kubelet_port_forward *o);
};

/* Two pointers, to be copied. ops NULL: there is no node (yet, or any more). */
struct kubelet {
    const struct kubelet_ops *ops;
    void *ctx;
};

#endif
