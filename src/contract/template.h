/*
 * The part of Go's text/template that names are made with: plain text, {{.Field}}, {{.Field.Sub}},
 * {{index .Field "key"}} and the {{- -}} trim marks. Pure.
 */
#ifndef NONAGON_CONTRACT_TEMPLATE_H
#define NONAGON_CONTRACT_TEMPLATE_H

#include "json/json.h"

/*
 * Fills the template from `data` (an object: Name, Namespace, Domain, Tag, Annotations, Labels, …).
 * A missing member of a map gives "", a missing top field is an error, as is any other action.
 * malloc'ed; NULL on error.
 */
char *template_fill(const char *text, const yyjson_val *data, struct err *e);

#endif
