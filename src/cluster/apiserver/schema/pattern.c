/*
 * The patterns of CRDs are Go regular expressions; glibc has POSIX extended ones. The common part
 * is translated: classes (\d \w \s), escapes, non-capturing groups, ^ and $, which mean the ends of
 * the text in both. Everything else (lazy quantifiers, flags, word boundaries, Unicode classes) is
 * refused rather than guessed.
 */
#include <errno.h>
#include <stdlib.h>

#include "cluster/apiserver/schema/schema.h"

#define MAX_REPEAT 1000 /* as RE2 */

struct at {
    const char *p;
    struct buf *out;
    bool in_class;
};

static int escape(struct at *a, struct err *e)
{
    char c = a->p[1];
    const char *set = NULL;

    if (!c)
        return err_set(e, -EINVAL, "trailing backslash");
    a->p += 2;
    switch (c) {
    case 'd':
        set = "0-9";
        break;
    case 'w':
        set = "0-9A-Za-z_";
        break;
    case 's':
        set = "\t\n\f\r ";
        break;
    case 'D':
    case 'W':
    case 'S':
        if (a->in_class)
            return err_set(e, -ENOTSUP, "\\%c inside a class", c);
        return buf_addf(a->out, "[^%s]", c == 'D' ? "0-9" : c == 'W' ? "0-9A-Za-z_" : "\t\n\f\r ");
    case 'A':
        return buf_addc(a->out, '^');
    case 'z':
        return buf_addc(a->out, '$');
    case 't':
        return buf_addc(a->out, '\t');
    case 'n':
        return buf_addc(a->out, '\n');
    case 'r':
        return buf_addc(a->out, '\r');
    default:
        break;
    }
    if (set)
        return a->in_class ? buf_addz(a->out, set) : buf_addf(a->out, "[%s]", set);
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return err_set(e, -ENOTSUP, "the escape \\%c is not supported", c);
    if (a->in_class)
        return buf_addc(a->out, c); /* placed by class() */
    return buf_addf(a->out, strchr(".[]{}()*+?^$|\\", c) ? "\\%c" : "%c", c);
}

/* In a POSIX class ] must come first, - last, and ^ not first. */
static int class(struct at *a, struct err *e)
{
    bool neg = a->p[1] == '^', bracket = false, dash = false, caret = false;
    _cleanup_buf_ struct buf body = BUF_INIT(4096);
    struct buf *outer = a->out;
    int r = 0;

    a->p += neg ? 2 : 1;
    a->out = &body;
    a->in_class = true;
    for (bool first = true; r >= 0 && *a->p && (*a->p != ']' || first); first = false) {
        if (a->p[0] == '[' && a->p[1] == ':') {
            const char *end = strstr(a->p, ":]");

            if (!end)
                r = err_set(e, -EINVAL, "missing closing :]");
            else {
                r = buf_add(&body, a->p, (size_t)(end + 2 - a->p));
                a->p = end + 2;
            }
        } else if (a->p[0] == '\\' && strchr("]-^", a->p[1]) && a->p[1]) {
            bracket |= a->p[1] == ']';
            dash |= a->p[1] == '-';
            caret |= a->p[1] == '^';
            a->p += 2;
        } else if (a->p[0] == '\\') {
            r = escape(a, e);
        } else if (a->p[0] == ']') {
            bracket = true;
            a->p++;
        } else if (a->p[0] == '-' && (first || a->p[1] == ']')) {
            dash = true;
            a->p++;
        } else {
            if (a->p[0] == '^' && !body.n)
                caret = true;
            else
                r = buf_addc(&body, a->p[0]);
            a->p++;
        }
    }
    a->out = outer;
    a->in_class = false;
    if (r < 0)
        return r;
    if (*a->p != ']')
        return err_set(e, -EINVAL, "missing closing ]");
    a->p++;
    if (caret && !neg && !bracket && !body.n) /* the caret would come first */
        return buf_addz(a->out, dash ? "[-^]" : "\\^");
    return buf_addf(a->out, "[%s%s%s%s%s]", neg ? "^" : "", bracket ? "]" : "", buf_z(&body),
                    caret ? "^" : "", dash ? "-" : "");
}

static int repeat(struct at *a, struct err *e)
{
    const char *end = strchr(a->p, '}');
    char *after;

    if (!end || a->p[1] < '0' || a->p[1] > '9')
        return (a->p++, buf_addz(a->out, "\\{"));
    for (const char *q = a->p + 1; q < end; q++)
        if (*q != ',' && (*q < '0' || *q > '9'))
            return (a->p++, buf_addz(a->out, "\\{"));
    long lo = strtol(a->p + 1, &after, 10);
    long hi = *after == ',' && after + 1 < end ? strtol(after + 1, NULL, 10) : lo;

    if (lo > MAX_REPEAT || hi > MAX_REPEAT)
        return err_set(e, -EINVAL, "invalid repeat count");
    int r = buf_add(a->out, a->p, (size_t)(end + 1 - a->p));

    a->p = end + 1;
    return r;
}

static int quantifier(struct at *a, struct err *e)
{
    int r = *a->p == '{' ? repeat(a, e) : buf_addc(a->out, *a->p++);

    if (r >= 0 && *a->p == '?')
        return err_set(e, -ENOTSUP, "lazy quantifiers are not supported");
    if (r >= 0 && *a->p == '+')
        return err_set(e, -EINVAL, "invalid nested repetition operator");
    return r;
}

int pattern_translate(const char *re2, struct buf *out, struct err *e)
{
    struct at a = {.p = re2, .out = out};
    int r = 0;

    while (r >= 0 && *a.p) {
        if (*a.p == '\\')
            r = escape(&a, e);
        else if (*a.p == '[')
            r = class(&a, e);
        else if (a.p[0] == '(' && a.p[1] == '?') {
            if (a.p[2] != ':')
                r = err_set(e, -ENOTSUP, "the group (?%c is not supported", a.p[2] ? a.p[2] : ' ');
            a.p += 3;
            if (r >= 0)
                r = buf_addc(out, '(');
        } else if (strchr("*+?{", *a.p))
            r = quantifier(&a, e);
        else
            r = buf_addc(out, *a.p++);
    }
    if (r == -E2BIG)
        return err_set(e, r, "the pattern is too long");
    return r;
}
