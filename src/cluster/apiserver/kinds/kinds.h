/*
 * What the server serves: built-in kinds and those of custom resource definitions, found by group,
 * version and plural. A kind is immutable once registered and reference-counted (not atomically:
 * the loop's thread only), so that watches and writes in flight outlive a change of their
 * definition.
 */
#ifndef NONAGON_CLUSTER_APISERVER_KINDS_KINDS_H
#define NONAGON_CLUSTER_APISERVER_KINDS_KINDS_H

#include "cluster/apiserver/request/status.h"
#include "cluster/apiserver/schema/jsonpath.h"
#include "cluster/apiserver/schema/schema.h"
#include "kube/object.h"

/* A cell is appended to `out` as JSON. `now` is wall-clock time in ns. */
typedef void column_fn(struct buf *out, const yyjson_val *obj, int64_t now);
struct api_column {
    const char *name, *type, *format, *description;
    int priority;          /* 0 = always, 1 = wide */
    column_fn *cell;       /* built-in kinds */
    struct jsonpath *path; /* custom resources */
};

struct ktype;

/* What makes a built-in kind more than a document. Any member but the type may be NULL. */
struct builtin {
    const struct ktype *type; /* its fields: see types/ktype.h */
    /* Fills what the table cannot: derived fields, and defaults that depend on others. old is NULL
     * on create. */
    void (*defaults)(struct kmut *o, const yyjson_val *old);
    void (*validate)(const struct kmut *o, const yyjson_val *old, struct field_errors *errs);
    /* Tells the client of what is accepted without effect. */
    void (*warn)(const struct kmut *o, void (*warn)(void *to, const char *text), void *to);
    const struct api_column *columns; /* ended by name == NULL */
    const char *name_rule;            /* "label", "dns1035", NULL = subdomain */
    const char *const *fields;        /* field selectors beyond metadata.name and .namespace */
};

struct api_kind {
    int refs;
    struct kube_resource res;
    const char *singular, *list_kind;
    const char *const *short_names; /* NULL-terminated or NULL */
    const char *const *categories;
    bool has_status, has_scale, has_generation;
    bool storage; /* the version that objects are stored in */
    bool served;
    bool preferred;
    bool terminating;              /* its definition is being deleted */
    const struct builtin *builtin; /* NULL for custom resources */
    const struct schema *schema;   /* custom resources */
    yyjson_val *schema_text;       /* as given, for OpenAPI */
    struct api_column *columns;    /* custom resources, ended by name == NULL */
    struct jsonpath *scale_spec, *scale_status, *scale_selector;
    const char *storage_version;
    struct kobj *definition; /* keeps every string above alive; NULL for built-in kinds */
};
struct api_kind *api_kind_ref(const struct api_kind *k);
void api_kind_unref(const struct api_kind *k);

struct kinds;
struct kinds *kinds_new(void); /* holds the built-in kinds of this folder */
/* One more that is built in. */
void kinds_add(struct kinds *k, const struct api_kind *builtin);
void kinds_free(struct kinds *k);
const struct api_kind *kinds_find(const struct kinds *k, const char *group, const char *version,
                                  const char *plural);
/* The version that stores objects of the resource, NULL when it is not served. */
const struct api_kind *kinds_storage(const struct kinds *k, const char *group, const char *plural);
/* Replaces all kinds of a custom resource by `list` (taken over); n 0 removes them. */
void kinds_replace(struct kinds *k, const char *group, const char *plural,
                   struct api_kind *const *list, size_t n);
/* Another resource that already has this kind or one of these names in the group; NULL when there
 * is none. */
const struct api_kind *kinds_clash(const struct kinds *k, const char *group, const char *plural,
                                   const char *kind);
size_t kinds_len(const struct kinds *k);
const struct api_kind *kinds_at(const struct kinds *k,
                                size_t i); /* sorted by group, version, plural */
/* Changes with every registration: clients' caches are keyed by it. */
uint64_t kinds_generation(const struct kinds *k);

/* The built-in kinds, ended by one without a plural. */
extern const struct api_kind api_builtin_kinds[];

/* The store's prefix of a resource ("GROUP/PLURAL/"), and an object's key; malloc'ed. */
char *kind_prefix(const struct kube_resource *r, const char *ns);
char *kind_key(const struct kube_resource *r, const char *ns, const char *name);

#endif
