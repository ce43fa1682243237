/* Field by field, with the field named in every refusal. Media types are not trusted: the shape of
 * the document decides. */
#include "cluster/image/manifest.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/buf.h"

const char *manifest_arch(void)
{
    static const struct {
        const char *machine, *arch;
    } names[] = {
        {"x86_64", "amd64"}, {"aarch64", "arm64"},   {"armv7l", "arm"},      {"armv6l", "arm"},
        {"i686", "386"},     {"ppc64le", "ppc64le"}, {"riscv64", "riscv64"}, {"s390x", "s390x"},
    };
    struct utsname u;

    if (uname(&u) == 0)
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            if (streq(u.machine, names[i].machine))
                return names[i].arch;
    return "amd64";
}

bool manifest_is_index(const yyjson_val *doc)
{
    return yyjson_is_arr(jget(doc, "manifests"));
}

int manifest_descriptor(const yyjson_val *v, struct descriptor *ret, struct err *e)
{
    const char *digest = jget_str(v, "digest");
    int64_t size = jget_int(v, -1, "size");

    if (!digest_valid_z(digest))
        return err_set(e, -EBADMSG, "a digest is missing or of an unknown form");
    if (size < 0 || size > LIMIT_IMAGE_BYTES)
        return err_set(e, -EBADMSG, "the size of %s is missing or above %lld bytes", digest,
                       (long long)LIMIT_IMAGE_BYTES);
    memcpy(ret->digest, digest, strlen(digest) + 1);
    ret->size = size;
    return 0;
}

static void list_platform(struct buf *b, const yyjson_val *m)
{
    const char *os = jget_str(m, "platform", "os"), *arch = jget_str(m, "platform", "architecture");

    if (os && arch && !streq(os, "unknown"))
        buf_addf(b, "%s%.32s/%.32s", b->n ? ", " : "", os, arch);
}

static bool fits(const yyjson_val *m, const char *arch)
{
    const char *os = jget_str(m, "platform", "os");

    return os && streq(os, "linux") && streq(jget_str(m, "platform", "architecture"), arch);
}

int manifest_choose(const yyjson_val *index, const char *arch, struct descriptor *ret,
                    struct err *e)
{
    _cleanup_buf_ struct buf seen = BUF_INIT(300);
    yyjson_val *list = jget(index, "manifests"), *m;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, m)
    {
        if (fits(m, arch))
            return manifest_descriptor(m, ret, e);
        list_platform(&seen, m);
    }
    /* A list of one without a platform, as simple tools write it, can only mean that one. */
    if (yyjson_arr_size(list) == 1 && !jget(yyjson_arr_get_first(list), "platform"))
        return manifest_descriptor(yyjson_arr_get_first(list), ret, e);
    return err_set(e, -ENOENT, "there is no variant for linux/%s, only for: %s", arch,
                   seen.n ? buf_z(&seen) : "nothing");
}

int manifest_read(const yyjson_val *doc, struct manifest *ret, struct err *e)
{
    yyjson_val *layers = jget(doc, "layers"), *v;
    size_t i, n;
    int64_t total = 0;
    int rc;

    if (jget_int(doc, 0, "schemaVersion") != 2 || !yyjson_is_arr(layers))
        return err_set(e, -EBADMSG,
                       "the manifest is not an image manifest of schema version 2; old images "
                       "must be pushed again with a current tool");
    if ((rc = manifest_descriptor(jget(doc, "config"), &ret->config, e)) < 0)
        return err_prefix(e, "config of the manifest");
    if (ret->config.size > LIMIT_MANIFEST)
        return err_set(e, -EBADMSG, "the image configuration is larger than %d bytes",
                       LIMIT_MANIFEST);
    if (yyjson_arr_size(layers) > LIMIT_IMAGE_LAYERS)
        return err_set(e, -EBADMSG, "the image has %zu layers; %d are allowed",
                       yyjson_arr_size(layers), LIMIT_IMAGE_LAYERS);
    yyjson_arr_foreach(layers, i, n, v)
    {
        if ((rc = manifest_descriptor(v, &ret->layers[i], e)) < 0)
            return err_prefix(e, "layer %zu of the manifest", i);
        total += ret->layers[i].size;
    }
    if (total > LIMIT_IMAGE_BYTES)
        return err_set(e, -EFBIG, "the image's layers are %lld bytes; %lld are allowed",
                       (long long)total, (long long)LIMIT_IMAGE_BYTES);
    ret->n_layers = yyjson_arr_size(layers);
    return 0;
}

int manifest_diff_ids(const yyjson_val *config, size_t n_layers,
                      const char *ret[static LIMIT_IMAGE_LAYERS], struct err *e)
{
    yyjson_val *ids = jget(config, "rootfs", "diff_ids"), *v;
    size_t i, n;

    if (!config || (ids && !yyjson_is_arr(ids)) || yyjson_arr_size(ids) != n_layers ||
        n_layers > LIMIT_IMAGE_LAYERS)
        return err_set(
            e, -EBADMSG,
            "the image configuration names %zu layers (rootfs.diff_ids), the manifest %zu",
            yyjson_arr_size(ids), n_layers);
    yyjson_arr_foreach(ids, i, n, v)
    {
        const char *id = yyjson_get_str(v);
        if (!digest_valid_z(id) || !z_starts(id, "sha256:"))
            return err_set(e, -EBADMSG,
                           "rootfs.diff_ids[%zu] of the image configuration is no digest", i);
        ret[i] = id;
    }
    return 0;
}
