/*
 * All states of the machine walk over the text together, so each instruction is looked at once per
 * code point at most. Following jumps uses a stack of its own, as deep as the program is long.
 */
#include "cluster/apiserver/pattern/regex.h"

#define NO_CHAR UINT32_MAX /* before the first and behind the last */

struct states {
    uint32_t *at; /* instructions that wait for a code point */
    size_t n;
};
struct machine {
    const struct pattern *p;
    struct states now, then;
    uint32_t *mark; /* the round in which an instruction was last followed */
    uint32_t round;
    uint32_t *stack;
    bool matched;
    uint64_t steps;
};

static bool is_word(uint32_t c)
{
    return c < 128 &&
           ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= 'a' && c <= 'z'));
}

static bool holds(enum assertion where, uint32_t before, uint32_t after)
{
    switch (where) {
    case AT_TEXT_BEGIN:
        return before == NO_CHAR;
    case AT_TEXT_END:
        return after == NO_CHAR;
    case AT_LINE_BEGIN:
        return before == NO_CHAR || before == '\n';
    case AT_LINE_END:
        return after == NO_CHAR || after == '\n';
    case AT_WORD_EDGE:
        return is_word(before) != is_word(after);
    default:
        return is_word(before) == is_word(after);
    }
}

/* Adds the states that instruction `from` leads to between the two code points. */
static void follow(struct machine *m, struct states *to, uint32_t from, uint32_t before,
                   uint32_t after)
{
    size_t n = 0;

    m->stack[n++] = from;
    while (n) {
        uint32_t at = m->stack[--n];
        const struct inst *i = &m->p->code[at];

        if (m->mark[at] == m->round)
            continue;
        m->mark[at] = m->round;
        m->steps++;
        if (i->op == INST_MATCH) {
            m->matched = true;
        } else if (i->op == INST_CHAR || i->op == INST_SET) {
            to->at[to->n++] = at;
        } else if (i->op == INST_JUMP) {
            m->stack[n++] = i->arg;
        } else if (i->op == INST_SPLIT) {
            m->stack[n++] = at + 1;
            m->stack[n++] = i->arg;
        } else if (holds((enum assertion)i->arg, before, after)) {
            m->stack[n++] = at + 1;
        }
    }
}

static bool takes(const struct pattern *p, const struct inst *i, uint32_t c)
{
    if (i->op == INST_CHAR)
        return i->arg == c;
    const struct set *s = &p->sets[i->arg];

    return c < 128 ? s->ascii[c / 64] >> c % 64 & 1 : charset_has(s->ranges, s->n, c);
}

/* The next code point; bytes that are none are U+FFFD each, as in Go. */
static uint32_t take(const char **p, const char *end)
{
    const unsigned char *q = (const unsigned char *)*p;
    size_t left = (size_t)(end - *p);

    if (!left)
        return NO_CHAR;
    size_t more = q[0] < 0x80 ? 0 : q[0] >= 0xf0 ? 3 : q[0] >= 0xe0 ? 2 : 1;
    uint32_t c = more ? q[0] & (0x3fu >> more) : q[0];

    if ((q[0] >= 0x80 && q[0] < 0xc2) || q[0] > 0xf4 || more >= left)
        return (*p)++, 0xfffd;
    for (size_t i = 1; i <= more; i++) {
        if ((q[i] & 0xc0) != 0x80)
            return (*p)++, 0xfffd;
        c = c << 6 | (q[i] & 0x3f);
    }
    *p += more + 1;
    return c;
}

static void step(struct machine *m, uint32_t c, uint32_t after)
{
    m->round++;
    m->then.n = 0;
    for (size_t i = 0; i < m->now.n; i++)
        if (takes(m->p, &m->p->code[m->now.at[i]], c))
            follow(m, &m->then, m->now.at[i] + 1, c, after);
    if (!m->p->anchored)
        follow(m, &m->then, 0, c, after);
    struct states s = m->now;

    m->now = m->then;
    m->then = s;
}

static enum pattern_result run(struct machine *m, struct str text, uint64_t budget)
{
    const char *at = text.p, *end = text.p + text.n;
    uint32_t c = take(&at, end), after;

    m->round = 1;
    follow(m, &m->now, 0, NO_CHAR, c);
    while (!m->matched && c != NO_CHAR && (m->now.n || !m->p->anchored)) {
        if (m->steps > budget)
            return PATTERN_TOO_COSTLY;
        after = take(&at, end);
        step(m, c, after);
        c = after;
    }
    return m->matched ? PATTERN_YES : PATTERN_NO;
}

enum pattern_result pattern_search(const struct pattern *p, struct str text, uint64_t *budget)
{
    size_t n = p->n;
    uint32_t *room = xcalloc(5 * n + 2, sizeof(*room));
    struct machine m = {.p = p,
                        .now = {room, 0},
                        .then = {room + n, 0},
                        .mark = room + 2 * n,
                        .stack = room + 3 * n};
    enum pattern_result r = run(&m, text, *budget);

    free(room);
    *budget -= m.steps < *budget ? m.steps : *budget;
    return r;
}
