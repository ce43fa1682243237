/* Reasons, codes and wordings are those of k8s.io/apimachinery/pkg/api/errors: clients match on
 * them. */
#include "cluster/apiserver/request/status.h"

#include <errno.h>
#include <stdio.h>

#define MAX_STATUS (256 * 1024)

void api_status_done(struct api_status *st)
{
    free(st->message);
    free(st->group);
    free(st->kind);
    free(st->name);
    free(st->go_on);
    field_errors_done(&st->causes);
    *st = (struct api_status){0};
}

void api_status_move(struct api_status *to, struct api_status *from)
{
    api_status_done(to);
    *to = *from;
    *from = (struct api_status){0};
}

static void begin(struct api_status *st, int code, const char *reason)
{
    api_status_done(st);
    st->code = code;
    st->reason = reason;
}

static void about(struct api_status *st, const struct kube_resource *r, const char *name)
{
    st->group = xstrdup(r->group);
    st->kind = xstrdup(r->plural);
    st->name = xstrdup(name);
}

static void say(struct api_status *st, const char *fmt, va_list ap)
{
    _cleanup_buf_ struct buf b = BUF_INIT(MAX_STATUS);

    buf_vaddf(&b, fmt, ap);
    free(st->message);
    st->message = buf_steal(&b, NULL);
}

int api_fail(struct api_status *st, int code, const char *reason, const char *fmt, ...)
{
    va_list ap;

    begin(st, code, reason);
    va_start(ap, fmt);
    say(st, fmt, ap);
    va_end(ap);
    return -1;
}

int api_fail_bad(struct api_status *st, const char *fmt, ...)
{
    va_list ap;

    begin(st, 400, "BadRequest");
    va_start(ap, fmt);
    say(st, fmt, ap);
    va_end(ap);
    return -1;
}

static void api_qualified(const struct kube_resource *r, struct buf *out)
{
    buf_addz(out, r->plural);
    if (r->group[0])
        buf_addf(out, ".%s", r->group);
}

int api_fail_not_found(struct api_status *st, const struct kube_resource *r, const char *name)
{
    _cleanup_buf_ struct buf q = BUF_INIT(4096);

    api_qualified(r, &q);
    api_fail(st, 404, "NotFound", "%s \"%s\" not found", buf_z(&q), name);
    about(st, r, name);
    return -1;
}

int api_fail_exists(struct api_status *st, const struct kube_resource *r, const char *name)
{
    _cleanup_buf_ struct buf q = BUF_INIT(4096);

    api_qualified(r, &q);
    api_fail(st, 409, "AlreadyExists", "%s \"%s\" already exists", buf_z(&q), name);
    about(st, r, name);
    return -1;
}

int api_fail_conflict(struct api_status *st, const struct kube_resource *r, const char *name,
                      const char *why)
{
    _cleanup_buf_ struct buf q = BUF_INIT(4096);

    api_qualified(r, &q);
    api_fail(st, 409, "Conflict", "Operation cannot be fulfilled on %s \"%s\": %s", buf_z(&q), name,
             why ? why
                 : "the object has been modified; please apply your changes to the latest version "
                   "and try again");
    about(st, r, name);
    return -1;
}

int api_fail_forbidden(struct api_status *st, const struct kube_resource *r, const char *name,
                       const char *fmt, ...)
{
    _cleanup_buf_ struct buf q = BUF_INIT(4096), why = BUF_INIT(MAX_STATUS);
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&why, fmt, ap);
    va_end(ap);
    api_qualified(r, &q);
    api_fail(st, 403, "Forbidden", "%s \"%s\" is forbidden: %s", buf_z(&q), name, buf_z(&why));
    about(st, r, name);
    return -1;
}

int api_fail_invalid(struct api_status *st, const struct kube_resource *r, const char *name,
                     struct field_errors *errs)
{
    _cleanup_buf_ struct buf b = BUF_INIT(MAX_STATUS);

    begin(st, 422, "Invalid");
    buf_addf(&b, "%s%s%s \"%s\" is invalid: ", r->kind, r->group[0] ? "." : "", r->group, name);
    if (errs->v.n > 1)
        buf_addc(&b, '[');
    for (size_t i = 0; i < errs->v.n; i++)
        buf_addf(&b, "%s%s: %s", i ? ", " : "", errs->v.p[i].path, errs->v.p[i].text);
    if (errs->dropped)
        buf_addf(&b, ", and %zu more", errs->dropped);
    if (errs->v.n > 1)
        buf_addc(&b, ']');
    st->message = buf_steal(&b, NULL);
    st->group = xstrdup(r->group);
    st->kind = xstrdup(r->kind);
    st->name = xstrdup(name);
    st->causes = *errs;
    *errs = (struct field_errors){0};
    return -1;
}

