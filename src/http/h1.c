/*
 * The codec on llhttp. The bytes of a head are copied once into the parser's memory, as offsets
 * while it grows, and become slices when the head is complete; bodies are handed on where they lie.
 * llhttp frames the message; what it leaves to its user is checked here before anybody sees the
 * head.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "http/h1_impl.h"

#define METHOD_MAX    64
#define TRAILER_COUNT 128

static const struct h1_opts strict = {
    .head_max = LIMIT_HTTP_HEAD, .target_max = LIMIT_HTTP_URL, .fields_max = LIMIT_HTTP_HEADERS};

int h1_refuse(struct h1_parser *p, int code, const char *why)
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
    if (h1_area_keep(p->area, s, at, n, p->head_seen ? LIMIT_HTTP_TRAILERS : p->o->head_max) < 0)
        return h1_refuse(p, -E2BIG,
                         p->head_seen ? "the trailers are too large" : "the head is too large");
    return 0;
}

/* Fields hold offsets while they grow. */
static int keep_field(struct h1_parser *p, struct str *part, const char *at, size_t n)
{
    struct span s = {(unsigned)(uintptr_t)part->p, (unsigned)part->n};
    int r = keep(p, &s, at, n);

    *part = (struct str){(const char *)(uintptr_t)s.at, s.n};
    return r;
}

/* ---- llhttp's callbacks ---- */

static void new_area(struct h1_parser *p)
{
    h1_area_give(p->o->pool, p->area);
    p->area = h1_area_take(p->o->pool, p->o->bare);
    p->in_value = false;
}

static bool collects_method(const struct h1_parser *p)
{
    return p->o->any_method && p->kind == H1_REQUEST;
}

static int on_begin(llhttp_t *ll)
{
    struct h1_parser *p = parser_of(ll);

    if (!collects_method(p)) /* else it has been taken for the method */
        new_area(p);
    p->head_seen = p->in_trailer = false;
    p->extension_n = p->trailer_n = 0;
    p->begun = true;
    return 0;
}

static int on_target(llhttp_t *ll, const char *at, size_t n)
{
    struct h1_parser *p = parser_of(ll);

    if (p->area->target.n + n > p->o->target_max)
        return h1_refuse(p, -E2BIG, "the request target is too long");
    return keep(p, &p->area->target, at, n);
}

static int on_status(llhttp_t *ll, const char *at, size_t n)
{
    struct h1_parser *p = parser_of(ll);

    return keep(p, &p->area->reason, at, n);
}

/* A trailer's part that nobody wants only counts. */
static bool is_dropped(struct h1_parser *p, size_t n, int *ret)
{
    if (!p->head_seen || p->o->trailers)
        return false;
    p->trailer_n += (unsigned)n;
    *ret =
        p->trailer_n > LIMIT_HTTP_TRAILERS ? h1_refuse(p, -E2BIG, "the trailers are too large") : 0;
    return true;
}

static int on_name(llhttp_t *ll, const char *at, size_t n)
{
    struct h1_parser *p = parser_of(ll);
    int r;

    if (is_dropped(p, n, &r))
        return r;
    if (p->head_seen && !p->in_trailer)
        new_area(p);
    p->in_trailer = p->head_seen;
    if (p->area->n == 0 || p->in_value) {
        if (!h1_area_field(p->area, p->head_seen ? TRAILER_COUNT : p->o->fields_max))
            return h1_refuse(p, -E2BIG, "too many header fields");
        p->in_value = false;
    }
    return keep_field(p, &p->area->fields[p->area->n - 1].name, at, n);
}

static int on_value(llhttp_t *ll, const char *at, size_t n)
{
    struct h1_parser *p = parser_of(ll);
    int r;

    if (is_dropped(p, n, &r))
        return r;
    p->in_value = true;
    return keep_field(p, &p->area->fields[p->area->n - 1].value, at, n);
}

static int on_value_complete(llhttp_t *ll)
{
    parser_of(ll)->in_value = true; /* an empty value has no span */
    return 0;
}

static int on_extension(llhttp_t *ll, const char *at, size_t n)
{
    struct h1_parser *p = parser_of(ll);

    p->extension_n += (unsigned)n;
    return p->extension_n > LIMIT_HTTP_CHUNKEXT
               ? h1_refuse(p, -E2BIG, "the chunk extensions are too large")
               : 0;
}

static int on_head(llhttp_t *ll)
{
    struct h1_parser *p = parser_of(ll);
    int r = h1_fill_head(p), status = ll->status_code;

    if (r != 0)
        return r;
    p->head_seen = true;
    bool skip = h1_never_has_body(p);
    if (status >= 200)
        p->expect_head = false;
    bool stop = p->ev->on_head && p->ev->on_head(p->ctx, &p->area->head) != 0;
    if (!skip || status < 200) /* llhttp knows by itself that 1xx have no body */
        return stop ? HPE_PAUSED : 0;
    p->owe_done = stop;
    return 1;
}

static int on_body(llhttp_t *ll, const char *at, size_t n)
{
    struct h1_parser *p = parser_of(ll);

    return p->ev->on_body && p->ev->on_body(p->ctx, at, n) != 0 ? HPE_PAUSED : 0;
}

/* Calls the owner's; true if it stops. */
static bool tell_done(struct h1_parser *p)
{
    if (p->in_trailer)
        h1_area_complete(p->area);
    bool stop = p->ev->on_done && p->ev->on_done(p->ctx) != 0;
    p->in_trailer = false;
    if (p->o->pool) { /* kept where there is none: the owner may still look at the head */
        h1_area_give(p->o->pool, p->area);
        p->area = NULL;
    }
    return stop;
}

