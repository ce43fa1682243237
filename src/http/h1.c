/*
 * The codec on llhttp. The bytes of a head are copied once into the parser's memory, as offsets
 * while it grows, and become slices when the head is complete; bodies are handed on where they lie.
 * llhttp frames the message; what it leaves to its user is checked here before anybody sees the
 * head.
 */
#include "http/h1.h"

#include <errno.h>
#include <limits.h>
#include <llhttp.h>
#include <string.h>

#include "base/mem.h"

#define HEAD_START 1024
#define HEAD_KEEP  (8 * 1024)

struct span {
    unsigned at, n;
};

struct h1_parser {
    llhttp_t ll;
    enum h1_kind kind;
    struct h1_events ev;
    void *ctx;
    char *mem; /* the current head's bytes */
    unsigned mem_n, mem_cap;
    struct span target, reason;
    struct span names[LIMIT_HTTP_HEADERS], values[LIMIT_HTTP_HEADERS];
    unsigned n;
    bool in_value;    /* the last field's value has begun */
    bool begun;       /* bytes of a message came, its end did not */
    bool head_seen;   /* the head of the current message was handed on */
    bool expect_head; /* the next response answers HEAD */
    bool owe_done;    /* a stop at a head without body came before on_done could be called */
    bool stopped_at_done;
    bool failed;
    int code; /* why a callback failed */
    const char *why;
    struct h1_head head;
};

static int refuse(struct h1_parser *p, int code, const char *why)
{
    p->code = code;
    p->why = why;
    return HPE_USER;
}

static struct h1_parser *parser_of(llhttp_t *ll)
{
    return container_of(ll, struct h1_parser, ll);
}

static int keep(struct h1_parser *p, struct span *s, const char *at, size_t n)
{
    if (p->mem_n + n > LIMIT_HTTP_HEAD)
        return refuse(p, -E2BIG, "the head is too large");
    if (p->mem_n + n > p->mem_cap) {
        p->mem_cap = p->mem_cap ? p->mem_cap : HEAD_START;
        while (p->mem_cap < p->mem_n + n)
            p->mem_cap *= 2;
        p->mem = xrealloc(p->mem, p->mem_cap);
    }
    if (s->n == 0)
        s->at = p->mem_n;
    memcpy(p->mem + p->mem_n, at, n);
    p->mem_n += (unsigned)n;
    s->n += (unsigned)n;
    return 0;
}

/* ---- llhttp's callbacks ---- */

static int on_begin(llhttp_t *ll)
{
    struct h1_parser *p = parser_of(ll);

    p->mem_n = p->n = 0;
    if (p->mem_cap > HEAD_KEEP) {
        free(p->mem);
        p->mem = NULL;
        p->mem_cap = 0;
    }
    p->target = p->reason = (struct span){0, 0};
    p->in_value = false;
    p->head_seen = false;
    p->begun = true;
    return 0;
}

static int on_target(llhttp_t *ll, const char *at, size_t n)
{
    struct h1_parser *p = parser_of(ll);

    if (p->target.n + n > LIMIT_HTTP_URL)
        return refuse(p, -E2BIG, "the request target is too long");
    return keep(p, &p->target, at, n);
}

static int on_status(llhttp_t *ll, const char *at, size_t n)
{
    struct h1_parser *p = parser_of(ll);

    return keep(p, &p->reason, at, n);
}

static int on_name(llhttp_t *ll, const char *at, size_t n)
{
    struct h1_parser *p = parser_of(ll);

    if (p->head_seen)
        return 0; /* a trailer */
    if (p->n == 0 || p->in_value) {
        if (p->n == LIMIT_HTTP_HEADERS)
            return refuse(p, -E2BIG, "too many header fields");
        p->names[p->n] = p->values[p->n] = (struct span){0, 0};
        p->n++;
        p->in_value = false;
    }
    return keep(p, &p->names[p->n - 1], at, n);
}

static int on_value(llhttp_t *ll, const char *at, size_t n)
{
    struct h1_parser *p = parser_of(ll);

    if (p->head_seen)
        return 0;
    p->in_value = true;
    return keep(p, &p->values[p->n - 1], at, n);
}

static int on_value_complete(llhttp_t *ll)
{
    parser_of(ll)->in_value = true; /* an empty value has no span */
    return 0;
}

static struct str slice(const struct h1_parser *p, struct span s)
{
    return (struct str){p->mem + s.at, s.n};
}

/* A name, an address or nothing, perhaps with a port: nothing that ends up elsewhere when routed
 * on. */
