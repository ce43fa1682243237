/*
 * An HTTP/1.1 parser that forgives nothing, for judging what a proxy wrote. It knows only the form
 * that a careful sender writes; everything else is a fault.
 */
#ifndef NONAGON_TEST_STRICT_H
#define NONAGON_TEST_STRICT_H

#include "base/buf.h"

#define STRICT_FIELDS 256

struct strict {
    bool request;
    char line[3][8192]; /* method, target, version; or version, status, reason */
    struct {
        char name[256], value[8192];
    } f[STRICT_FIELDS];
    size_t n, n_trailers; /* the trailers follow the fields */
    bool chunked;
    struct buf body;
};

/* Reads one whole message off the front of b: 1 and b is shorter, 0 if more is needed. What is
 * wrong fails the test. to_head: an answer to HEAD. */
int strict_read(struct strict *m, struct buf *b, bool request, bool to_head);
size_t strict_count(const struct strict *m, const char *name);
const char *strict_get(const struct strict *m, const char *name); /* "" when absent */
void strict_done(struct strict *m);

#endif
