/*
 * Field errors as Kubernetes words them ("spec.x: Required value"), and the path that a walk over
 * an object is at. Plain values; bounded: a hundred errors, paths of 4 KiB.
 */
#ifndef NONAGON_CLUSTER_APISERVER_SCHEMA_FIELDS_H
#define NONAGON_CLUSTER_APISERVER_SCHEMA_FIELDS_H

#include "base/buf.h"
#include "base/vec.h"
#include "json/json.h"

enum field_error_type {
    FE_REQUIRED,
    FE_INVALID,
    FE_TYPE_INVALID,
    FE_UNSUPPORTED,
    FE_DUPLICATE,
    FE_FORBIDDEN,
    FE_TOO_LONG,
    FE_TOO_MANY,
    FE_NOT_FOUND,
};

struct field_error {
    enum field_error_type type;
    char *path;
    char *text; /* what follows the path, as in "Required value: must be set" */
};

struct field_errors {
    VEC(struct field_error) v;
    size_t dropped; /* beyond the bound */
};
void field_errors_done(struct field_errors *f);
static inline void field_errors_donep(struct field_errors *f)
{
    field_errors_done(f);
}
#define _cleanup_errors_ _cleanup_(field_errors_donep)

/* The cause's reason: "FieldValueRequired", … */
const char *field_error_reason(enum field_error_type t);

/* `value` is the text already rendered (see go_value), NULL where the type shows none; detail may
 * be NULL. */
void field_error_add(struct field_errors *f, enum field_error_type type, const char *path,
                     const char *value, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void field_required(struct field_errors *f, const char *path, const char *detail);
/* The bad value is a string. */
void field_invalid_str(struct field_errors *f, const char *path, const char *value, const char *fmt,
                       ...) __attribute__((format(printf, 4, 5)));
void field_invalid_int(struct field_errors *f, const char *path, int64_t value, const char *fmt,
                       ...) __attribute__((format(printf, 4, 5)));
/* `supported` is NULL-terminated. */
void field_unsupported(struct field_errors *f, const char *path, const char *value,
                       const char *const *supported);
void field_duplicate(struct field_errors *f, const char *path, const char *value);

/* Appends the value as Go prints it in such messages: "text" quoted, 5, true, map[string]interface
 * {}{…}. */
void go_value(struct buf *out, const yyjson_mut_val *v);
void go_quote(struct buf *out, const char *s);

/* Whether bytes are UTF-8 as JSON demands: shortest forms, no surrogates, at most U+10FFFF. */
bool utf8_valid(const void *p, size_t n);

/* ---- the place of a walk ---- */
struct field_path {
    struct buf b;
};
#define FIELD_PATH_INIT ((struct field_path){.b = BUF_INIT(4096)})
static inline void field_path_donep(struct field_path *p)
{
    buf_done(&p->b);
}
#define _cleanup_path_ _cleanup_(field_path_donep)
/* Each goes one step down and returns the mark to come back to. */
size_t path_key(struct field_path *p, const char *key);
size_t path_index(struct field_path *p, size_t i);
size_t path_map_key(struct field_path *p, const char *key); /* labels[key] */
void path_pop(struct field_path *p, size_t mark);
static inline const char *path_z(const struct field_path *p)
{
    return buf_z(&p->b);
}

#endif
