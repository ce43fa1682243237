/* Standard base64 with padding (RFC 4648), as Secrets and kubeconfigs carry bytes. Pure. */
#ifndef NONAGON_CLUSTER_APISERVER_BASE64_H
#define NONAGON_CLUSTER_APISERVER_BASE64_H

#include <stdbool.h>

#include "base/buf.h"

int base64_add(struct buf *out, const void *p, size_t n);
bool base64_valid(const char *s);

#endif
