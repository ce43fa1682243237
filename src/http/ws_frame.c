/*
 * The head of a frame is collected in a small array until its length is known; payloads are
 * unmasked on their way into the buffer of the message or of the control frame, which may come
 * between the fragments of a message.
 */
#include "http/ws_frame.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define CONTROL_MAX 125

void ws_init(struct ws_parser *p, enum ws_side side, size_t max_message, ws_message_fn *fn,
             void *ctx)
{
    *p = (struct ws_parser){.side = side, .fn = fn, .ctx = ctx};
    buf_init(&p->data, max_message);
    buf_init(&p->control, CONTROL_MAX);
}

void ws_done(struct ws_parser *p)
{
    buf_done(&p->data);
    buf_done(&p->control);
}

/* ---- rules ---- */

bool ws_code_valid(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

/* How many bytes the letter at p has, 0 if it is none; overlong forms and surrogates are none. */
static size_t utf8_letter(const unsigned char *p, size_t n)
{
    static const struct {
        unsigned char lo, hi, second_lo, second_hi;
        size_t n;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (p[0] < forms[i].lo || p[0] > forms[i].hi)
            continue;
        if (n < forms[i].n ||
            (forms[i].n > 1 && (p[1] < forms[i].second_lo || p[1] > forms[i].second_hi)))
            return 0;
        for (size_t k = 2; k < forms[i].n; k++) {
            if (p[k] < 0x80 || p[k] > 0xbf)
                return 0;
        }
        return forms[i].n;
    }
    return 0;
}

bool ws_utf8_valid(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;

    for (size_t step; n > 0; p += step, n -= step) {
        step = utf8_letter(p, n);
        if (step == 0)
            return false;
    }
    return true;
}

static int fail(struct ws_parser *p, int code)
{
    p->code = code;
    return -EPROTO;
}

/* ---- the head ---- */

static bool is_control(enum ws_op op)
{
    return op >= WS_CLOSE;
}

static size_t extended_bytes(const struct ws_parser *p)
{
    unsigned n = p->head[1] & 0x7f;

    return n == 126 ? 2 : n == 127 ? 8 : 0;
}

static size_t head_size(const struct ws_parser *p)
{
    return p->head_n < 2 ? 2 : 2 + extended_bytes(p) + (p->head[1] & 0x80 ? 4 : 0);
}

static uint64_t payload_size(const struct ws_parser *p)
{
    size_t more = extended_bytes(p);
    uint64_t n = 0;

    for (size_t i = 0; i < more; i++)
        n = n << 8 | p->head[2 + i];
    return more ? n : p->head[1] & 0x7f;
}

static bool is_shortest(const struct ws_parser *p, uint64_t n)
{
    size_t more = extended_bytes(p);

    return more == 0 || (more == 2 ? n > 125 : n > 0xffff && n >> 63 == 0);
}

static int check_op(struct ws_parser *p, enum ws_op op, bool fin)
{
    switch (op) {
    case WS_CONTINUATION:
        return p->message ? 0 : fail(p, 1002);
    case WS_TEXT:
    case WS_BINARY:
        return p->message ? fail(p, 1002) : 0;
    case WS_CLOSE:
    case WS_PING:
    case WS_PONG:
        return fin ? 0 : fail(p, 1002);
    }
    return fail(p, 1002);
}

static int begin_payload(struct ws_parser *p)
{
    enum ws_op op = (enum ws_op)(p->head[0] & 0x0f);
    bool fin = p->head[0] & 0x80, masked = p->head[1] & 0x80;
    uint64_t n = payload_size(p);

    if (p->head[0] & 0x70 || masked != (p->side == WS_SERVER) || !is_shortest(p, n) ||
        (is_control(op) && n > CONTROL_MAX))
        return fail(p, 1002);
    int r = check_op(p, op, fin);
    if (r < 0)
        return r;
    if (!is_control(op) && n > p->data.max - p->data.n)
        return fail(p, 1009);
    if (op == WS_TEXT || op == WS_BINARY)
        p->message = op;
    p->left = (size_t)n;
    p->at = 0;
    p->in_payload = true;
    return 0;
}

/* ---- the payload ---- */

static int check_close(struct ws_parser *p)
{
    const unsigned char *c = (const unsigned char *)p->control.p;

    if (p->control.n == 0)
        return 0;
    if (p->control.n == 1 || !ws_code_valid(c[0] << 8 | c[1]))
        return fail(p, 1002);
    return ws_utf8_valid(p->control.p + 2, p->control.n - 2) ? 0 : fail(p, 1007);
}

static int hand_on(struct ws_parser *p, enum ws_op op, struct buf *b)
{
    int stop = p->fn(p->ctx, op, buf_z(b), b->n);

    if (is_control(op))
        buf_clear(b);
    else
        buf_done(b);
    return stop != 0;
}

/* 1: stopped. */
static int end_frame(struct ws_parser *p)
{
    enum ws_op op = (enum ws_op)(p->head[0] & 0x0f);
    bool fin = p->head[0] & 0x80;
    int r;

    p->in_payload = false;
    p->head_n = 0;
    if (is_control(op)) {
        r = op == WS_CLOSE ? check_close(p) : 0;
        return r < 0 ? r : hand_on(p, op, &p->control);
    }
    if (!fin)
        return 0;
    op = p->message;
    p->message = WS_CONTINUATION;
    if (op == WS_TEXT && !ws_utf8_valid(buf_z(&p->data), p->data.n))
        return fail(p, 1007);
    return hand_on(p, op, &p->data);
}

void ws_mask(char *p, size_t n, const unsigned char mask[static 4])
{
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(p[i] ^ mask[i & 3]);
}

static void take_payload(struct ws_parser *p, const char *buf, size_t n)
{
    struct buf *to = is_control((enum ws_op)(p->head[0] & 0x0f)) ? &p->control : &p->data;
    const unsigned char *key = p->head + head_size(p) - 4;

    buf_add(to, buf, n); /* has room: see begin_payload */
    for (size_t i = 0; p->side == WS_SERVER && i < n; i++)
        to->p[to->n - n + i] = (char)(buf[i] ^ key[(p->at + i) & 3]);
    p->at += n;
    p->left -= n;
}

/* Bytes used by one step, or negative. */
static ssize_t step(struct ws_parser *p, const char *buf, size_t n)
{
    size_t want = p->in_payload ? p->left : head_size(p) - p->head_n;
    size_t part = n < want ? n : want;

    if (p->in_payload) {
        take_payload(p, buf, part);
        return (ssize_t)part;
    }
    memcpy(p->head + p->head_n, buf, part);
    p->head_n += part;
    if (p->head_n == head_size(p)) {
        int r = begin_payload(p);
        if (r < 0)
            return r;
    }
    return (ssize_t)part;
}

ssize_t ws_feed(struct ws_parser *p, const char *buf, size_t n)
{
    size_t used = 0;

    while (used < n && !p->code) {
        ssize_t r = step(p, buf + used, n - used);
        if (r < 0)
            return r;
        used += (size_t)r;
        if (p->in_payload && p->left == 0) {
            int stop = end_frame(p);
            if (stop != 0)
                return stop < 0 ? stop : (ssize_t)used;
        }
    }
    return p->code ? -EPROTO : (ssize_t)used;
}

size_t ws_head(char ret[static WS_HEAD_MAX], enum ws_op op, size_t n, const unsigned char *mask)
{
    size_t more = n > 0xffff ? 8 : n > 125 ? 2 : 0, at = 2;

    ret[0] = (char)(0x80 | op);
    ret[1] = (char)((mask ? 0x80 : 0) | (more == 8 ? 127 : more == 2 ? 126 : n));
    for (size_t i = 0; i < more; i++)
        ret[at++] = (char)(n >> (8 * (more - 1 - i)));
    if (mask) {
        memcpy(ret + at, mask, 4);
        at += 4;
    }
    return at;
}
