/* Any bytes: reading must be safe and bounded, and each document must survive being written and
 * read again. */
#include <stdint.h>
#include <stdlib.h>

#include "base/limits.h"
#include "json/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check(void *ctx, yyjson_doc *d, struct err *e)
{
    _cleanup_jdoc_ yyjson_doc *doc = d;
    _cleanup_buf_ struct buf out = BUF_INIT(LIMIT_API_RESPONSE);

    if (yaml_write(doc->root, &out, e) < 0)
        abort();
    /* Indentation makes the text longer than what was read, so the second reading may hit a bound.
     */
    if (out.n > LIMIT_API_BODY / 4 || yyjson_is_null(doc->root))
        return 0;
    _cleanup_jdoc_ yyjson_doc *again = yaml_parse(out.p, out.n, e);
    if (!again || !json_equal(doc->root, again->root))
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};

    if (yaml_parse_stream((const char *)data, size, check, NULL, &e) < 0 && !e.msg[0])
        abort();
    return 0;
}
