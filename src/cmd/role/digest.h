/* Tags become digests for the core: a registry client with the pull secrets of the Revision and of
 * its service account. */
#ifndef NONAGON_CMD_ROLE_DIGEST_H
#define NONAGON_CMD_ROLE_DIGEST_H

#include "serving/serving.h"

/* Before manager_start: the secrets come from its caches. */
struct digest_resolver role_digest_resolver(struct manager *m);

#endif
