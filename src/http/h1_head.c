/* A complete head: facts, framing, and what llhttp leaves to its user to refuse. */
#include <errno.h>

#include "http/h1_impl.h"

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
    struct h1_head *head = &p->area->head;

    switch (h->name.n) {
    case 4:
        if (str_ieq(h->name, STR("Host"))) {
            f->hosts++;
            if (p->kind == H1_REQUEST && !is_host(h->value))
                return h1_refuse(p, -EINVAL, "the Host field is not a host");
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
                return h1_refuse(p, -EINVAL, "the Content-Length is not a length");
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
    int minor = p->area->head.minor;

    if (f->codings > 0 && (f->codings > 1 || !f->chunked || minor == 0))
        return h1_refuse(p, -EINVAL, "a Transfer-Encoding other than chunked");
    if (f->codings > 0 && f->lengths > 0)
        return h1_refuse(p, -EINVAL, "both Content-Length and Transfer-Encoding");
    if (f->lengths > 1)
        return h1_refuse(p, -EINVAL, "more than one Content-Length");
    if (request && (f->hosts > 1 || (f->hosts == 0 && minor > 0)))
        return h1_refuse(p, -EINVAL, "not exactly one Host field");
    p->area->head.chunked = f->chunked;
    return 0;
}

static int fill_fields(struct h1_parser *p)
{
    struct h1_area *a = p->area;
    struct framing f = {0};

    h1_area_complete(a);
    for (unsigned i = 0; i < a->n; i++) {
        int r = look_at_field(p, &a->fields[i], &f);
        if (r != 0)
            return r;
    }
    a->head.fields = a->fields;
    a->head.n_fields = a->n;
    if (!a->bare) {
        a->head.headers.n = a->n;
        if (a->n)
            memcpy(a->head.headers.h, a->fields, a->n * sizeof(*a->fields));
    }
    return check_framing(p, &f);
}

static bool has_body(const struct h1_parser *p)
{
    const struct h1_head *h = &p->area->head;

    if (h->chunked || h->content_length >= 0)
        return h->chunked || h->content_length > 0;
    return p->kind == H1_RESPONSE;
}

bool h1_never_has_body(const struct h1_parser *p)
{
    int s = p->ll.status_code;

    return p->kind == H1_RESPONSE &&
           (p->expect_head || (s >= 100 && s < 200) || s == 204 || s == 304);
}

static int fill_line(struct h1_parser *p)
{
    struct h1_area *a = p->area;
    struct h1_head *h = &a->head;

    h->minor = p->ll.http_minor;
    h->status = p->kind == H1_RESPONSE ? p->ll.status_code : 0;
    h->method = STR_NULL;
    if (p->kind == H1_REQUEST)
        h->method = p->o->any_method ? h1_area_slice(a, a->method)
                                     : str_of(llhttp_method_name(p->ll.method));
    h->target = h1_area_slice(a, a->target);
    h->reason = h1_area_slice(a, a->reason);
    h->content_length = -1;
    h->expect_continue = h->chunked = false;
    if (p->kind == H1_REQUEST && p->ll.method >= HTTP_DESCRIBE && p->ll.method <= HTTP_FLUSH)
        return h1_refuse(p, -EINVAL, "a method of another protocol");
    if (p->ll.http_major != 1 || h->minor > 1)
        return h1_refuse(p, -EINVAL, "not HTTP/1.0 or HTTP/1.1");
    if (p->kind == H1_RESPONSE && (h->status < 100 || h->status > 999))
        return h1_refuse(p, -EINVAL, "a status below 100");
    return 0;
}

int h1_fill_head(struct h1_parser *p)
{
    struct h1_head *h = &p->area->head;
    int r = fill_line(p);

    if (r == 0)
        r = fill_fields(p);
    if (r != 0)
        return r;
    h->has_body = !h1_never_has_body(p) && has_body(p);
    h->upgrade = p->kind == H1_REQUEST ? p->ll.upgrade : h->status == 101;
    h->keep_alive = llhttp_should_keep_alive(&p->ll);
    return 0;
}
