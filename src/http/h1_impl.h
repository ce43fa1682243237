/* What the codec's files share. Not for others. */
#ifndef NONAGON_HTTP_H1_IMPL_H
#define NONAGON_HTTP_H1_IMPL_H

#include <llhttp.h>

#include "http/h1.h"

struct span {
    unsigned at, n;
};

/*
 * Where one head lies. While it grows, `fields` and the spans hold offsets into `mem`; when it is
 * complete they become slices. A bare area ends before head.headers.
 */
struct h1_area {
    struct h1_area *next; /* in a pool */
    char *mem;
    unsigned mem_n, mem_cap;
    struct span method, target, reason;
    struct http_header *fields;
    unsigned n, cap;
    bool bare;
    struct h1_head head;
};

struct h1_parser {
    llhttp_t ll;
    enum h1_kind kind;
    bool in_value;    /* the last field's value has begun */
    bool begun;       /* bytes of a message came, its end did not */
    bool head_seen;   /* the head of the current message was handed on */
    bool in_trailer;  /* a trailer field has begun */
    bool expect_head; /* the next response answers HEAD */
    bool owe_done;    /* a stop at a head without body came before on_done could be called */
    bool stopped_at_done;
    bool failed;
    bool in_method; /* any_method: the method is being collected */
    int code;       /* why a callback failed */
    unsigned extension_n, trailer_n;
    const char *why;
    const struct h1_events *ev;
    void *ctx;
    const struct h1_opts *o;
    struct h1_area *area; /* NULL between messages */
};

struct h1_area *h1_area_take(struct h1_pool *pool, bool bare);
int h1_area_keep(struct h1_area *a, struct span *s, const char *at, size_t n, size_t max);
/* One more field; false beyond max. */
bool h1_area_field(struct h1_area *a, size_t max);
/* Offsets become slices. */
void h1_area_complete(struct h1_area *a);
struct str h1_area_slice(const struct h1_area *a, struct span s);

int h1_refuse(struct h1_parser *p, int code, const char *why);
/* Fills area->head from what was collected and checks it; 0 or what h1_refuse returned. */
int h1_fill_head(struct h1_parser *p);
bool h1_never_has_body(const struct h1_parser *p);

#endif
