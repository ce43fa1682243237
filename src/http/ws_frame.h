/*
 * WebSocket frames (RFC 6455): bytes in, whole messages out; no I/O. Refused with the close code
 * that the standard gives: wrong masking, reserved bits and opcodes, lengths not in their shortest
 * form, fragmented or long control frames, fragments out of order, text that is not UTF-8 (1007),
 * messages beyond the maximum (1009; refused at the announcement, before memory is taken).
 */
#ifndef NONAGON_HTTP_WS_FRAME_H
#define NONAGON_HTTP_WS_FRAME_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"

enum ws_op {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
};

enum ws_side { WS_SERVER, WS_CLIENT }; /* who reads: a server wants masked frames, a client not */

/* A text or binary message as a whole, or a control frame; p is valid during the call. Nonzero
 * stops ws_feed behind this frame. */
typedef int ws_message_fn(void *ctx, enum ws_op op, const char *p, size_t n);

struct ws_parser {
    enum ws_side side;
    ws_message_fn *fn;
    void *ctx;
    unsigned char head[14];
    size_t head_n;
    size_t left; /* of the payload */
    size_t at;   /* position in the payload, for the mask */
    bool in_payload;
    enum ws_op message; /* of the fragments collected so far; WS_CONTINUATION = none */
    struct buf data, control;
    int code;
};

void ws_init(struct ws_parser *p, enum ws_side side, size_t max_message, ws_message_fn *fn,
             void *ctx);
void ws_done(struct ws_parser *p);
/*
 * Returns the bytes used: all, or fewer when fn stopped it. Negative when the peer broke the rules:
 * p->code is what to close with, and nothing more is taken.
 */
ssize_t ws_feed(struct ws_parser *p, const char *buf, size_t n);

#define WS_HEAD_MAX 14
/* Writes the head of an unfragmented frame; with a mask of four bytes for a client's, else NULL.
 * Returns its length. */
size_t ws_head(char ret[static WS_HEAD_MAX], enum ws_op op, size_t n, const unsigned char *mask);
void ws_mask(char *p, size_t n, const unsigned char mask[static 4]);

/* Whether an endpoint may send this code in a close frame (RFC 6455 §7.4). */
bool ws_code_valid(int code);
bool ws_utf8_valid(const char *p, size_t n);

#endif
