/* Input: a selector's text, a line break, an object. Label and field selectors must parse or
 * refuse, and answer. */
#include <stdint.h>
#include <stdlib.h>

#include "kube/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int seen(void *ctx, const char *path)
{
    if (!*path)
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t at = size;

    str_find((struct str){(const char *)data, size}, '\n', &at);
    _cleanup_free_ char *text = xstrndup((const char *)data, at);
    const char *rest = (const char *)data + (at < size ? at + 1 : size);
    _cleanup_jdoc_ yyjson_doc *d =
        json_parse(rest, size - (size_t)(rest - (const char *)data), NULL);
    const yyjson_val *root = yyjson_doc_get_root(d);
    struct err e = {0};
    _cleanup_(selector_freep) struct selector *s = selector_parse(text, &e);
    _cleanup_(field_selector_freep) struct field_selector *f = field_selector_parse(text, &e);
    _cleanup_(selector_freep) struct selector *o = selector_from_object(root, &e);

    if (s) {
        selector_matches(s, jget(root, "metadata", "labels"));
        selector_matches(s, NULL);
    }
    if (o)
        selector_matches(o, root);
    if (f) {
        field_selector_each(f, seen, NULL);
        field_selector_matches(f, root);
    }
    return 0;
}
