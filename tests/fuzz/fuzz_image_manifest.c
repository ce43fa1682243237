/* Manifests, indexes, configurations, pull secrets and challenges from arbitrary bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/image/auth.h"
#include "cluster/image/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_document(const yyjson_val *root)
{
    static struct manifest m;
    const char *ids[LIMIT_IMAGE_LAYERS];
    struct descriptor d;

    if (manifest_is_index(root) && manifest_choose(root, "amd64", &d, NULL) == 0 &&
        !digest_valid_z(d.digest))
        abort();
    if (manifest_read(root, &m, NULL) == 0 &&
        (m.n_layers > LIMIT_IMAGE_LAYERS || !digest_valid_z(m.config.digest)))
        abort();
    manifest_diff_ids(root, yyjson_arr_size(jget(root, "rootfs", "diff_ids")), ids, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct auth_challenge c = {0};
    struct image_auth *auths;
    size_t n;
    char *text = malloc(size + 1);
    yyjson_doc *doc = json_parse((const char *)data, size, NULL);

    memcpy(text, data, size);
    text[size] = '\0';
    if (doc)
        read_document(yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    auth_challenge_add(&c, (struct str){(const char *)data, size});
    if (image_auths_parse(text, &auths, &n, NULL) == 0)
        image_auths_free(auths, n);
    free(text);
    return 0;
}
