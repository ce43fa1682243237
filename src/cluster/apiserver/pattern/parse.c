/*
 * Recursive descent over alternation, concatenation and repetition. Flags belong to the group they
 * stand in. Every construct is read as Go reads it, the odd ones too: a brace that is no count is
 * itself, a bracket first in a class is itself, a dash is itself where it is between no two ends.
 */
#include <errno.h>

#include "cluster/apiserver/pattern/class.h"
#include "cluster/apiserver/pattern/escape.h"
#include "cluster/apiserver/pattern/regex.h"

struct flags {
    bool fold, multi, dot_all;
};
struct parse {
    const char *p;
    struct arena *a;
    struct err *e;
    struct flags f;
    int depth;
    size_t room; /* how many nodes and ranges may still be made */
};

static struct node *alternation(struct parse *ps);

static struct node *fail(struct parse *ps, const char *what, const char *from, size_t n)
{
    err_set(ps->e, -EINVAL, "error parsing regexp: %s: `%.*s`", what, (int)(n < 100 ? n : 100),
            from);
    return NULL;
}

static struct node *node(struct parse *ps, enum node_op op)
{
    struct node *n = arena_alloc(ps->a, sizeof(*n));

    n->op = op;
    ps->room -= ps->room > 0;
    return n;
}

static struct node *set_node(struct parse *ps, struct charset *s)
{
    struct node *n = node(ps, NODE_SET);

    charset_tidy(s);
    if (s->v.n > ps->room)
        s->v.n = ps->room; /* there is no room for this: the parse ends at once */
    ps->room -= s->v.n;
    n->n_ranges = s->v.n;
    n->ranges = arena_alloc(ps->a, (s->v.n + 1) * sizeof(*n->ranges));
    if (s->v.n)
        memcpy(n->ranges, s->v.p, s->v.n * sizeof(*n->ranges));
    return n;
}

static struct node *literal(struct parse *ps, uint32_t c)
{
    _cleanup_charset_ struct charset s = {0};

    charset_add(&s, c, c);
    if (ps->f.fold)
        charset_fold(&s);
    return set_node(ps, &s);
}

static struct node *place(struct parse *ps, enum assertion where)
{
    struct node *n = node(ps, NODE_ASSERT);

    n->where = where;
    return n;
}

static struct node *class(struct parse *ps)
{
    _cleanup_charset_ struct charset s = {0};

    return class_parse(&ps->p, ps->f.fold, &s, ps->e) < 0 ? NULL : set_node(ps, &s);
}

/* ---- atoms ---- */
static struct node *dot(struct parse *ps)
{
    _cleanup_charset_ struct charset s = {0};

    ps->p++;
    if (!ps->f.dot_all)
        charset_add(&s, '\n', '\n');
    charset_negate(&s);
    return set_node(ps, &s);
}

/* \Q … \E: everything between is itself. */
static struct node *quoted(struct parse *ps)
{
    const char *end = strstr(ps->p + 2, "\\E");
    struct node *all = node(ps, NODE_CONCAT), **at = &all->child;
    size_t n = end ? (size_t)(end - ps->p) : strlen(ps->p);
    const char *stop = ps->p + n;
    uint32_t c;

    for (ps->p += 2; ps->p < stop && ps->room; at = &(*at)->next) {
        if (escape_rune(&ps->p, &c, ps->e) < 0)
            return NULL;
        *at = literal(ps, c);
    }
    ps->p += end ? 2 : 0;
    return all;
}

static struct node *escaped(struct parse *ps)
{
    static const struct {
        char c;
        enum assertion where;
    } places[] = {
        {'A', AT_TEXT_BEGIN}, {'z', AT_TEXT_END}, {'b', AT_WORD_EDGE}, {'B', AT_NO_WORD_EDGE}};
    _cleanup_charset_ struct charset s = {0};
    uint32_t c;

    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (ps->p[1] == places[i].c) {
            ps->p += 2;
            return place(ps, places[i].where);
        }
    if (ps->p[1] == 'Q')
        return quoted(ps);
    int r = escape_class(&ps->p, ps->f.fold, &s, ps->e);

