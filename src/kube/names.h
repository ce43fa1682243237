/* Names and quantities by the rules of Kubernetes and of Knative's kmeta. Pure. */
#ifndef NONAGON_KUBE_NAMES_H
#define NONAGON_KUBE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define NAME_MAX_LABEL 63
/* Knative's ChildName: parent+suffix if within 63 characters, else shortened with an MD5 (facts:
 * serving-api §6.0). */
void child_name(const char *parent, const char *suffix, char ret[static NAME_MAX_LABEL + 1]);

bool is_dns1123_label(const char *s);
bool is_dns1123_subdomain(const char *s);
bool is_dns1035_label(const char *s);
bool is_qualified_name(const char *s); /* label key: [prefix/]name */
bool is_label_value(const char *s);
/* The reason texts of k8s.io/apimachinery/pkg/util/validation, NULL when valid. */
const char *why_not_dns1123_label(const char *s);
const char *why_not_dns1123_subdomain(const char *s);
const char *why_not_dns1035_label(const char *s);
const char *why_not_qualified_name(const char *s);
const char *why_not_label_value(const char *s);

/* resource.Quantity ("100m", "1.5Gi", "2e3"); milli-units, rounded up. 0 or -EINVAL. */
int quantity_parse_milli(const char *s, int64_t *ret_milli, struct err *e);
/* Whole units rounded up (bytes for memory). */
int quantity_parse(const char *s, int64_t *ret, struct err *e);

#endif