static int on_done(llhttp_t *ll)
{
    struct h1_parser *p = parser_of(ll);

    p->begun = false;
    if (p->owe_done)
        return HPE_PAUSED;
    p->stopped_at_done = tell_done(p) || collects_method(p);
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
    .on_chunk_extension_name = on_extension,
    .on_chunk_extension_value = on_extension,
    .on_message_complete = on_done,
};

/* ---- feeding ---- */

static void start_over(struct h1_parser *p)
{
    llhttp_init(&p->ll, p->kind == H1_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
    if (p->o->loose_chunks)
        llhttp_set_lenient_spaces_after_chunk_size(&p->ll, 1);
    if (p->o->loose_lines)
        llhttp_set_lenient_optional_cr_before_lf(&p->ll, 1);
    p->begun = p->failed = p->owe_done = p->stopped_at_done = p->expect_head = false;
    p->in_method = p->in_trailer = false;
    p->why = NULL;
    p->head_seen = true;
    p->extension_n = p->trailer_n = 0;
    h1_area_give(p->o->pool, p->area);
    p->area = NULL;
}

struct h1_parser *h1_new_with(enum h1_kind kind, const struct h1_opts *o,
                              const struct h1_events *ev, void *ctx)
{
    struct h1_parser *p = xnew(struct h1_parser);

    p->kind = kind;
    p->o = o;
    p->ev = ev;
    p->ctx = ctx;
    start_over(p);
    return p;
}

struct h1_parser *h1_new(enum h1_kind kind, const struct h1_events *ev, void *ctx)
{
    return h1_new_with(kind, &strict, ev, ctx);
}

void h1_free(struct h1_parser *p)
{
    if (!p)
        return;
    h1_area_give(p->o->pool, p->area);
    free(p);
}

void h1_reset(struct h1_parser *p)
{
    start_over(p);
}

struct h1_area *h1_take_area(struct h1_parser *p)
{
    struct h1_area *a = p->area;

    p->area = NULL;
    return a;
}

const struct http_header *h1_trailers(const struct h1_parser *p, size_t *ret_n)
{
    bool any = p->in_trailer && p->o->trailers;

    *ret_n = any ? p->area->n : 0;
    return any ? p->area->fields : NULL;
}

bool h1_idle(const struct h1_parser *p)
{
    return !p->begun && !p->owe_done;
}

size_t h1_memory(const struct h1_parser *p)
{
    return sizeof(*p) + (p->area ? h1_area_bytes(p->area) : 0);
}

void h1_expect_head(struct h1_parser *p)
{
    p->expect_head = true;
}

static int fail(struct h1_parser *p, llhttp_errno_t code, struct err *e)
{
    const char *what = p->kind == H1_REQUEST ? "request" : "response";

    p->failed = true;
    if (p->why)
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
    return tell_done(p) || collects_method(p);
}

static bool is_token_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c));
}

/*
 * llhttp knows a list of methods; we take every token. So the method is collected here, and llhttp
 * is given one that it frames like all others. Returns how many bytes were used up, or negative.
 */
static ssize_t collect_method(struct h1_parser *p, const char *buf, size_t n, struct err *e)
{
    size_t at = 0;

    while (!p->begun && at < n && (buf[at] == '\r' || buf[at] == '\n'))
        at++;
    if (at == n)
        return (ssize_t)at;
    if (!p->begun)
        new_area(p);
    p->begun = p->in_method = true;
    size_t from = at;
    while (at < n && is_token_char((unsigned char)buf[at]))
        at++;
    bool fits = h1_area_keep(p->area, &p->area->method, buf + from, at - from, METHOD_MAX) == 0;
    if (!fits || (at < n && (buf[at] != ' ' || p->area->method.n == 0))) {
        p->failed = true;
        return err_set(e, -EINVAL, "bad request: not a method");
    }
    if (at == n)
        return (ssize_t)at;
    p->in_method = false;
    bool connect = str_eq(h1_area_slice(p->area, p->area->method), STR("CONNECT"));
    const char *known = connect ? "CONNECT " : "POST ";
    if (llhttp_execute(&p->ll, known, strlen(known)) == HPE_PAUSED_UPGRADE) {
        /* The message before asked for an upgrade and was left: the caller goes on with HTTP. */
        llhttp_resume_after_upgrade(&p->ll);
        llhttp_execute(&p->ll, known, strlen(known));
    }
    return (ssize_t)at + 1;
}

static ssize_t execute(struct h1_parser *p, const char *buf, size_t n, bool was_at_done,
                       struct err *e)
{
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

ssize_t h1_feed(struct h1_parser *p, const char *buf, size_t n, struct err *e)
{
    bool was_at_done = p->stopped_at_done;
    ssize_t used = 0;

    if (p->failed)
        return err_set(e, -EINVAL, "bad data came before");
    if (pay_done(p))
        return 0;
    p->stopped_at_done = false;
    if (llhttp_get_errno(&p->ll) == HPE_PAUSED)
        llhttp_resume(&p->ll);
    else if (llhttp_get_errno(&p->ll) == HPE_PAUSED_UPGRADE)
        llhttp_resume_after_upgrade(&p->ll);
    if (collects_method(p) && (!p->begun || p->in_method)) {
        used = collect_method(p, buf, n, e);
        if (used < 0 || (size_t)used == n)
            return used;
    }
    ssize_t rest = execute(p, buf + used, n - (size_t)used, was_at_done, e);
    return rest < 0 ? rest : used + rest;
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
