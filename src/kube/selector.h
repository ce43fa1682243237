/* Label selectors (string form and LabelSelector objects) and the simple field selectors. Pure. */
#ifndef NONAGON_KUBE_SELECTOR_H
#define NONAGON_KUBE_SELECTOR_H

#include "kube/object.h"

struct selector;
/* "a=b,c!=d,e in (x,y),!f,g,h notin (z)". Empty selects everything. */
struct selector *selector_parse(const char *text, struct err *e);
/* A metav1.LabelSelector; NULL or empty object selects everything. */
struct selector *selector_from_object(const yyjson_val *label_selector, struct err *e);
/* A plain map, all must be equal. */
struct selector *selector_from_map(const yyjson_val *map);
bool selector_matches(const struct selector *s, const yyjson_val *labels); /* labels may be NULL */
void selector_free(struct selector *s);
DEFINE_CLEANUP(struct selector *, selector_free)

/* "metadata.name=x,status.phase!=Running": paths into the object, compared as strings. */
struct field_selector;
struct field_selector *field_selector_parse(const char *text, struct err *e);
bool field_selector_matches(const struct field_selector *s, const yyjson_val *object);
/* Visits each term's path so that the caller can refuse unsupported ones; stops on negative. */
int field_selector_each(const struct field_selector *s, int (*fn)(void *ctx, const char *path),
                        void *ctx);
void field_selector_free(struct field_selector *s);
DEFINE_CLEANUP(struct field_selector *, field_selector_free)

#endif
