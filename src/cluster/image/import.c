/*
 * Importing archives: an OCI image layout (index.json) or what `docker save` writes
 * (manifest.json). An archive is unpacked like a layer, so its names are as harmless as a layer's;
 * its files are then opened beneath its directory only. A docker-archive has no manifest of the
 * registry's kind, so one is written: its digest names the image.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "cluster/image/content.h"
#include "cluster/image/tree.h"

struct import {
    struct content *c;
    int root;
    const char *path; /* of the archive, for messages */
    const char *name; /* given, or NULL */
    char *first;      /* name of the first image */
    size_t images;
};

/* ---- files of the archive ---- */

static int open_file(struct import *i, const char *name, struct err *e)
{
    char clean[PATH_MAX];

    if (tree_clean(name, clean, e) < 0)
        return -EBADMSG;
    return tree_open_file(i->root, clean, e);
}

static int read_file(struct import *i, const char *name, struct buf *ret, struct err *e)
{
    _cleanup_close_ int fd = open_file(i, name, e);
    ssize_t n = 1;

    if (fd < 0)
        return fd;
    while (n > 0) {
        if (buf_reserve(ret, 16384) < 0)
            return err_set(e, -EFBIG, "\"%s\" is larger than %zu bytes", tree_show(name).text,
                           ret->max);
        n = read(fd, ret->p + ret->n, 16384);
        if (n < 0)
            return err_sys(e, errno, "cannot read \"%s\"", tree_show(name).text);
        ret->n += (size_t)n;
    }
    ret->p[ret->n] = '\0';
    return 0;
}

static yyjson_doc *read_json(struct import *i, const char *name, struct err *e)
{
    _cleanup_buf_ struct buf b = BUF_INIT(LIMIT_MANIFEST + 16384);
    yyjson_doc *doc = read_file(i, name, &b, e) < 0 ? NULL : json_parse(buf_z(&b), b.n, e);

    if (!doc)
        err_prefix(e, "%s", name);
    return doc;
}

/* The digest and size of a whole file. */
static int hash_file(int fd, const char *like, struct descriptor *ret, struct err *e)
{
    char block[65536];
    struct digest_sum sum;
    ssize_t n;

    digest_start(&sum, like);
    ret->size = 0;
    while ((n = pread(fd, block, sizeof(block), ret->size)) > 0) {
        digest_add(&sum, block, (size_t)n);
        ret->size += n;
    }
    digest_end(&sum, ret->digest);
    digest_done(&sum);
    return n < 0 ? err_sys(e, errno, "cannot read a layer") : 0;
}

static int add_layer(struct import *i, int fd, const char *diff_id, struct err *e)
{
    char path[64];

    if (content_has_layer(i->c, diff_id))
        return 0;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return content_add_layer(i->c, path, diff_id, e);
}

/* ---- names ---- */

static int set_one(struct import *i, struct image_ref r, const char *by, const char *digest,
                   struct err *e)
{
    char full[700];

    snprintf(r.digest, sizeof(r.digest), "%s", by);
    image_ref_format(&r, full, sizeof(full));
    return content_set_name(i->c, full, digest, e);
}

/* top: the digest of the index that the image was listed in, or the image's own. */
static int set_names(struct import *i, const char *name, const char *top, const char *digest,
                     struct err *e)
{
    struct image_ref r;
    int rc;

    if (!name)
        return err_set(e, -EINVAL, "an image in the archive has no name; give it one");
    if ((rc = image_ref_parse(name, &r, e)) < 0)
        return rc;
    if (r.digest[0] && !streq(r.digest, digest) && !streq(r.digest, top))
        return err_set(e, -EBADMSG, "the image is %s, so it cannot be named \"%s\"", digest, name);
    if ((rc = set_one(i, r, digest, digest, e)) < 0 || (rc = set_one(i, r, top, digest, e)) < 0)
        return rc;
    if (!r.digest[0] && (rc = set_one(i, r, "", digest, e)) < 0)
        return rc;
    if (!i->first)
        i->first = xstrdup(name);
    return 0;
}

/* ---- OCI layout ---- */

static int read_blob(struct import *i, const char *digest, struct buf *ret, struct err *e)
{
    _cleanup_free_ char *name = xasprintf("blobs/%.6s/%s", digest, digest_hex(digest));
    char is[DIGEST_MAX];
    int rc = read_file(i, name, ret, e);

    if (rc < 0)
        return rc;
    digest_of(ret->p, ret->n, digest, is);
    return streq(is, digest) ? 0 : err_set(e, -EBADMSG, "%s has other content", name);
}

static int import_oci_layer(struct import *i, const struct descriptor *d, const char *diff_id,
                            struct err *e)
{
    _cleanup_free_ char *name = xasprintf("blobs/%.6s/%s", d->digest, digest_hex(d->digest));
    _cleanup_close_ int fd = open_file(i, name, e);
    struct descriptor is;
    int rc;

    if (fd < 0)
        return fd;
    if ((rc = hash_file(fd, d->digest, &is, e)) < 0)
        return rc;
    if (!streq(is.digest, d->digest) || is.size != d->size)
        return err_set(e, -EBADMSG, "layer %s has other content", d->digest);
    return add_layer(i, fd, diff_id, e);
}

