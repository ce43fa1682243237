/* Small helpers on mutable JSON trees that the API server shares. Pure. */
#ifndef NONAGON_CLUSTER_APISERVER_SCHEMA_TREE_H
#define NONAGON_CLUSTER_APISERVER_SCHEMA_TREE_H

#include "cluster/apiserver/schema/fields.h"
#include "json/json.h"

/* Deep equality; member order does not matter, numbers compare by value. NULL equals only NULL. */
bool tree_equal(const yyjson_mut_val *a, const yyjson_val *b);
bool tree_same(const yyjson_mut_val *a, const yyjson_mut_val *b);
/* As tree_equal on two objects, looking only at members other than those named. */
bool tree_equal_without(const yyjson_mut_val *a, const yyjson_val *b, const char *const *without);
/* Drops members whose value is null, at any depth: how typed kinds read null. */
void tree_drop_nulls(yyjson_mut_val *v);
/* Makes object keys unique, the last one winning; calls `dup` with the path of each that went. */
void tree_unique(yyjson_mut_val *root, void (*dup)(void *ctx, const char *path), void *ctx);
/* Sets obj[key] = v in place if it is not there. */
void tree_default_str(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, const char *v);
void tree_default_int(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, int64_t v);
void tree_default_bool(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, bool v);
void tree_default_obj(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key);
/* Moves apiVersion and kind to the front: stored bytes then begin alike, whatever the client's
 * order. */
void tree_type_first(yyjson_mut_doc *d, yyjson_mut_val *root);

#define TREE_EACH(it, list)                                                                        \
    for (yyjson_mut_arr_iter it##_i = yyjson_mut_arr_iter_with(list), *it##_o = &it##_i; it##_o;   \
         it##_o = NULL)                                                                            \
        for (yyjson_mut_val * it; (it = yyjson_mut_arr_iter_next(&it##_i));)

#endif
