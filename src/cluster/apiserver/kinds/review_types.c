/* Questions that clients ask about themselves, and the Scale of workloads. */
#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.authorization.v1"

TYPE(field_selector_requirement, "FieldSelectorRequirement", STR(1, "key"), STR(2, "operator"),
     STRS(3, "values"));
TYPE(field_selector_attributes, "FieldSelectorAttributes", STR(1, "rawSelector"),
     OBJS(2, "requirements", field_selector_requirement));
TYPE(label_selector_attributes, "LabelSelectorAttributes", STR(1, "rawSelector"),
     OBJS(2, "requirements", kt_label_selector_requirement));
TYPE(resource_attributes, "ResourceAttributes", STR(1, "namespace"), STR(2, "verb"),
     STR(3, "group"), STR(4, "version"), STR(5, "resource"), STR(6, "subresource"), STR(7, "name"),
     OBJ_P(8, "fieldSelector", field_selector_attributes),
     OBJ_P(9, "labelSelector", label_selector_attributes));
TYPE(non_resource_attributes, "NonResourceAttributes", STR(1, "path"), STR(2, "verb"));
TYPE(self_subject_access_review_spec, "SelfSubjectAccessReviewSpec",
     OBJ_P(1, "resourceAttributes", resource_attributes),
     OBJ_P(2, "nonResourceAttributes", non_resource_attributes));
TYPE(subject_access_review_status, "SubjectAccessReviewStatus", BOOL(1, "allowed"),
     BOOL(4, "denied"), STR(2, "reason"), STR(3, "evaluationError"));
SHARED_TYPE(kt_self_subject_access_review, "SelfSubjectAccessReview",
            OBJ(1, "metadata", kt_object_meta), OBJ(2, "spec", self_subject_access_review_spec),
            OBJ(3, "status", subject_access_review_status));
TYPE(self_subject_rules_review_spec, "SelfSubjectRulesReviewSpec", STR(1, "namespace"));
TYPE(resource_rule, "ResourceRule", STRS(1, "verbs"), STRS(2, "apiGroups"), STRS(3, "resources"),
     STRS(4, "resourceNames"));
TYPE(non_resource_rule, "NonResourceRule", STRS(1, "verbs"), STRS(2, "nonResourceURLs"));
TYPE(subject_rules_review_status, "SubjectRulesReviewStatus",
     OBJS(1, "resourceRules", resource_rule), OBJS(2, "nonResourceRules", non_resource_rule),
     BOOL(3, "incomplete"), STR(4, "evaluationError"));
SHARED_TYPE(kt_self_subject_rules_review, "SelfSubjectRulesReview",
            OBJ(1, "metadata", kt_object_meta), OBJ(2, "spec", self_subject_rules_review_spec),
            OBJ(3, "status", subject_rules_review_status));
TYPE(user_info, "UserInfo", STR(1, "username"), STR(2, "uid"), STRS(3, "groups"),
     STRS_MAP(4, "extra"));
TYPE(self_subject_review_status, "SelfSubjectReviewStatus", OBJ(1, "userInfo", user_info));
SHARED_TYPE(kt_self_subject_review, "SelfSubjectReview", OBJ(1, "metadata", kt_object_meta),
            OBJ(2, "status", self_subject_review_status));

#undef PACKAGE
#define PACKAGE "io.k8s.api.autoscaling.v1"
TYPE(scale_spec, "ScaleSpec", INT32(1, "replicas"));
TYPE(scale_status, "ScaleStatus", INT32(1, "replicas"), STR(2, "selector"));
SHARED_TYPE(kt_scale, "Scale", OBJ(1, "metadata", kt_object_meta), OBJ(2, "spec", scale_spec),
            OBJ(3, "status", scale_status));
