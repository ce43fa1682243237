/*
 * Images on this machine: references, the registry client, the content store, and unpacked root
 * file systems.
 *
 * DIR/blobs/sha256/…   verified blobs (config and manifest; layer blobs are removed once unpacked)
 * DIR/layers/SHA/      one unpacked layer each, by diff id, ready as an overlayfs lower directory
 * DIR/images/…         name -> manifest digest
 *
 * Pulls run on the thread pool; parallel layers of one image, and concurrent pulls of one reference
 * join. All results arrive on the loop. Everything is written to a temporary name, fsynced, and
 * renamed.
 */
#ifndef NONAGON_CLUSTER_IMAGE_H
#define NONAGON_CLUSTER_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/loop.h"
#include "json/json.h"

/* ---- references (pure) ---- */
struct image_ref {
    char registry[256];   /* "index.docker.io" when none was given */
    char repository[256]; /* "library/nginx" */
    char tag[129];        /* "latest" by default; "" with a digest only */
    char digest[136];     /* "sha256:…" or "" */
};
int image_ref_parse(const char *text, struct image_ref *ret, struct err *e);
/* "registry/repository@digest" when a digest is known, else "registry/repository:tag". */
void image_ref_format(const struct image_ref *r, char *ret, size_t size);

/* A registry that stands for none (kind.local, ko.local, dev.local): its images come by import and
 * are never pulled. */
bool image_ref_is_local(const struct image_ref *r);

/* ---- credentials ---- */
struct image_auth { /* tried by registry host; strings borrowed during the call */
    const char *registry, *username, *password;
};
/* Reads the entries of a kubernetes.io/dockerconfigjson text; the caller frees with
 * image_auths_free. */
int image_auths_parse(const char *dockerconfigjson, struct image_auth **ret, size_t *ret_n,
                      struct err *e);
void image_auths_free(struct image_auth *a, size_t n);

/* ---- digest resolution, without a store (HEAD of the manifest) ---- */
/* done on the loop: digest "sha256:…" or NULL with the error. timeout_ms 0 = 10 s. */
void image_resolve(struct loop *l, const char *ref, const struct image_auth *auths, size_t n_auths,
                   uint64_t timeout_ms,
                   void (*done)(void *ctx, const char *digest, const struct err *why), void *ctx);

/* ---- the store ---- */
struct image_store;
struct image_store *image_store_open(struct loop *l, const char *dir, struct err *e);
void image_store_close(struct image_store *s); /* cancels running pulls */

struct image {    /* reference-counted, immutable; keeps its layers from garbage collection */
    char *name;   /* as asked for */
    char *digest; /* of the manifest */
    const char *const *layers; /* absolute directories, lowest first */
    size_t n_layers;
    yyjson_doc *config; /* OCI image configuration: config.Env, Cmd, Entrypoint, WorkingDir, User,
                           StopSignal … */
    int64_t bytes;      /* unpacked size */
};
const struct image *image_ref_get(const struct image *i);
void image_unref(const struct image *i);

enum image_policy { IMAGE_IF_NOT_PRESENT, IMAGE_ALWAYS, IMAGE_NEVER };
struct image_pull;
/* done exactly once, not from inside. Error codes: -ENOENT not found, -EACCES unauthorised,
 * -EHOSTUNREACH registry not reached, -EBADMSG digest or content wrong, -ENOSPC, others. */
struct image_pull *
image_pull_start(struct image_store *s, const char *ref, enum image_policy policy,
                 const struct image_auth *auths, size_t n_auths,
                 void (*done)(void *ctx, const struct image *img, const struct err *why),
                 void *ctx);
/* No callback follows; a joined pull goes on for the others. */
void image_pull_cancel(struct image_pull *p);
/* Present images need no wait: NULL when it has to be pulled. Reference returned. */
const struct image *image_store_find(struct image_store *s, const char *ref);

/* Imports an OCI image layout or docker-archive tar (or directory); each image gets its annotated
 * or given name. Blocking: for the command line and the thread pool. */
int image_import(const char *dir, const char *archive_path, const char *name, char **ret_name,
                 struct err *e);

/* ---- unpacking one layer (blocking; also the fuzz target) ---- */
struct layer_limits {
    int64_t max_bytes, max_entries;
};
/*
 * Unpacks a (possibly gzip- or zstd-compressed) tar into dir, which must exist and be empty. No
 * entry can reach outside of dir: symlinks in parents, hard links, "..", absolute names, whiteouts
 * and devices are handled entry by entry with openat2-style resolution beneath dir. Whiteouts
 * become overlayfs whiteouts and opaque markers. Returns the diff id in ret_diff_id ("sha256:" + 64
 * hex, 72 bytes).
 */
int layer_unpack(const char *tar_path, const char *dir, const struct layer_limits *lim,
                 char ret_diff_id[static 72], int64_t *ret_bytes, struct err *e);

#endif