static bool is_host(struct str s)
{
    static const bool bad[128] = {
        ['/'] = 1, ['\\'] = 1, ['?'] = 1, ['#'] = 1, ['@'] = 1, [','] = 1, ['<'] = 1,
        ['>'] = 1, ['"'] = 1,  ['{'] = 1, ['}'] = 1, ['|'] = 1, ['^'] = 1, ['`'] = 1};

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= 0x20 || c >= 0x7f || bad[c])
            return false;
    }
    return true;
}

struct framing {
    int hosts, lengths, codings;
    bool chunked;
};

static int look_at_field(struct h1_parser *p, const struct http_header *h, struct framing *f)
{
    struct h1_head *head = &p->head;

    switch (h->name.n) {
    case 4:
        if (str_ieq(h->name, STR("Host"))) {
            f->hosts++;
            if (p->kind == H1_REQUEST && !is_host(h->value))
                return refuse(p, -EINVAL, "the Host field is not a host");
        }
        break;
    case 6:
        if (str_ieq(h->name, STR("Expect")))
            head->expect_continue = str_ieq(h->value, STR("100-continue"));
        break;
    case 14:
        if (str_ieq(h->name, STR("Content-Length"))) {
            f->lengths++;
            if (str_i64(h->value, &head->content_length) < 0 || head->content_length < 0)
                return refuse(p, -EINVAL, "the Content-Length is not a length");
        }
        break;
    case 17:
        if (str_ieq(h->name, STR("Transfer-Encoding"))) {
            f->codings++;
            f->chunked = str_ieq(h->value, STR("chunked"));
        }
        break;
    }
    return 0;
}

static int check_framing(struct h1_parser *p, const struct framing *f)
{
    bool request = p->kind == H1_REQUEST;

    if (f->codings > 0 && (f->codings > 1 || !f->chunked || p->head.minor == 0))
        return refuse(p, -EINVAL, "a Transfer-Encoding other than chunked");
    if (f->codings > 0 && f->lengths > 0)
        return refuse(p, -EINVAL, "both Content-Length and Transfer-Encoding");
    if (f->lengths > 1)
        return refuse(p, -EINVAL, "more than one Content-Length");
    if (request && (f->hosts > 1 || (f->hosts == 0 && p->head.minor > 0)))
        return refuse(p, -EINVAL, "not exactly one Host field");
    p->head.chunked = f->chunked;
    return 0;
}

static int fill_fields(struct h1_parser *p)
{
    struct framing f = {0};

    p->head.headers.n = p->n;
    for (unsigned i = 0; i < p->n; i++) {
        struct http_header *h = &p->head.headers.h[i];
        h->name = slice(p, p->names[i]);
        h->value = str_trim(slice(p, p->values[i]));
        int r = look_at_field(p, h, &f);
        if (r != 0)
            return r;
    }
    return check_framing(p, &f);
}

static bool has_body(const struct h1_parser *p)
{
    const struct h1_head *h = &p->head;

    if (h->chunked || h->content_length >= 0)
        return h->chunked || h->content_length > 0;
    return p->kind == H1_RESPONSE;
}

static bool never_has_body(const struct h1_parser *p)
{
    int s = p->head.status;

    return p->kind == H1_RESPONSE &&
           (p->expect_head || (s >= 100 && s < 200) || s == 204 || s == 304);
}

static int fill_head(struct h1_parser *p)
{
    struct h1_head *h = &p->head;

    h->minor = p->ll.http_minor;
    h->status = p->kind == H1_RESPONSE ? p->ll.status_code : 0;
    h->method = p->kind == H1_REQUEST ? str_of(llhttp_method_name(p->ll.method)) : STR_NULL;
    h->target = slice(p, p->target);
    h->reason = slice(p, p->reason);
    h->content_length = -1;
    h->expect_continue = false;
    if (p->kind == H1_REQUEST && p->ll.method >= HTTP_DESCRIBE && p->ll.method <= HTTP_FLUSH)
        return refuse(p, -EINVAL, "a method of another protocol");
    if (p->ll.http_major != 1 || h->minor > 1)
        return refuse(p, -EINVAL, "not HTTP/1.0 or HTTP/1.1");
    int r = fill_fields(p);
    if (r != 0)
        return r;
    h->has_body = !never_has_body(p) && has_body(p);
    h->upgrade = p->kind == H1_REQUEST ? p->ll.upgrade : h->status == 101;
    h->keep_alive = llhttp_should_keep_alive(&p->ll);
    return 0;
}