int api_fail_too_many(struct api_status *st, int retry_after_s, const char *fmt, ...)
{
    va_list ap;

    begin(st, 429, "TooManyRequests");
    va_start(ap, fmt);
    say(st, fmt, ap);
    va_end(ap);
    st->retry_after = retry_after_s;
    return -1;
}

int api_fail_store(struct api_status *st, const struct err *e)
{
    if (e->code == -EAGAIN || e->code == -ENOBUFS)
        return api_fail_too_many(st, 1, "%s", e->msg);
    return api_fail(st, 500, "InternalError", "Internal error occurred: %s", e->msg);
}

int api_fail_expired(struct api_status *st, uint64_t rv, uint64_t oldest)
{
    return api_fail(st, 410, "Expired", "too old resource version: %llu (%llu)",
                    (unsigned long long)rv, (unsigned long long)oldest);
}

int api_fail_too_large_rv(struct api_status *st, uint64_t rv, uint64_t current)
{
    api_fail(st, 504, "Timeout", "Too large resource version: %llu, current: %llu",
             (unsigned long long)rv, (unsigned long long)current);
    st->cause = "ResourceVersionTooLarge";
    st->retry_after = 1;
    return -1;
}

void json_quote(struct buf *out, const char *s)
{
    bool valid = utf8_valid(s, strlen(s)); /* a client's bytes may be quoted in a message */

    buf_addc(out, '"');
    for (const char *at = s; *at; at++) {
        unsigned char c = (unsigned char)*at;

        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c == '\n')
            buf_addz(out, "\\n");
        else if (c < 0x20)
            buf_addf(out, "\\u%04x", c);
        else if (c >= 0x80 && !valid)
            buf_addc(out, '?');
        else
            buf_addc(out, *at);
    }
    buf_addc(out, '"');
}

static void member(struct buf *out, const char **sep, const char *key, const char *value)
{
    if (!value || !*value)
        return;
    buf_addf(out, "%s\"%s\":", *sep, key);
    json_quote(out, value);
    *sep = ",";
}

static void causes_json(const struct api_status *st, struct buf *out)
{
    for (size_t i = 0; i < st->causes.v.n; i++) {
        const struct field_error *f = &st->causes.v.p[i];

        buf_addf(out, "%s{\"reason\":\"%s\",\"message\":", i ? "," : "",
                 field_error_reason(f->type));
        json_quote(out, f->text);
        buf_addz(out, ",\"field\":");
        json_quote(out, f->path);
        buf_addc(out, '}');
    }
    if (st->cause)
        buf_addf(out, "{\"reason\":\"%s\",\"message\":\"%s\"}", st->cause, st->cause);
}

static void details_json(const struct api_status *st, struct buf *out)
{
    const char *sep = "";

    buf_addz(out, ",\"details\":{");
    member(out, &sep, "name", st->name);
    member(out, &sep, "group", st->group);
    member(out, &sep, "kind", st->kind);
    if (st->causes.v.n || st->cause) {
        buf_addf(out, "%s\"causes\":[", sep);
        causes_json(st, out);
        buf_addc(out, ']');
        sep = ",";
    }
    if (st->retry_after)
        buf_addf(out, "%s\"retryAfterSeconds\":%d", sep, st->retry_after);
    buf_addc(out, '}');
}

void api_status_json(const struct api_status *st, struct buf *out)
{
    const char *sep = "";

    buf_addz(out, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{");
    if (st->go_on)
        member(out, &sep, "continue", st->go_on);
    buf_addz(out, "},\"status\":\"Failure\",\"message\":");
    json_quote(out, st->message ? st->message : "");
    if (st->reason)
        buf_addf(out, ",\"reason\":\"%s\"", st->reason);
    /* kubectl reads the details of every 404 without looking whether there are any */
    if (st->code == 404 || st->name || st->kind || st->causes.v.n || st->cause || st->retry_after)
        details_json(st, out);
    buf_addf(out, ",\"code\":%d}\n", st->code);
}

void api_status_reply(const struct api_status *st, struct http_exchange *x)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4 * MAX_STATUS);
    char seconds[16];

    api_status_json(st, &b);
    if (st->retry_after) {
        snprintf(seconds, sizeof(seconds), "%d", st->retry_after);
        http_set_header(x, "Retry-After", seconds);
    }
    http_reply(x, st->code, "application/json", b.p, b.n);
}

void api_success_json(const struct kube_resource *r, const char *name, const char *uid,
                      struct buf *out)
{
    const char *sep = "";

    buf_addz(out,
             "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\","
             "\"details\":{");
    member(out, &sep, "name", name);
    member(out, &sep, "group", r->group);
    member(out, &sep, "kind", r->plural);
    member(out, &sep, "uid", uid);
    buf_addz(out, "}}\n");
}
