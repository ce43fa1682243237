/*
 * The images' directory. All functions block; they may run on several threads and in several
 * processes at once: everything is written under a temporary name, brought to disk, and renamed.
 *
 *   blobs/ALGORITHM/HEX   manifests and configurations
 *   layers/HEX/           unpacked layers by diff id, HEX.bytes their size
 *   images/HEX            {"name", "digest"}: HEX is the SHA-256 of the name
 *   tmp/PID-RANDOM/       one per open content, locked while its owner lives; others are removed at
 * open
 */
#ifndef NONAGON_CLUSTER_IMAGE_CONTENT_H
#define NONAGON_CLUSTER_IMAGE_CONTENT_H

#include <stdatomic.h>

#include "base/buf.h"
#include "cluster/image/digest.h"
#include "cluster/image/image.h"
#include "cluster/image/manifest.h"

struct content;
struct content *content_open(const char *dir, struct err *e);
void content_close(struct content *c); /* removes its temporary files */
DEFINE_CLEANUP(struct content *, content_close)

/* A path that nobody else uses, malloc'ed; nothing is made there. */
char *content_temp(struct content *c);
void content_drop(struct content *c, const char *temp); /* removes it, whatever it is */

/* The content must have the digest. */
int content_put_blob(struct content *c, const char *digest, const void *p, size_t n, struct err *e);
int content_get_blob(struct content *c, const char *digest, struct buf *ret, struct err *e);

bool content_has_layer(struct content *c, const char *diff_id);
/* Unpacks a layer's archive, which must have the diff id. Somebody else may do the same at the same
 * time. */
int content_add_layer(struct content *c, const char *tar_path, const char *diff_id, struct err *e);

int content_set_name(struct content *c, const char *name, const char *digest, struct err *e);
/* -ENOENT without a message when there is no such name. */
int content_get_name(struct content *c, const char *name, char ret_digest[static DIGEST_MAX],
                     struct err *e);
/* Names that cannot be read are passed over. */
int content_each_name(struct content *c,
                      void (*fn)(void *ctx, const char *name, const char *digest), void *ctx,
                      struct err *e);
/* The same for the file of one name, as directory watching reports it. */
int content_read_name(struct content *c, const char *file, char **ret_name,
                      char ret_digest[static DIGEST_MAX], struct err *e);
const char *content_names_dir(const struct content *c);

/* An image whose manifest, configuration and layers are all here. Shared by the names it has. */
struct image_data {
    atomic_int refs;
    char *digest;
    const char **layers;
    size_t n_layers;
    yyjson_doc *config;
    int64_t bytes;
};
int content_load(struct content *c, const char *digest, struct image_data **ret, struct err *e);
struct image_data *image_data_ref(struct image_data *d);
void image_data_unref(struct image_data *d);

#endif