static int import_manifest(struct import *i, const struct buf *text, const char *digest,
                           struct err *e)
{
    _cleanup_jdoc_ yyjson_doc *doc = json_parse(buf_z(text), text->n, e), *config = NULL;
    _cleanup_free_ struct manifest *m = xnew(struct manifest);
    _cleanup_buf_ struct buf b = BUF_INIT(LIMIT_MANIFEST + 16384);
    const char *ids[LIMIT_IMAGE_LAYERS];
    int rc;

    if (!doc)
        return -EBADMSG;
    if ((rc = manifest_read(yyjson_doc_get_root(doc), m, e)) < 0 ||
        (rc = read_blob(i, m->config.digest, &b, e)) < 0)
        return rc;
    config = json_parse(buf_z(&b), b.n, e);
    if (!config)
        return -EBADMSG;
    if ((rc = manifest_diff_ids(yyjson_doc_get_root(config), m->n_layers, ids, e)) < 0)
        return rc;
    for (size_t k = 0; k < m->n_layers; k++)
        if ((rc = import_oci_layer(i, &m->layers[k], ids[k], e)) < 0)
            return rc;
    if ((rc = content_put_blob(i->c, m->config.digest, b.p, b.n, e)) < 0)
        return rc;
    return content_put_blob(i->c, digest, text->p, text->n, e);
}

/* The annotation of the specification is often a bare tag, which names nothing. */
static const char *full_ref_name(const yyjson_val *v)
{
    const char *name = jget_str(v, "annotations", "org.opencontainers.image.ref.name");

    return name && strpbrk(name, "/:") ? name : NULL;
}

/* A descriptor in index.json names a manifest, or an index that has one for this machine. */
static int import_listed(struct import *i, const yyjson_val *v, struct err *e)
{
    _cleanup_buf_ struct buf text = BUF_INIT(LIMIT_MANIFEST + 16384);
    const char *name = jget_str(v, "annotations", "io.containerd.image.name");
    struct descriptor top, own;
    int rc;

    if ((rc = manifest_descriptor(v, &top, e)) < 0 || (rc = read_blob(i, top.digest, &text, e)) < 0)
        return rc;
    _cleanup_jdoc_ yyjson_doc *doc = json_parse(buf_z(&text), text.n, e);
    own = top;
    if (!doc)
        return -EBADMSG;
    if (manifest_is_index(yyjson_doc_get_root(doc))) {
        buf_clear(&text);
        if ((rc = manifest_choose(yyjson_doc_get_root(doc), manifest_arch(), &own, e)) < 0 ||
            (rc = read_blob(i, own.digest, &text, e)) < 0)
            return rc;
    }
    if (!name)
        name = full_ref_name(v);
    if ((rc = import_manifest(i, &text, own.digest, e)) < 0)
        return rc;
    return set_names(i, i->name ? i->name : name, top.digest, own.digest, e);
}

