/* The Deployment of a Revision: what it should be, whether the live one differs, and what its
 * status says. Pure. */
#ifndef NONAGON_SERVING_REVISION_DEPLOYMENT_H
#define NONAGON_SERVING_REVISION_DEPLOYMENT_H

#include "contract/config.h"
#include "kube/conditions.h"
#include "kube/names.h"

void deployment_name(const char *revision, char ret[static NAME_MAX_LABEL + 1]);

/* With its owner, its hash label and the initial scale as replicas. */
struct kmut *deployment_build(const struct kobj *revision, const yyjson_val *statuses,
                              const struct contract_config *cfg);

/*
 * The live Deployment brought to the wanted one, or NULL when it already is (by hash). Replicas and
 * selector stay as they are, and so do labels and annotations that are nobody's here. Takes `want`.
 */
struct kmut *deployment_update(const struct kobj *live, struct kmut *want);

/* Marks ResourcesAvailable by the Deployment's own conditions. */
void deployment_mark(struct cond *c, const struct kobj *deployment);
bool deployment_timed_out(const struct kobj *deployment);
int64_t deployment_wants(const struct kobj *deployment); /* spec.replicas */
int64_t deployment_ready(const struct kobj *deployment); /* status.readyReplicas */
int64_t deployment_available(const struct kobj *deployment);

#endif
