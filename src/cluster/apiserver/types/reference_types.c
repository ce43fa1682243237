/* How objects point to each other and to their parts. */
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

SHARED_TYPE(kt_object_reference, "ObjectReference", STR(1, "kind"), STR(2, "namespace"),
            STR(3, "name"), STR(4, "uid"), STR(5, "apiVersion"), STR(6, "resourceVersion"),
            STR(7, "fieldPath"));
SHARED_TYPE(kt_local_object_reference, "LocalObjectReference", STR(1, "name"));
SHARED_TYPE(kt_typed_local_object_reference, "TypedLocalObjectReference", STR_P(1, "apiGroup"),
            STR(2, "kind"), STR(3, "name"));
SHARED_TYPE(kt_typed_object_reference, "TypedObjectReference", STR_P(1, "apiGroup"), STR(2, "kind"),
            STR(3, "name"), STR_P(4, "namespace"));
SHARED_TYPE(kt_object_field_selector, "ObjectFieldSelector", STR(1, "apiVersion", .def = "v1"),
            STR(2, "fieldPath", .required = true));
SHARED_TYPE(kt_resource_field_selector, "ResourceFieldSelector", STR(1, "containerName"),
            STR(2, "resource", .required = true), QUANTITY(3, "divisor"));
SHARED_TYPE(kt_key_to_path, "KeyToPath", STR(1, "key", .required = true),
            STR(2, "path", .required = true), INT32_P(3, "mode"), INT64_P(4, "user"));
