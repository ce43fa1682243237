/* Shared by the kinds that make pods of a template. */
#ifndef NONAGON_CLUSTER_APISERVER_KINDS_WORKLOAD_H
#define NONAGON_CLUSTER_APISERVER_KINDS_WORKLOAD_H

#include "cluster/apiserver/kinds/kinds.h"

void template_defaults(struct kmut *o);
void workload_validate(const struct kmut *o, const yyjson_val *old, struct field_errors *errs);

column_fn workload_containers, workload_images, workload_selector;
#define WORKLOAD_WIDE                                                                              \
    {"Containers", "string", "", "Names of the containers.", 1, workload_containers, NULL},        \
        {"Images", "string", "", "Images of the containers.", 1, workload_images, NULL},           \
    {                                                                                              \
        "Selector", "string", "", "Labels of the pods.", 1, workload_selector, NULL                \
    }

#endif
