/* What a transport has to do; for transports and the client only. All on the client's loop. */
#ifndef NONAGON_KUBE_TRANSPORT_H
#define NONAGON_KUBE_TRANSPORT_H

#include "kube/client.h"

struct transport_call {
    struct str method, path;  /* path with query */
    const char *content_type; /* NULL without a body */
    struct str body;
    bool stream; /* no time limit, on_chunk instead of a buffered body */
    /* With stream: asks to go on in this protocol, with these fields besides (NULL = none). */
    const char *upgrade;
    const struct http_headers *fields;
};
struct transport_events {
    /* Streams only: the status, then the bytes as they come (of a refusal too). */
    void (*on_head)(void *ctx, int status);
    void (*on_chunk)(void *ctx, const char *p, size_t n);
    /* Exactly once, last, never inside `call`. */
    void (*on_done)(void *ctx, const struct err *err, int status, struct str body);
    /* The server agreed to the upgrade: c is the caller's, who sets its events before he returns;
     * instead of on_done. */
    void (*on_upgrade)(void *ctx, struct conn *c);
};
struct transport_ops {
    void *(*call)(struct kube_transport *t, const struct transport_call *c,
                  const struct transport_events *ev, void *ctx);
    void (*cancel)(void *running); /* no callback follows */
    void (*free)(struct kube_transport *t);
};
struct kube_transport {
    const struct transport_ops *ops;
    bool local; /* answers do not cross a network */
};

#endif
