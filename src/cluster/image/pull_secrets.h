/*
 * The registry credentials that a workload may use: those of its own pull secrets, then those of
 * its service account's, as the manager's caches of Secrets and ServiceAccounts hold them. A secret
 * that is missing or does not parse is left out: the registry's refusal will say what is wrong.
 * Loop-thread only.
 */
#ifndef NONAGON_CLUSTER_IMAGE_PULL_SECRETS_H
#define NONAGON_CLUSTER_IMAGE_PULL_SECRETS_H

#include "cluster/image/image.h"
#include "kube/controller.h"

/* Makes the two informers, so that they are full when pull_secrets_collect is first called. */
void pull_secrets_watch(struct manager *m);

/*
 * `references` is a list of {name} (may be NULL); an empty or NULL account means "default". The
 * answer is freed with image_auths_free.
 */
void pull_secrets_collect(struct manager *m, const char *ns, const char *service_account,
                          const yyjson_val *references, struct image_auth **ret, size_t *ret_n);

#endif
