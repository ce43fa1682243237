/* Where pods may be placed. */
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

TYPE(node_selector_requirement, "NodeSelectorRequirement", STR(1, "key"),
     STR(2, "operator", .words = WORDS("DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn")),
     STRS(3, "values"));
TYPE(node_selector_term, "NodeSelectorTerm", OBJS(1, "matchExpressions", node_selector_requirement),
     OBJS(2, "matchFields", node_selector_requirement));
TYPE(node_selector, "NodeSelector", OBJS(1, "nodeSelectorTerms", node_selector_term));
TYPE(preferred_scheduling_term, "PreferredSchedulingTerm", INT32(1, "weight"),
     OBJ(2, "preference", node_selector_term));
TYPE(node_affinity, "NodeAffinity",
     OBJ_P(1, "requiredDuringSchedulingIgnoredDuringExecution", node_selector),
     OBJS(2, "preferredDuringSchedulingIgnoredDuringExecution", preferred_scheduling_term));
TYPE(pod_affinity_term, "PodAffinityTerm", OBJ_P(1, "labelSelector", kt_label_selector),
     STRS(2, "namespaces"), STR(3, "topologyKey"), OBJ_P(4, "namespaceSelector", kt_label_selector),
     STRS(5, "matchLabelKeys"), STRS(6, "mismatchLabelKeys"));
TYPE(weighted_pod_affinity_term, "WeightedPodAffinityTerm", INT32(1, "weight"),
     OBJ(2, "podAffinityTerm", pod_affinity_term));
TYPE(pod_affinity, "PodAffinity",
     OBJS(1, "requiredDuringSchedulingIgnoredDuringExecution", pod_affinity_term),
     OBJS(2, "preferredDuringSchedulingIgnoredDuringExecution", weighted_pod_affinity_term));
TYPE(pod_anti_affinity, "PodAntiAffinity",
     OBJS(1, "requiredDuringSchedulingIgnoredDuringExecution", pod_affinity_term),
     OBJS(2, "preferredDuringSchedulingIgnoredDuringExecution", weighted_pod_affinity_term));
SHARED_TYPE(kt_affinity, "Affinity", OBJ_P(1, "nodeAffinity", node_affinity),
            OBJ_P(2, "podAffinity", pod_affinity), OBJ_P(3, "podAntiAffinity", pod_anti_affinity));
SHARED_TYPE(kt_topology_spread_constraint, "TopologySpreadConstraint", INT32(1, "maxSkew"),
            STR(2, "topologyKey"),
            STR(3, "whenUnsatisfiable", .words = WORDS("DoNotSchedule", "ScheduleAnyway")),
            OBJ_P(4, "labelSelector", kt_label_selector), INT32_P(5, "minDomains"),
            STR_P(6, "nodeAffinityPolicy"), STR_P(7, "nodeTaintsPolicy"),
            STRS(8, "matchLabelKeys"));