    if (r < 0)
        return NULL;
    if (r)
        return set_node(ps, &s);
    return escape_char(&ps->p, &c, ps->e) < 0 ? NULL : literal(ps, c);
}

/* ---- groups ---- */
/* The letters of (?i-s: …) or (?i); -1 when they are none. */
static int flags(struct parse *ps, const char *from)
{
    bool on = true, any = false;

    for (; *ps->p && *ps->p != ':' && *ps->p != ')'; ps->p++) {
        if (*ps->p == '-' && on) {
            on = any = false;
            continue;
        }
        any = true;
        if (*ps->p == 'i')
            ps->f.fold = on;
        else if (*ps->p == 'm')
            ps->f.multi = on;
        else if (*ps->p == 's')
            ps->f.dot_all = on;
        else if (*ps->p != 'U') /* which match is found first does not matter here */
            break;
    }
    if ((*ps->p == ':' || *ps->p == ')') && (any || on))
        return 0;
    fail(ps, "invalid or unsupported Perl syntax", from, (size_t)(ps->p - from) + !!*ps->p);
    return -1;
}

/* Behind "(?P<" or "(?<": the name and its end. */
static int group_name(struct parse *ps, const char *from)
{
    size_t n = strspn(ps->p, "0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    if (n && ps->p[n] == '>') {
        ps->p += n + 1;
        return 0;
    }
    fail(ps, "invalid named capture", from, strcspn(from, ">"));
    return -1;
}

static struct node *group(struct parse *ps)
{
    const char *from = ps->p++;
    struct flags outside = ps->f;

    if (z_starts(ps->p, "?P<") || z_starts(ps->p, "?<")) {
        ps->p += ps->p[1] == 'P' ? 3 : 2;
        if (group_name(ps, from) < 0)
            return NULL;
    } else if (*ps->p == '?') {
        ps->p++;
        if (flags(ps, from) < 0)
            return NULL;
        if (*ps->p++ == ')') /* for the rest of the group around it */
            return node(ps, NODE_EMPTY);
    }
    struct node *n = alternation(ps);

    if (n && *ps->p != ')')
        return fail(ps, "missing closing )", from, strlen(from));
    ps->p++;
    ps->f = outside;
    return n;
}

static struct node *atom(struct parse *ps)
{
    uint32_t c;

    switch (*ps->p) {
    case '(':
        return group(ps);
    case '[':
        return class(ps);
    case '.':
        return dot(ps);
    case '^':
        ps->p++;
        return place(ps, ps->f.multi ? AT_LINE_BEGIN : AT_TEXT_BEGIN);
    case '$':
        ps->p++;
        return place(ps, ps->f.multi ? AT_LINE_END : AT_TEXT_END);
    case '\\':
        return escaped(ps);
    default:
        return escape_rune(&ps->p, &c, ps->e) < 0 ? NULL : literal(ps, c);
    }
}

/* ---- repetition ---- */
static bool number(const char **p, int *ret)
{
    const char *q = *p;

    if (*q < '0' || *q > '9' || (q[0] == '0' && q[1] >= '0' && q[1] <= '9'))
        return false;
    for (*ret = 0; *q >= '0' && *q <= '9'; q++)
        *ret = *ret > PATTERN_MAX_REPEAT ? *ret : *ret * 10 + (*q - '0');
    *p = q;
    return true;
}

/* {n}, {n,} or {n,m}; false and nothing read when it is no count. */
static bool count(struct parse *ps, int *ret_min, int *ret_max)
{
    const char *q = ps->p + 1;

    if (*ps->p != '{' || !number(&q, ret_min))
        return false;
    *ret_max = *ret_min;
    if (*q == ',') {
        q++;
        *ret_max = -1;
        if (*q != '}' && !number(&q, ret_max))
            return false;
    }
    if (*q != '}')
        return false;
    ps->p = q + 1;
    return true;
}

