/*
 * Errors about fields, collected during validation and rendered as clients of Knative know them:
 * equal messages are united over their paths, paths sorted, entries sorted by message and details,
 * one per line with details below. Warnings are kept apart and do not refuse. Pure; one owner.
 */
#ifndef NONAGON_CONTRACT_FIELD_ERROR_H
#define NONAGON_CONTRACT_FIELD_ERROR_H

#include <stdint.h>

#include "base/mem.h"
#include "base/vec.h"

/* Where one is in the object: a chain on the stack, rendered only when something is wrong. */
struct fpath {
    const struct fpath *up; /* NULL at the root */
    const char *name;       /* one field name or several joined with dots; NULL for an index */
    size_t index;
};
#define FP(parent, field) (&(const struct fpath){.up = (parent), .name = (field)})
#define FPI(parent, field, i)                                                                      \
    (&(const struct fpath){.up = FP(parent, field), .name = NULL, .index = (i)})
#define FP_ROOT ((const struct fpath *)NULL)

enum fe_level { FE_ERROR, FE_WARNING };

struct field_error {
    enum fe_level level;
    char *message, *details; /* details may be NULL */
    VEC(char *) paths;
};
struct field_errors {
    VEC(struct field_error) items;
};

void fe_done(struct field_errors *fe);
#define _cleanup_fe_ _cleanup_(fe_done)

/*
 * Every field argument is relative to `at`; "" means `at` itself and NULL means no path at all. The
 * general form; the rest are the fixed texts.
 */
void fe_add(struct field_errors *fe, enum fe_level level, const struct fpath *at, const char *field,
            const char *details, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
void fe_missing(struct field_errors *fe, const struct fpath *at, const char *field);
void fe_disallowed(struct field_errors *fe, const struct fpath *at, const char *field);
void fe_invalid(struct field_errors *fe, const struct fpath *at, const char *field,
                const char *value, const char *details);
void fe_bounds(struct field_errors *fe, const struct fpath *at, const char *field, int64_t lo,
               int64_t value, int64_t hi);
/* fields: NULL-terminated. */
void fe_neither(struct field_errors *fe, const struct fpath *at, const char *const *fields);
void fe_both(struct field_errors *fe, const struct fpath *at, const char *const *fields);
void fe_bad_key(struct field_errors *fe, const struct fpath *at, const char *field, const char *key,
                const char *details);

size_t fe_count(const struct field_errors *fe, enum fe_level level);
/* Unites and sorts; the text is malloc'ed, "" when there is none of this level. */
char *fe_render(struct field_errors *fe, enum fe_level level);
/* Calls fn with each united entry of the level. */
void fe_each(struct field_errors *fe, enum fe_level level, void (*fn)(void *to, const char *text),
             void *to);

#endif
