/* Ranges are appended as they come and brought into order once, before anything reads them. */
#include "cluster/apiserver/pattern/charset.h"

#include <stdlib.h>

#include "cluster/apiserver/pattern/unicode.h"

void charset_add(struct charset *s, uint32_t lo, uint32_t hi)
{
    vec_push(&s->v, ((struct char_range){lo, hi}));
}

void charset_add_set(struct charset *s, const struct charset *other)
{
    for (size_t i = 0; i < other->v.n; i++)
        vec_push(&s->v, other->v.p[i]);
}

static int by_lo(const void *a, const void *b)
{
    const struct char_range *x = a, *y = b;

    return (x->lo > y->lo) - (x->lo < y->lo);
}

void charset_tidy(struct charset *s)
{
    size_t n = 0;

    if (s->v.n)
        qsort(s->v.p, s->v.n, sizeof(s->v.p[0]), by_lo);
    for (size_t i = 0; i < s->v.n; i++) {
        struct char_range r = s->v.p[i];

        if (n && r.lo <= s->v.p[n - 1].hi + 1) {
            if (r.hi > s->v.p[n - 1].hi)
                s->v.p[n - 1].hi = r.hi;
        } else {
            s->v.p[n++] = r;
        }
    }
    s->v.n = n;
}

void charset_negate(struct charset *s)
{
    struct charset out = {0};
    uint32_t next = 0;

    charset_tidy(s);
    for (size_t i = 0; i < s->v.n; i++) {
        if (s->v.p[i].lo > next)
            charset_add(&out, next, s->v.p[i].lo - 1);
        next = s->v.p[i].hi + 1;
    }
    if (next <= CHARSET_LAST)
        charset_add(&out, next, CHARSET_LAST);
    vec_done(&s->v);
    s->v.p = out.v.p;
    s->v.n = out.v.n;
    s->v.cap = out.v.cap;
}

/* The first fold whose code point is not below c. */
static size_t fold_from(uint32_t c)
{
    size_t lo = 0, hi = unicode_folds_len;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (unicode_folds[mid].c < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void charset_fold(struct charset *s)
{
    charset_tidy(s);
    size_t n = s->v.n; /* what is added below need not be looked at: circles are followed */

    for (size_t i = 0; i < n; i++) {
        struct char_range r = s->v.p[i];

        for (size_t f = fold_from(r.lo); f < unicode_folds_len && unicode_folds[f].c <= r.hi; f++)
            for (uint32_t c = unicode_folds[f].next; c != unicode_folds[f].c;
                 c = unicode_folds[fold_from(c)].next)
                charset_add(s, c, c);
    }
    charset_tidy(s);
}

bool charset_has(const struct char_range *v, size_t n, uint32_t c)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (c < v[mid].lo)
            hi = mid;
        else if (c > v[mid].hi)
            lo = mid + 1;
        else
            return true;
    }
    return false;
}

/* "az09__": pairs of ends. */
static void add_pairs(struct charset *s, const char *pairs)
{
    for (; pairs[0]; pairs += 2)
        charset_add(s, (unsigned char)pairs[0], (unsigned char)pairs[1]);
}

void charset_add_perl(struct charset *s, char name)
{
    add_pairs(s, name == 'd' ? "09" : name == 's' ? "\t\n\f\r  " : "09AZ__az");
}

bool charset_add_posix(struct charset *s, struct str name)
{
    static const struct {
        const char *name, *pairs;
    } classes[] = {
        {"alnum", "09AZaz"},   {"alpha", "AZaz"},    {"ascii", "\x01\x7f"},
        {"blank", "\t\t  "},   {"digit", "09"},      {"cntrl", "\x01\x1f\x7f\x7f"},
        {"graph", "!~"},       {"lower", "az"},      {"print", " ~"},
        {"punct", "!/:@[`{~"}, {"upper", "AZ"},      {"space", "\t\r  "},
        {"word", "09AZaz__"},  {"xdigit", "09AFaf"},
    };

    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if (!str_eq(name, str_of(classes[i].name)))
            continue;
        add_pairs(s, classes[i].pairs);
        if (classes[i].pairs[0] == '\x01') /* a text of pairs cannot hold the first code point */
            charset_add(s, 0, 0);
        return true;
    }
    return false;
}

bool charset_add_category(struct charset *s, struct str name)
{
    bool found = false;

    if (str_eq(name, STR("Any"))) {
        charset_add(s, 0, CHARSET_LAST);
        return true;
    }
    for (const struct unicode_category *c = unicode_categories; c->name; c++) {
        if (!name.n || name.n > 2 || memcmp(c->name, name.p, name.n))
            continue;
        for (size_t i = 0; i < c->n; i++)
            vec_push(&s->v, c->ranges[i]);
        found = true;
    }
    return found;
}
