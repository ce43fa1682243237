/*
 * Admission of the project's own kinds: defaulting, then validation. Pure; the caller wires them
 * into its API server or webhook and gives them the configuration of the moment.
 */
#ifndef NONAGON_CONTRACT_ADMIT_H
#define NONAGON_CONTRACT_ADMIT_H

#include "contract/config.h"

/* The kinds that have rules, NULL-terminated; for registering admission. */
extern const struct kube_resource *const contract_admitted[];

#define CONTRACT_MUTATE_NAME   "webhook.serving.knative.dev"
#define CONTRACT_VALIDATE_NAME "validation.webhook.serving.knative.dev"

/*
 * Fills in what the user left open. `old` is NULL on create; `user` (may be NULL) becomes creator
 * and last modifier. Not to be called for the status subresource. Kinds without rules are left
 * alone.
 */
int contract_default(const struct kube_resource *r, struct kmut *obj, const struct kobj *old,
                     const char *user, const struct contract_config *cfg, struct err *e);

/*
 * The same in memory for a reconciler that reads an object which may have been stored before a
 * default existed: as an update by nobody.
 */
struct kobj *contract_defaulted(const struct kube_resource *r, const struct kobj *obj,
                                const struct contract_config *cfg);

/*
 * Judges a defaulted object. A refusal's text is "validation failed: " and the rendered field
 * errors (shortened to what struct err holds). Warnings, if `warn` is given, come one call each,
 * also when the object is accepted. `subresource` is "" or "status".
 */
typedef void contract_warn_fn(void *to, const char *text);
int contract_validate(const struct kube_resource *r, const struct kobj *obj, const struct kobj *old,
                      const char *subresource, const struct contract_config *cfg,
                      contract_warn_fn *warn, void *to, struct err *e);

/* The text of a ConfigMap of ours, judged before it is stored. Maps of other names pass. */
int contract_validate_config(const struct kobj *map, const char *cluster_domain, struct err *e);

#endif
