/* Start-up: what always exists is written first. */
#ifndef NONAGON_CLUSTER_APISERVER_BOOT_H
#define NONAGON_CLUSTER_APISERVER_BOOT_H

#include "cluster/apiserver/write/core.h"

struct boot;
struct boot *boot_start(struct api_core *core, const char *const *crds, struct err *e);
void boot_free(struct boot *b);
/* fn is called once, with what went wrong if anything did. */
void boot_on_ready(struct boot *b, void (*fn)(void *ctx, const struct err *why), void *ctx);
bool boot_is_ready(const struct boot *b);

#endif
