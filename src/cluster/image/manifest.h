/*
 * Reading manifests, indexes and image configurations, of OCI and of Docker's schema 2. Pure;
 * everything comes from outside and is checked: digests by form, sizes by limits, counts by
 * LIMIT_IMAGE_LAYERS.
 */
#ifndef NONAGON_CLUSTER_IMAGE_MANIFEST_H
#define NONAGON_CLUSTER_IMAGE_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "cluster/image/digest.h"
#include "json/json.h"

/* What a client says it understands. */
#define MANIFEST_ACCEPT                                                                            \
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "        \
    "application/vnd.docker.distribution.manifest.list.v2+json, "                                  \
    "application/vnd.docker.distribution.manifest.v2+json"

struct descriptor {
    char digest[DIGEST_MAX];
    int64_t size;
};

struct manifest {
    struct descriptor config;
    struct descriptor layers[LIMIT_IMAGE_LAYERS];
    size_t n_layers;
};

/* This machine in the words of image platforms: "amd64", "arm64", … */
const char *manifest_arch(void);

/* Does the document list manifests instead of being one? */
bool manifest_is_index(const yyjson_val *doc);
/* The first manifest of an index for linux and arch; -ENOENT names the platforms that there are. */
int manifest_choose(const yyjson_val *index, const char *arch, struct descriptor *ret,
                    struct err *e);
int manifest_read(const yyjson_val *doc, struct manifest *ret, struct err *e);
/* The configuration's diff ids ("sha256:…", borrowed from it), which must be n_layers. */
int manifest_diff_ids(const yyjson_val *config, size_t n_layers,
                      const char *ret[static LIMIT_IMAGE_LAYERS], struct err *e);
int manifest_descriptor(const yyjson_val *v, struct descriptor *ret, struct err *e);

#endif
