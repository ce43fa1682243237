/* Shared by the client's own source files. */
#ifndef NONAGON_KUBE_CLIENT_IMPL_H
#define NONAGON_KUBE_CLIENT_IMPL_H

#include "base/buf.h"
#include "base/list.h"
#include "kube/transport.h"

struct kube_client {
    struct loop *loop;
    struct kube_transport *transport;
    struct list requests, watches;
    bool closing;
};

/* malloc'ed. */
char *kube_path(const struct kube_resource *r, const char *ns, const char *name,
                const char *subresource, const char *query);
/* "&name=value", nothing for NULL and "". */
void kube_query_add(struct buf *b, const char *name, const char *value);
/* The server is in this process. */
bool kube_client_is_local(const struct kube_client *c);
/* err NULL: judges by the HTTP status and the Status object in body (may be NULL). */
void kube_status_of(struct kube_status *st, const char *what, const struct err *err, int status,
                    const yyjson_val *body);
void kube_watches_end(struct kube_client *c, const struct err *why);

#endif
