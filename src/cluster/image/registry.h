/*
 * A registry seen for one image: the Docker Registry protocol version 2 with token and basic
 * authentication. Blocking, for the thread pool; one session is used by one thread at a time.
 * Failures name image, registry and remedy; transient ones were tried three times.
 *
 * Plain HTTP is spoken to localhost, 127.x, [::1], *.local and the registries listed, separated by
 * commas, in NONAGON_INSECURE_REGISTRIES; HTTPS to all others.
 */
#ifndef NONAGON_CLUSTER_IMAGE_REGISTRY_H
#define NONAGON_CLUSTER_IMAGE_REGISTRY_H

#include <stdatomic.h>

#include "base/buf.h"
#include "cluster/image/image.h"
#include "cluster/image/manifest.h"

struct registry;
struct registry_opts {
    const struct image_ref *ref;    /* copied */
    const struct image_auth *auths; /* borrowed while the session lives */
    size_t n_auths;
    const char *authorization; /* of another session for the same image, or NULL */
    const atomic_bool *cancel; /* or NULL; set from any thread */
    int64_t deadline_ns;       /* monotonic, 0 = none */
};
struct registry *registry_open(const struct registry_opts *o);
void registry_close(struct registry *r);
DEFINE_CLEANUP(struct registry *, registry_close)
const char *registry_authorization(const struct registry *r); /* NULL when none was needed */

/* The digest of the reference's manifest. */
int registry_resolve(struct registry *r, char ret_digest[static DIGEST_MAX], struct err *e);
/* The manifest by tag or digest, verified against the digest if that is what is asked for. */
int registry_manifest(struct registry *r, const char *tag_or_digest, struct buf *ret_body,
                      char ret_digest[static DIGEST_MAX], struct err *e);
/* A small blob into memory, or any into the (empty) file fd; verified. */
int registry_blob(struct registry *r, const struct descriptor *d, struct buf *ret_body,
                  struct err *e);
int registry_blob_to_file(struct registry *r, const struct descriptor *d, int fd, struct err *e);

/* Pure parts. */
bool registry_is_plain_http(const char *registry, const char *insecure_list);

#endif
