/* What pods and their templates ask for. */
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

SHARED_TYPE(kt_toleration, "Toleration", STR(1, "key"),
            STR(2, "operator", .words = WORDS("Equal", "Exists")), STR(3, "value"),
            STR(4, "effect", .words = WORDS("NoExecute", "NoSchedule", "PreferNoSchedule")),
            INT64_P(5, "tolerationSeconds"));
TYPE(ephemeral_container, "EphemeralContainer", INLINE(1, kt_container),
     STR(2, "targetContainerName"));
TYPE(sysctl, "Sysctl", STR(1, "name", .required = true), STR(2, "value"));
TYPE(pod_security_context, "PodSecurityContext", OBJ_P(1, "seLinuxOptions", kt_se_linux_options),
     OBJ_P(8, "windowsOptions", kt_windows_security_context_options), INT64_P(2, "runAsUser"),
     INT64_P(6, "runAsGroup"), BOOL_P(3, "runAsNonRoot"), INT64S(4, "supplementalGroups"),
     STR_P(12, "supplementalGroupsPolicy", .words = WORDS("Merge", "Strict")),
     INT64_P(5, "fsGroup"), OBJS(7, "sysctls", sysctl),
     STR_P(9, "fsGroupChangePolicy", .words = WORDS("Always", "OnRootMismatch")),
     OBJ_P(10, "seccompProfile", kt_seccomp_profile),
     OBJ_P(11, "appArmorProfile", kt_app_armor_profile), STR_P(13, "seLinuxChangePolicy"));
TYPE(host_alias, "HostAlias", STR(1, "ip", .required = true), STRS(2, "hostnames"));
TYPE(pod_dns_config_option, "PodDNSConfigOption", STR(1, "name"), STR_P(2, "value"));
TYPE(pod_dns_config, "PodDNSConfig", STRS(1, "nameservers"), STRS(2, "searches"),
     OBJS(3, "options", pod_dns_config_option));
TYPE(pod_readiness_gate, "PodReadinessGate", STR(1, "conditionType", .required = true));
TYPE(pod_os, "PodOS", STR(1, "name", .words = WORDS("linux", "windows")));
TYPE(pod_scheduling_gate, "PodSchedulingGate", STR(1, "name"));
TYPE(pod_resource_claim, "PodResourceClaim", STR(1, "name"), STR_P(3, "resourceClaimName"),
     STR_P(4, "resourceClaimTemplateName"));
TYPE(pod_scheduling_group, "PodSchedulingGroup", STR_P(1, "podGroupName"));
TYPE(eviction_responder, "EvictionResponder", STR(1, "name"), INT32_P(2, "priority"));
SHARED_TYPE(
    kt_pod_spec, "PodSpec", OBJS(1, "volumes", kt_volume, .key = "name"),
    OBJS(20, "initContainers", kt_container, .key = "name"),
    OBJS(2, "containers", kt_container, .key = "name", .required = true),
    OBJS(34, "ephemeralContainers", ephemeral_container, .key = "name"),
    STR(3, "restartPolicy", .words = WORDS("Always", "Never", "OnFailure"), .def = "Always"),
    INT64_P(4, "terminationGracePeriodSeconds", .def = "30"), INT64_P(5, "activeDeadlineSeconds"),
    STR(6, "dnsPolicy",
        .words = WORDS("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
        .def = "ClusterFirst"),
    STR_MAP(7, "nodeSelector"), STR(8, "serviceAccountName"), STR(9, "serviceAccount"),
    BOOL_P(21, "automountServiceAccountToken"), STR(10, "nodeName"), BOOL(11, "hostNetwork"),
    BOOL(12, "hostPID"), BOOL(13, "hostIPC"), BOOL_P(27, "shareProcessNamespace"),
    OBJ_P(14, "securityContext", pod_security_context, .def = "{}"),
    OBJS(15, "imagePullSecrets", kt_local_object_reference, .key = "name"), STR(16, "hostname"),
    STR(17, "subdomain"), OBJ_P(18, "affinity", kt_affinity),
    STR(19, "schedulerName", .def = "default-scheduler"), OBJS(22, "tolerations", kt_toleration),
    OBJS(23, "hostAliases", host_alias, .key = "ip"), STR(24, "priorityClassName"),
    INT32_P(25, "priority"), OBJ_P(26, "dnsConfig", pod_dns_config),
    OBJS(28, "readinessGates", pod_readiness_gate), STR_P(29, "runtimeClassName"),
    BOOL_P(30, "enableServiceLinks"),
    STR_P(31, "preemptionPolicy", .words = WORDS("Never", "PreemptLowerPriority")),
    QUANTITY_MAP(32, "overhead"),
    OBJS(33, "topologySpreadConstraints", kt_topology_spread_constraint, .key = "topologyKey"),
    BOOL_P(35, "setHostnameAsFQDN"), OBJ_P(36, "os", pod_os), BOOL_P(37, "hostUsers"),
    OBJS(38, "schedulingGates", pod_scheduling_gate, .key = "name"),
    OBJS(39, "resourceClaims", pod_resource_claim, .key = "name"),
    OBJ_P(40, "resources", kt_resource_requirements), STR_P(41, "hostnameOverride"),
    OBJ_P(43, "schedulingGroup", pod_scheduling_group),
    OBJS(44, "evictionResponders", eviction_responder, .key = "name"));
SHARED_TYPE(kt_pod_template_spec, "PodTemplateSpec", OBJ(1, "metadata", kt_object_meta),
            OBJ(2, "spec", kt_pod_spec));
