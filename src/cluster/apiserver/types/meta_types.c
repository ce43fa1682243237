/* Metadata of objects, selectors, conditions and options: meta/v1. */
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.apimachinery.pkg.apis.meta.v1"

TYPE(owner_reference, "OwnerReference", STR(5, "apiVersion"), STR(1, "kind"), STR(3, "name"),
     STR(4, "uid"), BOOL_P(6, "controller"), BOOL_P(7, "blockOwnerDeletion"));
SHARED_TYPE(kt_object_meta, "ObjectMeta", STR(1, "name"), STR(2, "generateName"),
            STR(3, "namespace"), STR(4, "selfLink"), STR(5, "uid"), STR(6, "resourceVersion"),
            INT64(7, "generation"), TIME(8, "creationTimestamp"), TIME_P(9, "deletionTimestamp"),
            INT64_P(10, "deletionGracePeriodSeconds"), STR_MAP(11, "labels"),
            STR_MAP(12, "annotations"), OBJS(13, "ownerReferences", owner_reference, .key = "uid"),
            STRS(14, "finalizers", .key = ""), SKIPPED(17, "managedFields"));
SHARED_TYPE(kt_label_selector_requirement, "LabelSelectorRequirement", STR(1, "key"),
            STR(2, "operator", .words = WORDS("DoesNotExist", "Exists", "In", "NotIn")),
            STRS(3, "values"));
SHARED_TYPE(kt_label_selector, "LabelSelector", STR_MAP(1, "matchLabels"),
            OBJS(2, "matchExpressions", kt_label_selector_requirement));
SHARED_TYPE(kt_condition, "Condition", STR(1, "type"), STR(2, "status"),
            INT64(3, "observedGeneration"), TIME(4, "lastTransitionTime"), STR(5, "reason"),
            STR(6, "message"));
TYPE(preconditions, "Preconditions", STR_P(1, "uid"), STR_P(2, "resourceVersion"));
SHARED_TYPE(kt_delete_options, "DeleteOptions", INT64_P(1, "gracePeriodSeconds"),
            OBJ_P(2, "preconditions", preconditions), BOOL_P(3, "orphanDependents"),
            STR_P(4, "propagationPolicy"), STRS(5, "dryRun"),
            BOOL_P(6, "ignoreStoreReadErrorWithClusterBreakingPotential"));
