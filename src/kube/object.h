/*
 * Kubernetes objects as documents: carried whole, read through accessors.
 *
 * `kobj` is immutable and reference-counted (atomically: may be shared between threads); `kmut` is
 * a private copy being built. Names of groups, kinds and resources travel as `struct
 * kube_resource`.
 */
#ifndef NONAGON_KUBE_OBJECT_H
#define NONAGON_KUBE_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "json/json.h"

struct kube_resource {
    const char *group; /* "" = core */
    const char *version;
    const char *plural;
    const char *kind;
    bool namespaced;
};
/* "v1" or "group/version". */
void kube_api_version(const struct kube_resource *r, char *ret, size_t size);
bool kube_resource_eq(const struct kube_resource *a,
                      const struct kube_resource *b); /* group and plural */

/* Core kinds (the contract library declares the others). */
extern const struct kube_resource KR_NAMESPACE, KR_POD, KR_SERVICE, KR_ENDPOINTS, KR_CONFIGMAP,
    KR_SECRET, KR_SERVICEACCOUNT, KR_EVENT, KR_NODE, KR_DEPLOYMENT, KR_REPLICASET, KR_LEASE,
    KR_ENDPOINTSLICE, KR_CRD;

/* ---- immutable ---- */
struct kobj;
/* Parses an object; it must be a JSON object with metadata.name (or metadata.generateName). */
struct kobj *kobj_parse(const char *p, size_t n, struct err *e);
struct kobj *kobj_from_doc(yyjson_doc *doc);     /* takes the document */
struct kobj *kobj_from_val(const yyjson_val *v); /* deep copy */
struct kobj *kobj_ref(const struct kobj *o);
void kobj_unref(const struct kobj *o);
/*
 * For what is kept long: takes a reference that nobody else has and gives one to an equal object
 * that some cache of this process holds already, if there is one.
 */
struct kobj *kobj_share(struct kobj *o);
size_t kobj_names_known(void); /* field names kept once for all objects; at most LIMIT_FIELD_NAMES */
static inline void kobj_unrefp(const struct kobj **o)
{
    kobj_unref(*o);
}
#define _cleanup_kobj_ _cleanup_(kobj_unrefp) /* for const struct kobj * */

yyjson_val *kobj_root(const struct kobj *o); /* NULL for NULL */
const char *kobj_name(const struct kobj *o);
const char *kobj_namespace(const struct kobj *o); /* "" for cluster-scoped */
const char *kobj_uid(const struct kobj *o);
const char *kobj_kind(const struct kobj *o);
uint64_t kobj_rv(const struct kobj *o); /* metadata.resourceVersion as a number, 0 when unset */
int64_t kobj_generation(const struct kobj *o);
bool kobj_deleting(const struct kobj *o);                           /* has a deletionTimestamp */
const char *kobj_label(const struct kobj *o, const char *key);      /* NULL when absent */
const char *kobj_annotation(const struct kobj *o, const char *key); /* NULL when absent */
/* "namespace/name", or "name" for cluster-scoped; malloc'ed. */
char *kobj_key(const struct kobj *o);
char *kube_key(const char *ns, const char *name);
/* Points into the key; ns is "" when there is no slash. `ret_ns` needs 254 bytes of room. */
void kube_key_split(const char *key, char ret_ns[static 254], const char **ret_name);

/* The owner reference with controller=true, NULL when there is none. */
yyjson_val *kobj_controller(const struct kobj *o);
bool kobj_controlled_by(const struct kobj *o, const struct kobj *owner); /* by uid */
/* status.conditions[type] */
yyjson_val *kobj_condition(const struct kobj *o, const char *type);
bool kobj_condition_is(const struct kobj *o, const char *type, const char *status);
/* observedGeneration == generation and Ready is True (False). */
bool kobj_is_ready(const struct kobj *o);
bool kobj_is_failed(const struct kobj *o);

/* ---- being built ---- */
struct kmut {
    yyjson_mut_doc *d;
    yyjson_mut_val *root;
};
struct kmut *kmut_new(const struct kube_resource *r, const char *ns, const char *name);
struct kmut *kmut_from(const struct kobj *o); /* deep copy */
void kmut_free(struct kmut *m);
DEFINE_CLEANUP(struct kmut *, kmut_free)
struct kobj *kmut_freeze(const struct kmut *m); /* an immutable copy */
char *kmut_text(const struct kmut *m, size_t *ret_n);
void kmut_label(struct kmut *m, const char *key, const char *value);      /* NULL removes */
void kmut_annotation(struct kmut *m, const char *key, const char *value); /* NULL removes */
/* Appends an owner reference with controller and blockOwnerDeletion true; api version and kind from
 * the owner. */
void kmut_set_controller(struct kmut *m, const struct kobj *owner);
/* kmut field helpers: KM(m) gives the "doc, root" pair for the jm_ functions: jm_set_str(KM(m),
 * "x", "spec", "y"). */
#define KM(m) (m)->d, (m)->root

#endif
