/*
 * The three patch languages of the Kubernetes API, as pure functions on documents. Each returns a
 * new mutable document (the target and patch are not changed) or NULL with an error that names the
 * path. Work is bounded: LIMIT_PATCH_OPS operations, LIMIT_OBJECT bytes of copied values.
 */
#ifndef NONAGON_JSON_PATCH_H
#define NONAGON_JSON_PATCH_H

#include "json/json.h"

/* RFC 7396. */
yyjson_mut_doc *patch_merge(const yyjson_val *target, const yyjson_val *patch, struct err *e);

/* RFC 6902: add, remove, replace, move, copy, test. -EINVAL malformed, -ENOENT path, -EPERM test
 * failed. */
yyjson_mut_doc *patch_json(const yyjson_val *target, const yyjson_val *ops, struct err *e);

/*
 * Strategic merge. `keys` answers, for the list at a schema path ("spec.containers",
 * "spec.template.spec.containers.ports": field names joined by dots, list indices left out), the
 * name of the merge key, "" for a set of scalars merged by value, or NULL for an atomic list.
 * Supports
 * `$patch: delete|replace|merge`, `$retainKeys`, `$deleteFromPrimitiveList/…`,
 * `$setElementOrder/…`.
 */
typedef const char *patch_merge_key_fn(void *ctx, const char *path);
yyjson_mut_doc *patch_strategic(const yyjson_val *target, const yyjson_val *patch,
                                patch_merge_key_fn *keys, void *ctx, struct err *e);

/*
 * The merge patch that turns `from` into `to` (RFC 7396); an empty object when they are equal.
 * Returned document's root is the patch.
 */
yyjson_mut_doc *patch_diff(const yyjson_val *from, const yyjson_val *to);

#endif
