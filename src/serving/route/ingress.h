/* The Ingress that a Route asks for. Pure builder; the caller compares and writes. */
#ifndef NONAGON_SERVING_ROUTE_INGRESS_H
#define NONAGON_SERVING_ROUTE_INGRESS_H

#include "serving/route/hosts.h"
#include "serving/route/rollout.h"

/*
 * NULL on error (an httpOption annotation that means nothing). rollout: which revisions the
 * following targets stand for now.
 */
struct kmut *ingress_build(const struct route_hosts *h, const route_host_vec *hosts,
                           const struct rollout *rollout, struct err *e);

/* The Route's class annotation in either spelling, else the configured default. */
const char *ingress_class_of(const struct contract_config *c, const struct kobj *route);

#endif
