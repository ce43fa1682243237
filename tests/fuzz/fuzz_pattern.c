/*
 * Input: a pattern, a zero byte, a text. What is accepted must match within the promised number of
 * steps, twice with the same answer; what is refused must say why and take no room.
 */
#include <stdint.h>
#include <stdlib.h>

#include "cluster/apiserver/pattern/pattern.h"

#define ROOM   20000
#define BUDGET 1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void match(const struct pattern *p, struct str text)
{
    uint64_t left = BUDGET, again = BUDGET;
    enum pattern_result r = pattern_search(p, text, &left);

    if (r != PATTERN_TOO_COSTLY && BUDGET - left > (text.n + 1) * pattern_size(p))
        abort();
    if (pattern_search(p, text, &again) != r || again != left)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t n = end ? (size_t)(end - data) : size, room = ROOM;
    _cleanup_free_ char *re = xstrndup((const char *)data, n);
    struct err e = {0};
    struct pattern *p = pattern_compile(re, &room, &e);

    if (!p && (room != ROOM || !e.code || !e.msg[0]))
        abort();
    if (p && end)
        match(p, (struct str){(const char *)end + 1, size - n - 1});
    pattern_free(p);
    return 0;
}
