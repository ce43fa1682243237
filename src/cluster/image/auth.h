/* Choosing credentials, and reading a registry's authentication challenge. Pure. */
#ifndef NONAGON_CLUSTER_IMAGE_AUTH_H
#define NONAGON_CLUSTER_IMAGE_AUTH_H

#include "base/buf.h"
#include "cluster/image/image.h"

/*
 * Does the entry apply to the image? The entry's registry may carry a scheme and a path
 * ("https://index.docker.io/v1/", "gcr.io/project") and "*" for one host label. Returns 0 for no,
 * else higher for a more specific entry.
 */
int auth_match(const char *entry, const struct image_ref *r);

struct auth_challenge {
    bool bearer, basic;
    char realm[1024], service[512], scope[1024]; /* of bearer */
};
/* The value of a WWW-Authenticate field; several fields may be added one after another. */
void auth_challenge_add(struct auth_challenge *c, struct str value);

/* "Basic …" of a pair. */
int auth_basic(const char *username, const char *password, struct buf *out);

#endif
