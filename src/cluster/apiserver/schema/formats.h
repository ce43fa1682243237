/*
 * String formats of JSON schemas, as go-openapi/strfmt reads those that Kubernetes keeps in
 * structural schemas. Pure.
 */
#ifndef NONAGON_CLUSTER_APISERVER_SCHEMA_FORMATS_H
#define NONAGON_CLUSTER_APISERVER_SCHEMA_FORMATS_H

#include <stdbool.h>

struct string_format {
    const char *name;
    bool (*fits)(const char *s);
};
/* NULL for a format that is not checked: Kubernetes ignores those, too. */
const struct string_format *string_format_find(const char *name);

#endif
