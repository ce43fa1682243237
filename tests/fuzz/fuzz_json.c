/* Any bytes: parsing must be safe, and what was parsed must survive being written and parsed again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    size_t n;
    _cleanup_jdoc_ yyjson_doc *d = json_parse((const char *)data, size, &e);

    if (!d) {
        if (e.code >= 0 || !e.msg[0])
            abort();
        return 0;
    }
    _cleanup_free_ char *text = json_text(d->root, &n);
    _cleanup_jdoc_ yyjson_doc *again = json_parse(text, n, &e);
    _cleanup_free_ char *same = again ? json_text(again->root, NULL) : NULL;
    if (!streq(text, same))
        abort();
    json_equal(d->root, again->root);
    return 0;
}
