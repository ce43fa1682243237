/* Image references: what is accepted can be written out and read back to the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), full[800];
    struct image_ref r, again;

    memcpy(text, data, size);
    text[size] = '\0';
    if (image_ref_parse(text, &r, NULL) == 0) {
        image_ref_format(&r, full, sizeof(full));
        if (image_ref_parse(full, &again, NULL) < 0 || strcmp(r.registry, again.registry) != 0 ||
            strcmp(r.repository, again.repository) != 0 || strcmp(r.digest, again.digest) != 0)
            abort();
    }
    free(text);
    return 0;
}
