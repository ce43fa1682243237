/*
 * The JSONPath subset that CRDs use for printer columns: .a.b, ['a\.b/c'], [0], [*],
 * [?(@.type=='Ready')], with or without braces around. Compiled once; pure.
 */
#ifndef NONAGON_CLUSTER_APISERVER_SCHEMA_JSONPATH_H
#define NONAGON_CLUSTER_APISERVER_SCHEMA_JSONPATH_H

#include "json/json.h"

struct jsonpath;
struct jsonpath *jsonpath_parse(const char *text, struct err *e);
void jsonpath_free(struct jsonpath *p);
DEFINE_CLEANUP(struct jsonpath *, jsonpath_free)
/* The first value that the path leads to, NULL when there is none. */
yyjson_val *jsonpath_first(const struct jsonpath *p, const yyjson_val *root);

/* For paths of fields only, as the scale subresource demands: the keys, NULL-terminated; NULL for
 * other paths. */
const char *const *jsonpath_keys(const struct jsonpath *p);

#endif
