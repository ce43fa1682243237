/*
 * Typed growing arrays: `VEC(struct str) hosts = {0};  vec_push(&hosts, s);  hosts.p[i]; hosts.n`.
 * The caller bounds the count where it comes from outside. vec_done frees the array, not the items.
 */
#ifndef NONAGON_BASE_VEC_H
#define NONAGON_BASE_VEC_H

#include <string.h>

#include "base/mem.h"

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *p;                                                                                   \
        size_t n, cap;                                                                             \
    }

#define vec_grow(v)                                                                                \
    do {                                                                                           \
        if ((v)->n == (v)->cap) {                                                                  \
            (v)->cap = (v)->cap ? (v)->cap * 2 : 4;                                                \
            (v)->p = xrealloc((v)->p, (v)->cap * sizeof(*(v)->p));                                 \
        }                                                                                          \
    } while (0)

#define vec_push(v, item)                                                                          \
    do {                                                                                           \
        vec_grow(v);                                                                               \
        (v)->p[(v)->n++] = (item);                                                                 \
    } while (0)

/* Removes index i, keeping the order. */
#define vec_remove(v, i)                                                                           \
    do {                                                                                           \
        size_t vec_i_ = (i);                                                                       \
        memmove(&(v)->p[vec_i_], &(v)->p[vec_i_ + 1], ((v)->n - vec_i_ - 1) * sizeof(*(v)->p));    \
        (v)->n--;                                                                                  \
    } while (0)

#define vec_done(v)                                                                                \
    do {                                                                                           \
        free((v)->p);                                                                              \
        (v)->p = NULL;                                                                             \
        (v)->n = (v)->cap = 0;                                                                     \
    } while (0)

#endif