static int import_oci(struct import *i, const yyjson_val *index, struct err *e)
{
    yyjson_val *list = jget(index, "manifests"), *v;
    size_t k, n;

    i->images = yyjson_arr_size(list);
    if (i->name && i->images > 1)
        return err_set(e, -EINVAL, "the archive has %zu images, so one name cannot be given",
                       i->images);
    yyjson_arr_foreach(list, k, n, v)
    {
        int rc = import_listed(i, v, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- docker-archive ---- */

static int import_docker_layer(struct import *i, const char *file, const char *diff_id,
                               struct buf *list, struct err *e)
{
    _cleanup_close_ int fd = file ? open_file(i, file, e) : -1;
    struct descriptor d;
    int rc;

    if (!file)
        return err_set(e, -EBADMSG, "manifest.json: a layer has no file name");
    if (fd < 0)
        return fd;
    if ((rc = hash_file(fd, NULL, &d, e)) < 0 || (rc = add_layer(i, fd, diff_id, e)) < 0)
        return rc;
    return buf_addf(
        list,
        "%s{\"mediaType\":\"application/vnd.docker.image.rootfs.diff.tar.gzip\",\"size\":%lld,"
        "\"digest\":\"%s\"}",
        list->n ? "," : "", (long long)d.size, d.digest);
}

static int put_docker(struct import *i, const struct buf *config, const struct buf *layers,
                      char ret_digest[static DIGEST_MAX], struct err *e)
{
    _cleanup_buf_ struct buf m = BUF_INIT(LIMIT_MANIFEST);
    char config_digest[DIGEST_MAX];
    int rc;

    digest_of(config->p, config->n, NULL, config_digest);
    buf_addf(
        &m,
        "{\"schemaVersion\":2,\"mediaType\":\"application/"
        "vnd.docker.distribution.manifest.v2+json\","
        "\"config\":{\"mediaType\":\"application/vnd.docker.container.image.v1+json\",\"size\":%zu,"
        "\"digest\":\"%s\"},\"layers\":[%s]}",
        config->n, config_digest, buf_z(layers));
    digest_of(m.p, m.n, NULL, ret_digest);
    if ((rc = content_put_blob(i->c, config_digest, config->p, config->n, e)) < 0)
        return rc;
    return content_put_blob(i->c, ret_digest, m.p, m.n, e);
}

static int name_docker(struct import *i, const yyjson_val *tags, const char *digest, struct err *e)
{
    yyjson_val *tag;
    size_t k, n;
    int rc = 0;

    if (i->name || yyjson_arr_size((yyjson_val *)tags) == 0)
        return set_names(i, i->name, digest, digest, e);
    yyjson_arr_foreach((yyjson_val *)tags, k, n, tag)
    {
        if ((rc = set_names(i, yyjson_get_str(tag), digest, digest, e)) < 0)
            break;
    }
    return rc;
}

static int import_docker_image(struct import *i, const yyjson_val *v, struct err *e)
{
    _cleanup_buf_ struct buf config = BUF_INIT(LIMIT_MANIFEST + 16384),
                             layers = BUF_INIT(LIMIT_MANIFEST);
    const char *file = jget_str(v, "Config"), *ids[LIMIT_IMAGE_LAYERS];
    yyjson_val *list = jget(v, "Layers"), *layer;
    char digest[DIGEST_MAX];
    size_t k, n;
    int rc;

    if (!file)
        return err_set(e, -EBADMSG, "manifest.json: an image has no Config");
    if ((rc = read_file(i, file, &config, e)) < 0)
        return rc;
    _cleanup_jdoc_ yyjson_doc *doc = json_parse(buf_z(&config), config.n, e);
    if (!doc)
        return -EBADMSG;
    if ((rc = manifest_diff_ids(yyjson_doc_get_root(doc), yyjson_arr_size(list), ids, e)) < 0)
        return rc;
    yyjson_arr_foreach(list, k, n, layer)
    {
        if ((rc = import_docker_layer(i, yyjson_get_str(layer), ids[k], &layers, e)) < 0)
            return rc;
    }
    if ((rc = put_docker(i, &config, &layers, digest, e)) < 0)
        return rc;
    return name_docker(i, jget(v, "RepoTags"), digest, e);
}

static int import_docker(struct import *i, yyjson_val *images, struct err *e)
{
    yyjson_val *v;
    size_t k, n;

    i->images = yyjson_arr_size(images);
    if (i->name && i->images > 1)
        return err_set(e, -EINVAL, "the archive has %zu images, so one name cannot be given",
                       i->images);
    yyjson_arr_foreach(images, k, n, v)
    {
        int rc = import_docker_image(i, v, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- the whole ---- */

static int import_root(struct import *i, struct err *e)
{
    _cleanup_jdoc_ yyjson_doc *doc = NULL;
    int rc;

    if (faccessat(i->root, "index.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        doc = read_json(i, "index.json", e);
        rc = doc ? import_oci(i, yyjson_doc_get_root(doc), e) : -EBADMSG;
    } else if (faccessat(i->root, "manifest.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        doc = read_json(i, "manifest.json", e);
        rc = doc ? import_docker(i, yyjson_doc_get_root(doc), e) : -EBADMSG;
    } else
        return err_set(e, -EBADMSG,
                       "neither index.json (OCI layout) nor manifest.json (docker save) is in it");
    if (rc == 0 && i->images == 0)
        return err_set(e, -EBADMSG, "there is no image in it");
    return rc;
}

/* Unpacks the archive into temp, unless it is a directory already. */
static int open_root(struct import *i, const char *temp, struct err *e)
{
    static const struct layer_limits lim = {LIMIT_IMAGE_BYTES, LIMIT_LAYER_ENTRIES};
    struct stat st;
    char diff_id[72];
    int64_t bytes;
    int rc;

    if (stat(i->path, &st) < 0)
        return err_sys(e, errno, "cannot open it");
    if (!S_ISDIR(st.st_mode)) {
        if (mkdir(temp, 0700) < 0)
            return err_sys(e, errno, "cannot make directory \"%s\"", temp);
        if ((rc = layer_unpack(i->path, temp, &lim, diff_id, &bytes, e)) < 0)
            return rc;
    }
    i->root = open(S_ISDIR(st.st_mode) ? i->path : temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return i->root < 0 ? err_sys(e, errno, "cannot open its directory") : 0;
}

int image_import(const char *dir, const char *archive_path, const char *name, char **ret_name,
                 struct err *e)
{
    _cleanup_(content_closep) struct content *c = content_open(dir, e);
    struct import i = {.c = c, .root = -1, .path = archive_path, .name = name};

    if (!c)
        return e && e->code ? e->code : -EIO;
    _cleanup_free_ char *temp = content_temp(c);
    int rc = open_root(&i, temp, e);
    if (rc == 0)
        rc = import_root(&i, e);
    closep(&i.root);
    if (rc < 0) {
        free(i.first);
        err_prefix(e, "cannot import image archive \"%s\"", archive_path);
        return rc;
    }
    if (ret_name)
        *ret_name = steal(&i.first);
    free(i.first);
    return 0;
}
