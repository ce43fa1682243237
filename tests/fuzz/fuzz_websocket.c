/*
 * WebSocket frames: the first byte chooses the side, the rest are bytes from the peer. However they
 * are cut, the same messages and the same close code come out; nothing exceeds the maximum, and
 * text is UTF-8.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/ws_frame.h"

#define MESSAGE_MAX 300
#define STORY_MAX   (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static int tell(void *ctx, enum ws_op op, const char *p, size_t n)
{
    must(n <= (op >= WS_CLOSE ? 125 : MESSAGE_MAX));
    must(op != WS_TEXT || ws_utf8_valid(p, n));
    must(op != WS_CONTINUATION);
    buf_addf(ctx, "%d %zu ", op, n);
    buf_add(ctx, p, n);
    return 0;
}

static int read_all(const uint8_t *data, size_t size, size_t step, struct buf *story)
{
    struct ws_parser p;

    ws_init(&p, size && (data[0] & 1) ? WS_CLIENT : WS_SERVER, MESSAGE_MAX, tell, story);
    for (size_t at = 1; at < size; at += step) {
        size_t n = size - at < step ? size - at : step;
        char *piece = malloc(n); /* exact, so that reads beyond are seen */
        must(piece != NULL);
        memcpy(piece, data + at, n);
        ssize_t r = ws_feed(&p, piece, n);
        free(piece);
        if (r < 0)
            break;
        must((size_t)r == n);
    }
    int code = p.code;
    must(code == 0 || ws_code_valid(code));
    ws_done(&p);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 7};
    struct buf whole = BUF_INIT(STORY_MAX);
    int code = read_all(data, size, SIZE_MAX / 2, &whole);

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct buf parts = BUF_INIT(STORY_MAX);
        must(read_all(data, size, steps[i], &parts) == code);
        must(parts.n == whole.n && (parts.n == 0 || memcmp(parts.p, whole.p, parts.n) == 0));
        buf_done(&parts);
    }
    buf_done(&whole);
    return 0;
}
