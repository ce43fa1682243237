/*
 * Between the pattern's files: the tree that the parser makes, the program that the compiler makes
 * of it, and what the matcher runs.
 */
#ifndef NONAGON_CLUSTER_APISERVER_PATTERN_REGEX_H
#define NONAGON_CLUSTER_APISERVER_PATTERN_REGEX_H

#include "base/arena.h"
#include "cluster/apiserver/pattern/charset.h"
#include "cluster/apiserver/pattern/pattern.h"

enum assertion {
    AT_TEXT_BEGIN,
    AT_TEXT_END,
    AT_LINE_BEGIN,
    AT_LINE_END,
    AT_WORD_EDGE,
    AT_NO_WORD_EDGE,
};

enum node_op {
    NODE_EMPTY,
    NODE_SET,    /* one code point of a set */
    NODE_ASSERT, /* a place */
    NODE_CONCAT,
    NODE_ALTERNATE,
    NODE_REPEAT, /* its only child, min … max times; max -1 = without end */
};
struct node {
    enum node_op op;
    struct node *child, *next; /* children are a list */
    struct char_range *ranges; /* NODE_SET; in the arena */
    size_t n_ranges;
    uint32_t set; /* its number in the program and 1, 0 = has none yet */
    enum assertion where;
    int min, max;
};
/* The tree lives in the arena; nodes and ranges together are at most `room`. NULL with an error. */
struct node *regex_parse(const char *text, struct arena *a, size_t room, struct err *e);

enum inst_op {
    INST_CHAR,   /* the code point arg, then the next instruction */
    INST_SET,    /* one of set number arg */
    INST_SPLIT,  /* the next instruction and instruction arg */
    INST_JUMP,   /* instruction arg */
    INST_ASSERT, /* assertion arg */
    INST_MATCH,
};
struct inst {
    enum inst_op op;
    uint32_t arg;
};
struct set {
    uint64_t ascii[2]; /* a bit for each of the first 128 */
    const struct char_range *ranges;
    size_t n;
};
struct pattern {
    struct inst *code;
    size_t n;
    struct set *sets;
    size_t n_sets;
    bool anchored; /* can match at the beginning of the text only */
};

#endif
