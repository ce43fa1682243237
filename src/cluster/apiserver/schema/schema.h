/*
 * Structural schemas of custom resources: compiled once from the CRD, then pruning, defaulting and
 * validation of objects. A compiled schema is immutable; it points into the CRD's document, which
 * must outlive it. Pure.
 */
#ifndef NONAGON_CLUSTER_APISERVER_SCHEMA_SCHEMA_H
#define NONAGON_CLUSTER_APISERVER_SCHEMA_SCHEMA_H

#include "base/map.h"
#include "cluster/apiserver/pattern/pattern.h"
#include "cluster/apiserver/schema/fields.h"
#include "cluster/apiserver/schema/formats.h"

#define SCHEMA_PATTERN_ROOM  (1 << 20) /* instructions of all patterns of a schema together */
#define SCHEMA_PATTERN_STEPS 50000000  /* what matching them may cost per object */

enum schema_type {
    SCHEMA_ANY,
    SCHEMA_OBJECT,
    SCHEMA_ARRAY,
    SCHEMA_STRING,
    SCHEMA_INTEGER,
    SCHEMA_NUMBER,
    SCHEMA_BOOLEAN,
};
enum schema_list { LIST_ATOMIC, LIST_SET, LIST_MAP };
enum schema_format { FORMAT_NONE, FORMAT_INT32, FORMAT_INT64 };

typedef VEC(struct schema *) schema_vec;
struct schema {
    enum schema_type type;
    enum schema_list list;
    enum schema_format format;                 /* of numbers */
    const struct string_format *string_format; /* NULL = none that is checked */
    bool nullable, preserve, int_or_string, embedded, forbids_additional;
    bool has_min, has_max, exclusive_min, exclusive_max;
    double min, max, multiple_of;
    int64_t min_len, max_len, min_items, max_items, min_props, max_props; /* -1 = none */
    struct map *props;         /* name -> struct schema, NULL = none */
    struct schema *additional; /* additionalProperties as a schema */
    bool additional_any;       /* additionalProperties: true */
    struct schema *items;
    VEC(const char *) required, map_keys;
    yyjson_val *def;           /* default, NULL = none */
    yyjson_val *one_of_values; /* enum */
    const char *pattern_text;
    struct pattern *pattern;
    schema_vec all_of, any_of, one_of;
    struct schema *not_;
};
/* NULL with errors below `path` when it cannot be served (not structural, a pattern that is not
 * understood, …). */
struct schema *schema_compile(const yyjson_val *v, struct field_path *path,
                              struct field_errors *errs);
void schema_free(struct schema *s);
DEFINE_CLEANUP(struct schema *, schema_free)

/* Drops what the schema does not know; `unknown` (may be NULL) is called with the path of each. The
 * root of an object keeps apiVersion, kind and metadata. */
void schema_prune(const struct schema *s, yyjson_mut_val *root,
                  void (*unknown)(void *ctx, const char *path), void *ctx);
/* Fills defaults, and replaces null by the default where null is not allowed. */
void schema_default(const struct schema *s, yyjson_mut_doc *d, yyjson_mut_val *root);
void schema_validate(const struct schema *s, const yyjson_mut_val *root, struct field_errors *errs);

#endif