/* 1 with how often, 0 when no operator stands here. */
static int operator(struct parse *ps, int *ret_min, int *ret_max)
{
    const char *from = ps->p;

    *ret_min = *from == '+';
    *ret_max = *from == '?' ? 1 : -1;
    if (*from && strchr("*+?", *from))
        ps->p++;
    else if (!count(ps, ret_min, ret_max))
        return 0;
    if (*ret_min > PATTERN_MAX_REPEAT || *ret_max > PATTERN_MAX_REPEAT ||
        (*ret_max >= 0 && *ret_min > *ret_max)) {
        fail(ps, "invalid repeat count", from, (size_t)(ps->p - from));
        return -1;
    }
    ps->p += *ps->p == '?'; /* lazy: which match is found first does not matter here */
    return 1;
}

/* Whether counts that stand in each other stay within n copies. */
static bool copies_fit(const struct node *n, int room)
{
    if (n->op == NODE_REPEAT) {
        int times = n->max < 0 ? n->min : n->max;

        if (n->max == 0)
            return true;
        if (times > room)
            return false;
        room = times > 0 ? room / times : room;
    }
    for (const struct node *c = n->child; c; c = c->next)
        if (!copies_fit(c, room))
            return false;
    return true;
}

/* What an operator behind n repeats: of quoted text the last code point. */
static struct node **repeated(struct node **n, bool quote)
{
    struct node **last = n;

    if (quote && (*n)->child)
        for (last = &(*n)->child; (*last)->next;)
            last = &(*last)->next;
    return last;
}

/* An operator that stands where there is nothing to repeat; `why` says what that means. */
static int no_operator(struct parse *ps, const char *from, const char *why)
{
    int min, max, r = operator(ps, &min, &max);

    if (r > 0)
        fail(ps, why, from, (size_t)(ps->p - from));
    return r ? -1 : 0;
}

static struct node *repetition(struct parse *ps)
{
    bool quote = z_starts(ps->p, "\\Q");
    const char *op;
    struct node *n;
    int min, max, r;

    if (no_operator(ps, ps->p, "missing argument to repetition operator") < 0 || !(n = atom(ps)))
        return NULL;
    op = ps->p;
    if ((r = operator(ps, &min, &max)) <= 0)
        return r < 0 ? NULL : n;
    struct node *rep = node(ps, NODE_REPEAT), **what = repeated(&n, quote);

    rep->child = *what;
    rep->min = min;
    rep->max = max;
    *what = rep;
    if ((min > 1 || max > 1) && !copies_fit(rep, PATTERN_MAX_REPEAT))
        return fail(ps, "invalid repeat count", op, (size_t)(ps->p - op));
    return no_operator(ps, op, "invalid nested repetition operator") < 0 ? NULL : n;
}

static struct node *concatenation(struct parse *ps)
{
    struct node *all = node(ps, NODE_CONCAT), **at = &all->child;

    for (; *ps->p && *ps->p != '|' && *ps->p != ')'; at = &(*at)->next) {
        if (!(*at = repetition(ps)))
            return NULL;
        if (!ps->room) {
            err_set(ps->e, -E2BIG, "error parsing regexp: expression too large");
            return NULL;
        }
    }
    return all;
}

static struct node *alternation(struct parse *ps)
{
    struct node *all = node(ps, NODE_ALTERNATE), **at = &all->child;

    if (++ps->depth > PATTERN_MAX_DEPTH)
        return fail(ps, "expression nests too deeply", ps->p, strlen(ps->p));
    for (;; ps->p++, at = &(*at)->next) {
        if (!(*at = concatenation(ps)))
            return NULL;
        if (*ps->p != '|')
            break;
    }
    ps->depth--;
    return all;
}

struct node *regex_parse(const char *text, struct arena *a, size_t room, struct err *e)
{
    struct parse ps = {.p = text, .a = a, .e = e, .room = room};
    struct node *n = alternation(&ps);

    if (n && *ps.p)
        return fail(&ps, "unexpected )", text, strlen(text));
    return n;
}
