/*
 * Items are named classes, escapes, ranges and single code points. A bracket that comes first is
 * itself, and so is a dash that stands between no two ends.
 */
#include "cluster/apiserver/pattern/class.h"

#include <errno.h>

#include "cluster/apiserver/pattern/escape.h"

#define TIDY_AT 4096 /* ranges: named classes may be repeated without end */

struct class
{
    const char *p, *from;
    bool fold;
    struct charset *s;
    struct err *e;
};

static int fail(const struct class *c, const char *what, const char *from, size_t n)
{
    return err_set(c->e, -EINVAL, "error parsing regexp: %s: `%.*s`", what,
                   (int)(n < 100 ? n : 100), from);
}

/* The inside of [: :] if the text here is such a name. */
static bool posix_name(const char *p, struct str *ret, bool *ret_negated)
{
    const char *end = p[0] == '[' && p[1] == ':' ? strstr(p + 2, ":]") : NULL;

    if (!end)
        return false;
    *ret_negated = p[2] == '^';
    ret->p = p + 2 + *ret_negated;
    ret->n = (size_t)(end - ret->p);
    return end >= ret->p;
}

static int named(struct class *c)
{
    _cleanup_charset_ struct charset one = {0};
    struct str name;
    bool negated;

    if (!posix_name(c->p, &name, &negated))
        return 0;
    if (!charset_add_posix(&one, name))
        return fail(c, "invalid character class range", c->p, (size_t)(name.p + name.n + 2 - c->p));
    if (c->fold)
        charset_fold(&one);
    if (negated)
        charset_negate(&one);
    charset_add_set(c->s, &one);
    c->p = name.p + name.n + 2;
    return 1;
}

/* One code point, an escape perhaps. */
static int code_point(struct class *c, uint32_t *ret)
{
    if (!*c->p)
        return fail(c, "missing closing ]", c->from, strlen(c->from));
    return *c->p == '\\' ? escape_char(&c->p, ret, c->e) : escape_rune(&c->p, ret, c->e);
}

static int range(struct class *c)
{
    const char *from = c->p;
    uint32_t lo, hi;
    int r = code_point(c, &lo);

    hi = lo;
    if (r == 0 && c->p[0] == '-' && c->p[1] && c->p[1] != ']') {
        c->p++;
        r = code_point(c, &hi);
        if (r == 0 && hi < lo)
            r = fail(c, "invalid character class range", from, (size_t)(c->p - from));
    }
    if (r < 0)
        return r;
    charset_add(c->s, lo, hi);
    return 0;
}

static int item(struct class *c)
{
    int r = named(c);

    if (!r)
        r = escape_class(&c->p, c->fold, c->s, c->e);
    if (c->s->v.n > TIDY_AT && r > 0)
        charset_tidy(c->s);
    return r ? r : range(c);
}

int class_parse(const char **p, bool fold, struct charset *s, struct err *e)
{
    struct class c = {*p + 1, *p, fold, s, e};
    bool negated = *c.p == '^';

    c.p += negated;
    for (bool first = true; *c.p != ']' || first; first = false) {
        int r = item(&c);

        if (r < 0)
            return r;
    }
    *p = c.p + 1;
    if (fold)
        charset_fold(s);
    if (negated)
        charset_negate(s);
    return 0;
}
