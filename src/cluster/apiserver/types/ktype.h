/*
 * The shape of built-in kinds: one table of fields per type of the Kubernetes API, from which
 * decoding, unknown fields, defaults, required fields, words, merge keys, protobuf and OpenAPI are
 * all read. Names, numbers and pointers are those of the published API types (k8s.io/api,
 * k8s.io/apimachinery, k8s.io/apiextensions-apiserver). Tables are constant; everything here is
 * pure.
 */
#ifndef NONAGON_CLUSTER_APISERVER_TYPES_KTYPE_H
#define NONAGON_CLUSTER_APISERVER_TYPES_KTYPE_H

#include "cluster/apiserver/schema/fields.h"

enum kbase {
    K_STR,
    K_INT32,
    K_INT64,
    K_BOOL,
    K_DOUBLE,
    K_BYTES, /* base64 in JSON */
    K_TIME,
    K_MICRO_TIME,
    K_QUANTITY,   /* "100m"; a number is read and becomes text */
    K_INT_OR_STR, /* 80 or "http" */
    K_OBJ,
    K_INLINE,         /* its fields belong to the one around it; a message of its own in protobuf */
    K_JSON,           /* anything */
    K_SCHEMA_OR_BOOL, /* three shapes that JSON schemas have */
    K_SCHEMA_OR_LIST,
    K_SCHEMA_OR_STRS,
    K_SKIPPED, /* known and not kept */
};
enum kshape { K_ONE, K_LIST, K_MAP, K_MAP_OF_LISTS };

struct ktype;
struct kfield {
    const char *name;       /* "" of K_INLINE */
    const struct ktype *of; /* of objects */
    const char *key; /* lists that patches merge: by this field of their items; "" = by value */
    const char *def; /* what stands there when nothing does: a word, a number, or {} */
    const char *const
        *words;      /* the only strings that are valid, NULL-terminated; "" counts as none */
    uint16_t number; /* of the protobuf field */
    enum kbase base : 8;
    enum kshape shape : 8;
    bool ptr : 1; /* a pointer in Go: kept when it is set to zero or nothing */
    bool required : 1;
};
struct ktype {
    const char *name, *package;
    const struct kfield *fields; /* ended by a NULL name */
};

/* ---- reading ---- */
/* The field of this name, those of inlined types included; NULL if there is none. */
const struct kfield *ktype_field(const struct ktype *t, const char *name);

struct kdecode {
    /* NULL or told of each field that is not in the table, and is dropped */
    void (*unknown)(void *ctx, const char *path);
    void *ctx;
    bool defaults;  /* fill in what the tables have */
    const char *at; /* the part of an object that this is ("metadata"); NULL = the whole */
};
/*
 * Makes of JSON what Go's types would hold: nulls and unknown fields go, numbers that are
 * quantities become text. -EINVAL with Go's words for a value of the wrong type. The root's
 * apiVersion and kind stay.
 */
int ktype_decode(const struct ktype *t, yyjson_mut_doc *d, yyjson_mut_val *root,
                 const struct kdecode *how, struct err *e);
/* Required fields and words, with their paths below `path`. */
void ktype_check(const struct ktype *t, yyjson_mut_val *root, struct field_path *path,
                 struct field_errors *errs);
/* How the list at a dotted path merges in a strategic patch; NULL when it is replaced. See
 * json/patch.h. */
const char *ktype_merge_key(const struct ktype *t, const char *path);

/* ---- OpenAPI ---- */
/* Appends `"NAME":{schema}` of a type and all that it leads to, each once: `seen` has the names
 * that are there already. */
struct map;
void ktype_openapi(struct buf *out, const struct ktype *t, struct map *seen, const char *extra);

#endif
