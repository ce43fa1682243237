/*
 * The form that objects are stored in: compact JSON that begins with apiVersion, kind, metadata,
 * and metadata with resourceVersion. So the version can be put in (and the API version exchanged)
 * without parsing. Pure.
 */
#ifndef NONAGON_CLUSTER_APISERVER_KINDS_CANON_H
#define NONAGON_CLUSTER_APISERVER_KINDS_CANON_H

#include "base/buf.h"
#include "kube/object.h"

/*
 * Orders the object in place and serializes it with an empty resourceVersion; malloc'ed. NULL for
 * an object whose type needs escaping in JSON, which has no stored form: nothing may be written.
 */
char *canon_text(struct kmut *o, size_t *ret_n);
/* A copy with this resourceVersion; NULL if the text is not in the stored form. rev 0 leaves it
 * empty. */
char *canon_with_rev(struct str text, uint64_t rev, size_t *ret_n);
/* Appends the text with another "group/version" as its apiVersion. */
int canon_add_as(struct buf *out, struct str text, const char *api_version);

#endif