static int on_head(llhttp_t *ll)
{
    struct h1_parser *p = parser_of(ll);
    int r = fill_head(p);

    if (r != 0)
        return r;
    p->head_seen = true;
    bool skip = never_has_body(p);
    if (p->head.status >= 200)
        p->expect_head = false;
    bool stop = p->ev.on_head && p->ev.on_head(p->ctx, &p->head) != 0;
    if (!skip || p->head.status < 200) /* llhttp knows by itself that 1xx have no body */
        return stop ? HPE_PAUSED : 0;
    p->owe_done = stop;
    return 1;
}

static int on_body(llhttp_t *ll, const char *at, size_t n)
{
    struct h1_parser *p = parser_of(ll);

    return p->ev.on_body && p->ev.on_body(p->ctx, at, n) != 0 ? HPE_PAUSED : 0;
}

static int on_done(llhttp_t *ll)
{
    struct h1_parser *p = parser_of(ll);

    p->begun = false;
    if (p->owe_done)
        return HPE_PAUSED;
    p->stopped_at_done = p->ev.on_done && p->ev.on_done(p->ctx) != 0;
    return p->stopped_at_done ? HPE_PAUSED : 0;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_begin,
    .on_url = on_target,
    .on_status = on_status,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_done,
};

/* ---- feeding ---- */

static void start_over(struct h1_parser *p)
{
    llhttp_init(&p->ll, p->kind == H1_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
    p->begun = p->failed = p->owe_done = p->stopped_at_done = p->expect_head = false;
    p->head_seen = true;
}

struct h1_parser *h1_new(enum h1_kind kind, const struct h1_events *ev, void *ctx)
{
    struct h1_parser *p = xnew(struct h1_parser);

    p->kind = kind;
    p->ev = *ev;
    p->ctx = ctx;
    start_over(p);
    return p;
}

void h1_free(struct h1_parser *p)
{
    if (!p)
        return;
    free(p->mem);
    free(p);
}

void h1_reset(struct h1_parser *p)
{
    start_over(p);
}

bool h1_idle(const struct h1_parser *p)
{
    return !p->begun && !p->owe_done;
}

size_t h1_memory(const struct h1_parser *p)
{
    return sizeof(*p) + p->mem_cap;
}

void h1_expect_head(struct h1_parser *p)
{
    p->expect_head = true;
}

static int fail(struct h1_parser *p, llhttp_errno_t code, struct err *e)
{
    const char *what = p->kind == H1_REQUEST ? "request" : "response";

    p->failed = true;
    if (code == HPE_USER)
        return err_set(e, p->code, "bad %s: %s", what, p->why);
    const char *why = llhttp_get_error_reason(&p->ll);
    return err_set(e, -EINVAL, "bad %s: %s", what, why ? why : llhttp_errno_name(code));
}

/* Gives the on_done that a stop held back; true if that one stops too. */
static bool pay_done(struct h1_parser *p)
{
    if (!p->owe_done)
        return false;
    p->owe_done = false;
    return p->ev.on_done && p->ev.on_done(p->ctx) != 0;
}

ssize_t h1_feed(struct h1_parser *p, const char *buf, size_t n, struct err *e)
{
    bool was_at_done = p->stopped_at_done;

    if (p->failed)
        return err_set(e, -EINVAL, "bad data came before");
    if (pay_done(p))
        return 0;
    p->stopped_at_done = false;
    if (llhttp_get_errno(&p->ll) == HPE_PAUSED)
        llhttp_resume(&p->ll);
    else if (llhttp_get_errno(&p->ll) == HPE_PAUSED_UPGRADE)
        llhttp_resume_after_upgrade(&p->ll);
    llhttp_errno_t r = llhttp_execute(&p->ll, buf, n);
    if (r == HPE_PAUSED_UPGRADE && was_at_done) {
        /* The message that asked for it had been left already: the caller goes on with HTTP. */
        llhttp_resume_after_upgrade(&p->ll);
        r = llhttp_execute(&p->ll, buf, n);
    }
    if (r == HPE_OK)
        return (ssize_t)n;
    if (r == HPE_PAUSED || r == HPE_PAUSED_UPGRADE)
        return llhttp_get_error_pos(&p->ll) - buf;
    return fail(p, r, e);
}

int h1_eof(struct h1_parser *p, struct err *e)
{
    pay_done(p);
    if (p->failed || h1_idle(p))
        return 0;
    if (llhttp_get_errno(&p->ll) == HPE_PAUSED)
        llhttp_resume(&p->ll);
    if (p->head_seen && llhttp_message_needs_eof(&p->ll)) {
        llhttp_finish(&p->ll);
        return 0;
    }
    p->failed = true;
    return err_set(e, -EPIPE, "the %s was cut", p->kind == H1_REQUEST ? "request" : "response");
}
