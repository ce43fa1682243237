/* Input: a request body in Kubernetes' protobuf envelope. What decodes must be an object that can
 * be written. */
#include <stdint.h>
#include <stdlib.h>

#include "cluster/apiserver/kinds/protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    _cleanup_jdoc_ yyjson_doc *d = protobuf_decode((const char *)data, size, &e);

    if (!d) {
        if (!e.code || !e.msg[0])
            abort();
        return 0;
    }
    _cleanup_free_ char *text = json_text(yyjson_doc_get_root(d), NULL);

    if (text[0] != '{')
        abort();
    return 0;
}
