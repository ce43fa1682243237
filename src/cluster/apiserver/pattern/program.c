/*
 * The tree becomes a program of a non-deterministic machine. Counts are written out as copies, so
 * the size is bounded while it grows. Only whether there is a match is asked for, never where, so
 * the order of alternatives plays no part.
 */
#include <errno.h>

#include "cluster/apiserver/pattern/regex.h"

struct program {
    VEC(struct inst) code;
    VEC(struct set) sets;
    size_t room, visits;
    bool full;
};

static size_t emit(struct program *g, enum inst_op op, uint32_t arg)
{
    if (g->code.n >= g->room) {
        g->full = true;
        return 0;
    }
    vec_push(&g->code, ((struct inst){op, arg}));
    return g->code.n - 1;
}

static void land_here(struct program *g, size_t at)
{
    if (!g->full)
        g->code.p[at].arg = (uint32_t)g->code.n;
}

static uint32_t set_of(struct program *g, struct node *n)
{
    struct set s = {.n = n->n_ranges};

    if (n->set)
        return n->set - 1;
    s.ranges = xmemdup(n->ranges, n->n_ranges * sizeof(*n->ranges) + 1);
    for (uint32_t c = 0; c < 128; c++)
        if (charset_has(n->ranges, n->n_ranges, c))
            s.ascii[c / 64] |= 1ULL << c % 64;
    vec_push(&g->sets, s);
    n->set = (uint32_t)g->sets.n;
    return n->set - 1;
}

static void write_node(struct program *g, struct node *n);

static void write_alternate(struct program *g, struct node *n)
{
    VEC(size_t) ends = {0};

    for (struct node *c = n->child; c && !g->full; c = c->next) {
        if (!c->next) {
            write_node(g, c);
            break;
        }
        size_t split = emit(g, INST_SPLIT, 0);

        write_node(g, c);
        vec_push(&ends, emit(g, INST_JUMP, 0));
        land_here(g, split);
    }
    for (size_t i = 0; i < ends.n; i++)
        land_here(g, ends.p[i]);
    vec_done(&ends);
}

static void write_repeat(struct program *g, struct node *n)
{
    VEC(size_t) outs = {0};
    size_t last = g->code.n;

    for (int i = 0; i < n->min && !g->full; i++) {
        last = g->code.n;
        write_node(g, n->child);
    }
    if (n->max < 0 && n->min > 0) {
        emit(g, INST_SPLIT, (uint32_t)last);
    } else if (n->max < 0) {
        vec_push(&outs, emit(g, INST_SPLIT, 0));
        write_node(g, n->child);
        emit(g, INST_JUMP, (uint32_t)last);
    }
    for (int i = n->min; i < n->max && !g->full; i++) {
        vec_push(&outs, emit(g, INST_SPLIT, 0));
        write_node(g, n->child);
    }
    for (size_t i = 0; i < outs.n; i++)
        land_here(g, outs.p[i]);
    vec_done(&outs);
}

static void write_node(struct program *g, struct node *n)
{
    if (g->visits++ > 4 * g->room) /* copies of nothing cost time, too */
        g->full = true;
    switch (n->op) {
    case NODE_EMPTY:
        break;
    case NODE_SET:
        if (n->n_ranges == 1 && n->ranges[0].lo == n->ranges[0].hi)
            emit(g, INST_CHAR, n->ranges[0].lo);
        else
            emit(g, INST_SET, set_of(g, n));
        break;
    case NODE_ASSERT:
        emit(g, INST_ASSERT, n->where);
        break;
    case NODE_CONCAT:
        for (struct node *c = n->child; c && !g->full; c = c->next)
            write_node(g, c);
        break;
    case NODE_ALTERNATE:
        write_alternate(g, n);
        break;
    case NODE_REPEAT:
        write_repeat(g, n);
        break;
    }
}

/* Whether every match must begin where the text begins. */
static bool is_anchored(const struct node *n)
{
    const struct node *c = n->child;

    switch (n->op) {
    case NODE_ASSERT:
        return n->where == AT_TEXT_BEGIN;
    case NODE_CONCAT:
        while (c && c->op == NODE_EMPTY)
            c = c->next;
        return c && is_anchored(c);
    case NODE_ALTERNATE:
        for (; c; c = c->next)
            if (!is_anchored(c))
                return false;
        return true;
    case NODE_REPEAT:
        return n->min > 0 && is_anchored(c);
    default:
        return false;
    }
}

static void free_sets(struct set *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)s[i].ranges);
    free(s);
}

static struct pattern *finish(struct program *g, const struct node *root)
{
    struct pattern *p = xnew(struct pattern);

    p->code = xrealloc(g->code.p, g->code.n * sizeof(*g->code.p));
    p->n = g->code.n;
    p->sets = g->sets.p;
    p->n_sets = g->sets.n;
    p->anchored = is_anchored(root);
    return p;
}

/* In units of an instruction: what the pattern holds on to. */
static size_t weight(const struct program *g)
{
    size_t n = g->code.n;

    for (size_t i = 0; i < g->sets.n; i++)
        n += (sizeof(struct set) / sizeof(struct inst)) + g->sets.p[i].n;
    return n;
}

struct pattern *pattern_compile(const char *text, size_t *room, struct err *e)
{
    struct program g = {.room = *room};
    struct pattern *p = NULL;
    struct arena a;

    arena_init(&a);
    struct node *root = regex_parse(text, &a, *room, e);

    if (root) {
        write_node(&g, root);
        emit(&g, INST_MATCH, 0);
    }
    size_t taken = weight(&g);

    if (root && !g.full && taken <= *room) {
        *room -= taken;
        p = finish(&g, root);
    } else {
        if (root)
            err_set(e, -E2BIG, "error parsing regexp: expression too large");
        free_sets(g.sets.p, g.sets.n);
        vec_done(&g.code);
    }
    arena_done(&a);
    return p;
}

void pattern_free(struct pattern *p)
{
    if (!p)
        return;
    free_sets(p->sets, p->n_sets);
    free(p->code);
    free(p);
}

size_t pattern_size(const struct pattern *p)
{
    return p->n;
}
