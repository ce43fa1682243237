/*
 * Reading and building JSON documents on yyjson.
 *
 * Paths are given key by key, since Kubernetes keys contain dots and slashes:
 *     const char *img = jget_str(root, "spec", "containers") ...
 * All readers accept NULL values and missing parts and answer NULL, the default, or 0.
 *
 * Immutable documents (`yyjson_val`) may be read from several threads; mutable ones have one owner.
 */
#ifndef NONAGON_JSON_JSON_H
#define NONAGON_JSON_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

static inline void yyjson_doc_freep(yyjson_doc **d)
{
    yyjson_doc_free(*d);
}
static inline void yyjson_mut_doc_freep(yyjson_mut_doc **d)
{
    yyjson_mut_doc_free(*d);
}
#define _cleanup_jdoc_ _cleanup_(yyjson_doc_freep)
#define _cleanup_jmut_ _cleanup_(yyjson_mut_doc_freep)

/*
 * Parses strictly; depth and size are bounded (LIMIT_JSON_DEPTH). The message names line and
 * column. The document copies the input. Free with yyjson_doc_free.
 */
yyjson_doc *json_parse(const char *p, size_t n, struct err *e);

/* Compact text, malloc'ed and terminated. */
char *json_text(const yyjson_val *v, size_t *ret_n);
char *json_mut_text(const yyjson_mut_val *v, size_t *ret_n);

/* ---- reading: variadic key paths ---- */
#define JPATH(...) ((const char *const[]){__VA_ARGS__, NULL})
yyjson_val *jget_p(const yyjson_val *v, const char *const *path);
const char *jget_str_p(const yyjson_val *v, const char *const *path);
int64_t jget_int_p(const yyjson_val *v, int64_t def, const char *const *path);
bool jget_bool_p(const yyjson_val *v, bool def, const char *const *path);

#define jget(v, ...)           jget_p(v, JPATH(__VA_ARGS__))
#define jget_str(v, ...)       jget_str_p(v, JPATH(__VA_ARGS__)) /* NULL unless a string */
#define jget_int(v, def, ...)  jget_int_p(v, def, JPATH(__VA_ARGS__))
#define jget_bool(v, def, ...) jget_bool_p(v, def, JPATH(__VA_ARGS__))

/* Deep equality; object member order does not matter, numbers compare by value. */
bool json_equal(const yyjson_val *a, const yyjson_val *b);

/* ---- the same over mutable values ---- */
yyjson_mut_val *jm_get_p(const yyjson_mut_val *v, const char *const *path);
const char *jm_get_str_p(const yyjson_mut_val *v, const char *const *path);
int64_t jm_get_int_p(const yyjson_mut_val *v, int64_t def, const char *const *path);
bool jm_get_bool_p(const yyjson_mut_val *v, bool def, const char *const *path);
#define jm_get(v, ...)           jm_get_p(v, JPATH(__VA_ARGS__))
#define jm_get_str(v, ...)       jm_get_str_p(v, JPATH(__VA_ARGS__))
#define jm_get_int(v, def, ...)  jm_get_int_p(v, def, JPATH(__VA_ARGS__))
#define jm_get_bool(v, def, ...) jm_get_bool_p(v, def, JPATH(__VA_ARGS__))

/*
 * ---- building: set at a path, making the objects on the way; strings are copied ----
 * `o` must be an object. A NULL string removes the key instead. An existing value is replaced.
 */
void jm_set_p(yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_mut_val *v, const char *const *path);
void jm_set_str_p(yyjson_mut_doc *d, yyjson_mut_val *o, const char *v, const char *const *path);
void jm_set_int_p(yyjson_mut_doc *d, yyjson_mut_val *o, int64_t v, const char *const *path);
void jm_set_bool_p(yyjson_mut_doc *d, yyjson_mut_val *o, bool v, const char *const *path);
void jm_set_copy_p(yyjson_mut_doc *d, yyjson_mut_val *o, const yyjson_val *v,
                   const char *const *path); /* deep copy; NULL removes */
void jm_del_p(yyjson_mut_val *o, const char *const *path);
/* The object / array at a path, made if it is not there. */
yyjson_mut_val *jm_obj_p(yyjson_mut_doc *d, yyjson_mut_val *o, const char *const *path);
yyjson_mut_val *jm_arr_p(yyjson_mut_doc *d, yyjson_mut_val *o, const char *const *path);

/* Two steps, so that a macro which stands for "d, o" (KM of kube/object.h) is expanded before the
 * arguments are told apart. */
#define jm_set(...)      jm_set_(__VA_ARGS__)
#define jm_set_str(...)  jm_set_str_(__VA_ARGS__)
#define jm_set_int(...)  jm_set_int_(__VA_ARGS__)
#define jm_set_bool(...) jm_set_bool_(__VA_ARGS__)
#define jm_set_copy(...) jm_set_copy_(__VA_ARGS__)
#define jm_obj(...)      jm_obj_(__VA_ARGS__)
#define jm_arr(...)      jm_arr_(__VA_ARGS__)
#define jm_del(o, ...)   jm_del_p(o, JPATH(__VA_ARGS__))

#define jm_set_(d, o, v, ...)      jm_set_p(d, o, v, JPATH(__VA_ARGS__))
#define jm_set_str_(d, o, v, ...)  jm_set_str_p(d, o, v, JPATH(__VA_ARGS__))
#define jm_set_int_(d, o, v, ...)  jm_set_int_p(d, o, v, JPATH(__VA_ARGS__))
#define jm_set_bool_(d, o, v, ...) jm_set_bool_p(d, o, v, JPATH(__VA_ARGS__))
#define jm_set_copy_(d, o, v, ...) jm_set_copy_p(d, o, v, JPATH(__VA_ARGS__))
#define jm_obj_(d, o, ...)         jm_obj_p(d, o, JPATH(__VA_ARGS__))
#define jm_arr_(d, o, ...)         jm_arr_p(d, o, JPATH(__VA_ARGS__))

/* Appends a new empty object, or a copied string, to an array. */
yyjson_mut_val *jm_add_obj(yyjson_mut_doc *d, yyjson_mut_val *arr);
void jm_add_str(yyjson_mut_doc *d, yyjson_mut_val *arr, const char *s);

#endif
