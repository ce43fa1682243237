/*
 * From a parsed HTTP/1 head to a neutral one. The names that Connection lists are collected once,
 * from all fields of that name, and bounded; then one walk over the fields keeps what is
 * end-to-end, in place. What only proxies may set is never taken out because a client listed it.
 */
#include <errno.h>

#include "dataplane/base/limits.h"
#include "dataplane/head/names.h"

struct listed {
    struct str names[LIMIT_DP_CONNECTION];
    size_t n;
};

/* Handled without being listed. */
static bool is_usual(struct str token)
{
    switch (token.n) {
    case 0:
        return true;
    case 2:
        return str_ieq(token, STR("te"));
    case 5:
        return str_ieq(token, STR("close"));
    case 7:
        return str_ieq(token, STR("upgrade"));
    case 10:
        return str_ieq(token, STR("keep-alive"));
    case 14:
        return str_ieq(token, STR("http2-settings"));
    }
    return false;
}

static int list_names(struct str value, struct listed *l, const char **why)
{
    struct str token;
    size_t tokens = 0;

    while (value.n && str_split(&value, ',', &token)) {
        token = str_trim(token);
        if (++tokens > LIMIT_DP_CONNECTION) {
            *why = "the Connection field lists too many names";
            return -EINVAL;
        }
        if (is_usual(token) || dp_name_is_ours(token))
            continue;
        if (l->n == LIMIT_DP_CONNECTION) {
            *why = "the Connection fields list too many names";
            return -EINVAL;
        }
        l->names[l->n++] = token;
    }
    return 0;
}

static int collect(const struct h1_head *h, struct listed *l, const char **why)
{
    for (size_t i = 0; i < h->n_fields; i++) {
        const struct http_header *f = &h->fields[i];
        if (dp_name_of(f->name) != DP_NAME_CONNECTION)
            continue;
        int r = list_names(f->value, l, why);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool is_listed(const struct listed *l, struct str name)
{
    for (size_t i = 0; i < l->n; i++) {
        if (str_ieq(l->names[i], name))
            return true;
    }
    return false;
}

/* The one token of an Upgrade field; h2c would open a tunnel past everything that is done here. */
static struct str protocol_of(struct str upgrade)
{
    struct str token;

    while (upgrade.n && str_split(&upgrade, ',', &token)) {
        token = str_trim(token);
        if (token.n && !str_ieq(token, STR("h2c")) && !str_ieq(token, STR("h2")))
            return token;
    }
    return STR_NULL;
}

static bool has_token(struct str list, struct str want)
{
    struct str token;

    while (list.n && str_split(&list, ',', &token)) {
        if (str_ieq(str_trim(token), want))
            return true;
    }
    return false;
}

/* Whether it stays; notes what the head itself says. */
static bool passes(struct dp_head *to, const struct http_header *f, bool request)
{
    switch (dp_name_of(f->name)) {
    case DP_NAME_PLAIN:
        return true;
    case DP_NAME_FORWARDED: /* the writer of requests makes them anew from what is here */
        return !request || !memchr(f->name.p, '_', f->name.n);
    case DP_NAME_KNATIVE:
        return !request || !memchr(f->name.p, '_', f->name.n);
    case DP_NAME_ROUTING: /* read by an activator's port, then taken out */
        return !request || !memchr(f->name.p, '_', f->name.n);
    case DP_NAME_TRAILER:
        return to->framing == DP_PIECES;
    case DP_NAME_UPGRADE:
        if (to->protocol.n == 0)
            to->protocol = protocol_of(f->value);
        return false;
    case DP_NAME_TE:
        to->trailers |= has_token(f->value, STR("trailers"));
        return false;
    case DP_NAME_HOST:
        return !request;
    case DP_NAME_PROXY_AUTH:
        return !request;
    default:
        return false;
    }
}

static enum dp_framing framing_of(const struct h1_head *h)
{
    if (!h->has_body)
        return DP_NO_BODY;
    if (h->chunked)
        return DP_PIECES;
    return h->content_length >= 0 ? DP_LENGTH : DP_TO_END;
}

static int keep_fields(struct h1_head *h, struct dp_head *to, bool request, const char **why)
{
    struct listed l;

    l.n = 0;
    to->framing = framing_of(h);
    to->length = h->chunked ? -1 : h->content_length;
    to->f = h->fields;
    int r = collect(h, &l, why);
    if (r < 0)
        return r;
    for (size_t i = 0; i < h->n_fields; i++) {
        const struct http_header *f = &h->fields[i];
        if (passes(to, f, request) && (l.n == 0 || !is_listed(&l, f->name)))
            to->f[to->n++] = *f;
    }
    return 0;
}

/* ---- requests ---- */

/* Where a target in absolute form has its authority; 0 = it is in another form. */
static size_t scheme_of(struct str target)
{
    if (target.n >= 7 && str_ieq((struct str){target.p, 7}, STR("http://")))
        return 7;
    return target.n >= 8 && str_ieq((struct str){target.p, 8}, STR("https://")) ? 8 : 0;
}

static bool is_authority(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= 0x20 || c >= 0x7f || strchr("@\\<>\"{}|^`,#", c))
            return false;
    }
    return s.n > 0;
}

/* "http://host/path" names both; otherwise Host and the target do. */
static int split_target(const struct h1_head *h, struct dp_head *to, const char **why)
{
    size_t scheme = scheme_of(h->target), at = scheme;

    to->path = h->target;
    if (scheme == 0) {
        if (h->target.n && (h->target.p[0] == '/' || str_eq(h->target, STR("*"))))
            return 0;
        if (str_eq(h->method, STR("CONNECT")))
            return 0; /* refused by name later */
        *why = "the request target is neither a path nor an http address";
        return -EINVAL;
    }
    while (at < h->target.n && h->target.p[at] != '/' && h->target.p[at] != '?')
        at++;
    to->authority = (struct str){h->target.p + scheme, at - scheme};
    to->path = (struct str){h->target.p + at, h->target.n - at};
    if (is_authority(to->authority))
        return 0;
    *why = "the request target's authority is not a host";
    return -EINVAL;
}

int dp_head_of_request(struct h1_head *h, struct dp_head *to, const char **why)
{
    *to = (struct dp_head){.method = h->method};
    for (size_t i = 0; i < h->n_fields; i++) {
        if (dp_name_of(h->fields[i].name) == DP_NAME_HOST)
            to->authority = h->fields[i].value;
    }
    int r = split_target(h, to, why);
    if (r == 0)
        r = keep_fields(h, to, true, why);
    if (!h->upgrade || h->has_body)
        to->protocol = STR_NULL;
    return r;
}

int dp_head_of_answer(struct h1_head *h, struct dp_head *to, const char **why)
{
    *to = (struct dp_head){.status = h->status, .reason = h->reason};
    int r = keep_fields(h, to, false, why);
    if (h->status != 101)
        to->protocol = STR_NULL;
    return r;
}

struct str dp_head_get(const struct dp_head *h, const char *name)
{
    struct str want = str_of(name);

    for (size_t i = 0; i < h->n; i++) {
        if (str_ieq(h->f[i].name, want))
            return h->f[i].value;
    }
    return STR_NULL;
}
