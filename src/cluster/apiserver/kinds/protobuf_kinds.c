/*
 * The messages of the built-in kinds that clients write: field numbers of the published k8s.io/api
 * definitions. A field that is a pointer in Go is marked KEEP. What is not listed is refused when
 * it is set.
 */
#include "cluster/apiserver/kinds/protobuf.h"

#define MESSAGE(id, text, ...)                                                                     \
    static const struct pb_field id##_fields[] = {__VA_ARGS__, {0}};                               \
    static const struct pb_message id = {text, id##_fields}
#undef STR
#define STR(n, name)                                                                               \
    {                                                                                              \
        n, PB_STR, 0, name, NULL                                                                   \
    }
#define STR_P(n, name)                                                                             \
    {                                                                                              \
        n, PB_STR, PB_KEEP, name, NULL                                                             \
    }
#define STRS(n, name)                                                                              \
    {                                                                                              \
        n, PB_STR, PB_LIST, name, NULL                                                             \
    }
#define INT(n, name)                                                                               \
    {                                                                                              \
        n, PB_INT, 0, name, NULL                                                                   \
    }
#define INT_P(n, name)                                                                             \
    {                                                                                              \
        n, PB_INT, PB_KEEP, name, NULL                                                             \
    }
#define INTS(n, name)                                                                              \
    {                                                                                              \
        n, PB_INT, PB_LIST, name, NULL                                                             \
    }
#define BOOL(n, name)                                                                              \
    {                                                                                              \
        n, PB_BOOL, 0, name, NULL                                                                  \
    }
#define BOOL_P(n, name)                                                                            \
    {                                                                                              \
        n, PB_BOOL, PB_KEEP, name, NULL                                                            \
    }
#define MSG(n, name, m)                                                                            \
    {                                                                                              \
        n, PB_MSG, 0, name, &m                                                                     \
    }
#define MSG_P(n, name, m)                                                                          \
    {                                                                                              \
        n, PB_MSG, PB_KEEP, name, &m                                                               \
    }
#define MSGS(n, name, m)                                                                           \
    {                                                                                              \
        n, PB_MSG, PB_LIST, name, &m                                                               \
    }
#define INLINE(n, m)                                                                               \
    {                                                                                              \
        n, PB_INLINE, 0, "", &m                                                                    \
    }
#define TYPE(n, t, name)                                                                           \
    {                                                                                              \
        n, t, 0, name, NULL                                                                        \
    }
#define TYPE_P(n, t, name)                                                                         \
    {                                                                                              \
        n, t, PB_KEEP, name, NULL                                                                  \
    }

/* ---- meta/v1 ---- */
MESSAGE(owner, "OwnerReference", STR(1, "kind"), STR(3, "name"), STR(4, "uid"),
        STR(5, "apiVersion"), BOOL_P(6, "controller"), BOOL_P(7, "blockOwnerDeletion"));
MESSAGE(meta, "ObjectMeta", STR(1, "name"), STR(2, "generateName"), STR(3, "namespace"),
        STR(4, "selfLink"), STR(5, "uid"), STR(6, "resourceVersion"), INT(7, "generation"),
        TYPE(8, PB_TIME, "creationTimestamp"), TYPE(9, PB_TIME, "deletionTimestamp"),
        INT_P(10, "deletionGracePeriodSeconds"), TYPE(11, PB_STR_MAP, "labels"),
        TYPE(12, PB_STR_MAP, "annotations"), MSGS(13, "ownerReferences", owner),
        STRS(14, "finalizers"), TYPE(17, PB_SKIP, ""));
MESSAGE(requirement, "LabelSelectorRequirement", STR(1, "key"), STR(2, "operator"),
        STRS(3, "values"));
MESSAGE(selector, "LabelSelector", TYPE(1, PB_STR_MAP, "matchLabels"),
        MSGS(2, "matchExpressions", requirement));
MESSAGE(preconditions, "Preconditions", STR_P(1, "uid"), STR_P(2, "resourceVersion"));
MESSAGE(delete_options, "DeleteOptions", INT_P(1, "gracePeriodSeconds"),
        MSG_P(2, "preconditions", preconditions), BOOL_P(3, "orphanDependents"),
        STR_P(4, "propagationPolicy"), STRS(5, "dryRun"));

/* ---- containers ---- */
MESSAGE(named, "LocalObjectReference", STR(1, "name"));
MESSAGE(port, "ContainerPort", STR(1, "name"), INT(2, "hostPort"), INT(3, "containerPort"),
        STR(4, "protocol"), STR(5, "hostIP"));
MESSAGE(field_ref, "ObjectFieldSelector", STR(1, "apiVersion"), STR(2, "fieldPath"));
MESSAGE(resource_ref, "ResourceFieldSelector", STR(1, "containerName"), STR(2, "resource"),
        TYPE(3, PB_QUANTITY, "divisor"));
MESSAGE(key_ref, "KeySelector", INLINE(1, named), STR(2, "key"), BOOL_P(3, "optional"));
MESSAGE(env_source, "EnvVarSource", MSG_P(1, "fieldRef", field_ref),
        MSG_P(2, "resourceFieldRef", resource_ref), MSG_P(3, "configMapKeyRef", key_ref),
        MSG_P(4, "secretKeyRef", key_ref));
MESSAGE(env, "EnvVar", STR(1, "name"), STR(2, "value"), MSG_P(3, "valueFrom", env_source));
MESSAGE(env_ref, "EnvSource", INLINE(1, named), BOOL_P(2, "optional"));
MESSAGE(env_from, "EnvFromSource", STR(1, "prefix"), MSG_P(2, "configMapRef", env_ref),
        MSG_P(3, "secretRef", env_ref));
MESSAGE(resources, "ResourceRequirements", TYPE(1, PB_QUANTITY_MAP, "limits"),
        TYPE(2, PB_QUANTITY_MAP, "requests"));
MESSAGE(mount, "VolumeMount", STR(1, "name"), BOOL(2, "readOnly"), STR(3, "mountPath"),
        STR(4, "subPath"), STR_P(5, "mountPropagation"), STR(6, "subPathExpr"));
MESSAGE(exec, "ExecAction", STRS(1, "command"));
MESSAGE(http_header, "HTTPHeader", STR(1, "name"), STR(2, "value"));
MESSAGE(http_get, "HTTPGetAction", STR(1, "path"), TYPE(2, PB_INT_OR_STR, "port"), STR(3, "host"),
        STR(4, "scheme"), MSGS(5, "httpHeaders", http_header));
MESSAGE(tcp_socket, "TCPSocketAction", TYPE(1, PB_INT_OR_STR, "port"), STR(2, "host"));
MESSAGE(grpc, "GRPCAction", INT(1, "port"), STR_P(2, "service"));
MESSAGE(handler, "ProbeHandler", MSG_P(1, "exec", exec), MSG_P(2, "httpGet", http_get),
        MSG_P(3, "tcpSocket", tcp_socket), MSG_P(4, "grpc", grpc));
MESSAGE(probe, "Probe", INLINE(1, handler), INT(2, "initialDelaySeconds"), INT(3, "timeoutSeconds"),
        INT(4, "periodSeconds"), INT(5, "successThreshold"), INT(6, "failureThreshold"),
        INT_P(7, "terminationGracePeriodSeconds"));
MESSAGE(sleep_action, "SleepAction", INT(1, "seconds"));
MESSAGE(life_handler, "LifecycleHandler", MSG_P(1, "exec", exec), MSG_P(2, "httpGet", http_get),
        MSG_P(3, "tcpSocket", tcp_socket), MSG_P(4, "sleep", sleep_action));
MESSAGE(lifecycle, "Lifecycle", MSG_P(1, "postStart", life_handler),
        MSG_P(2, "preStop", life_handler));
MESSAGE(capabilities, "Capabilities", STRS(1, "add"), STRS(2, "drop"));
MESSAGE(seccomp, "SeccompProfile", STR(1, "type"), STR_P(2, "localhostProfile"));
MESSAGE(security, "SecurityContext", MSG_P(1, "capabilities", capabilities),
        BOOL_P(2, "privileged"), INT_P(4, "runAsUser"), BOOL_P(5, "runAsNonRoot"),
        BOOL_P(6, "readOnlyRootFilesystem"), BOOL_P(7, "allowPrivilegeEscalation"),
        INT_P(8, "runAsGroup"), MSG_P(11, "seccompProfile", seccomp));
MESSAGE(container, "Container", STR(1, "name"), STR(2, "image"), STRS(3, "command"),
        STRS(4, "args"), STR(5, "workingDir"), MSGS(6, "ports", port), MSGS(7, "env", env),
        MSG(8, "resources", resources), MSGS(9, "volumeMounts", mount),
        MSG_P(10, "livenessProbe", probe), MSG_P(11, "readinessProbe", probe),
        MSG_P(12, "lifecycle", lifecycle), STR(13, "terminationMessagePath"),
        STR(14, "imagePullPolicy"), MSG_P(15, "securityContext", security), BOOL(16, "stdin"),
        BOOL(17, "stdinOnce"), BOOL(18, "tty"), MSGS(19, "envFrom", env_from),
        STR(20, "terminationMessagePolicy"), MSG_P(22, "startupProbe", probe));

/* ---- volumes ---- */
MESSAGE(key_path, "KeyToPath", STR(1, "key"), STR(2, "path"), INT_P(3, "mode"));
MESSAGE(host_path, "HostPathVolumeSource", STR(1, "path"), STR_P(2, "type"));
MESSAGE(empty_dir, "EmptyDirVolumeSource", STR(1, "medium"), TYPE_P(2, PB_QUANTITY, "sizeLimit"));
MESSAGE(secret_volume, "SecretVolumeSource", STR(1, "secretName"), MSGS(2, "items", key_path),
        INT_P(3, "defaultMode"), BOOL_P(4, "optional"));
MESSAGE(map_volume, "ConfigMapVolumeSource", INLINE(1, named), MSGS(2, "items", key_path),
        INT_P(3, "defaultMode"), BOOL_P(4, "optional"));
MESSAGE(secret_part, "SecretProjection", INLINE(1, named), MSGS(2, "items", key_path),
        BOOL_P(4, "optional"));
MESSAGE(map_part, "ConfigMapProjection", INLINE(1, named), MSGS(2, "items", key_path),
        BOOL_P(4, "optional"));
MESSAGE(downward_file, "DownwardAPIVolumeFile", STR(1, "path"), MSG_P(2, "fieldRef", field_ref),
        MSG_P(3, "resourceFieldRef", resource_ref), INT_P(4, "mode"));
MESSAGE(downward_part, "DownwardAPIProjection", MSGS(1, "items", downward_file));
MESSAGE(token_part, "ServiceAccountTokenProjection", STR(1, "audience"),
        INT_P(2, "expirationSeconds"), STR(3, "path"));
MESSAGE(projection, "VolumeProjection", MSG_P(1, "secret", secret_part),
        MSG_P(2, "downwardAPI", downward_part), MSG_P(3, "configMap", map_part),
        MSG_P(4, "serviceAccountToken", token_part));
MESSAGE(projected, "ProjectedVolumeSource", MSGS(1, "sources", projection),
        INT_P(2, "defaultMode"));
MESSAGE(volume_source, "VolumeSource", MSG_P(1, "hostPath", host_path),
        MSG_P(2, "emptyDir", empty_dir), MSG_P(6, "secret", secret_volume),
        MSG_P(19, "configMap", map_volume), MSG_P(26, "projected", projected));
MESSAGE(volume, "Volume", STR(1, "name"), INLINE(2, volume_source));

/* ---- pods ---- */
MESSAGE(pod_security, "PodSecurityContext", INT_P(2, "runAsUser"), BOOL_P(3, "runAsNonRoot"),
        INTS(4, "supplementalGroups"), INT_P(5, "fsGroup"), INT_P(6, "runAsGroup"),
        STR_P(9, "fsGroupChangePolicy"), MSG_P(10, "seccompProfile", seccomp));
MESSAGE(toleration, "Toleration", STR(1, "key"), STR(2, "operator"), STR(3, "value"),
        STR(4, "effect"), INT_P(5, "tolerationSeconds"));
MESSAGE(host_alias, "HostAlias", STR(1, "ip"), STRS(2, "hostnames"));
MESSAGE(pod_spec, "PodSpec", MSGS(1, "volumes", volume), MSGS(2, "containers", container),
        STR(3, "restartPolicy"), INT_P(4, "terminationGracePeriodSeconds"),
        INT_P(5, "activeDeadlineSeconds"), STR(6, "dnsPolicy"), TYPE(7, PB_STR_MAP, "nodeSelector"),
        STR(8, "serviceAccountName"), STR(9, "serviceAccount"), STR(10, "nodeName"),
        BOOL(11, "hostNetwork"), BOOL(12, "hostPID"), BOOL(13, "hostIPC"),
        MSG_P(14, "securityContext", pod_security), MSGS(15, "imagePullSecrets", named),
        STR(16, "hostname"), STR(17, "subdomain"), STR(19, "schedulerName"),
        MSGS(20, "initContainers", container), BOOL_P(21, "automountServiceAccountToken"),
        MSGS(22, "tolerations", toleration), MSGS(23, "hostAliases", host_alias),
        STR(24, "priorityClassName"), INT_P(25, "priority"), BOOL_P(27, "shareProcessNamespace"),
        STR_P(29, "runtimeClassName"), BOOL_P(30, "enableServiceLinks"),
        STR_P(31, "preemptionPolicy"));
MESSAGE(pod, "Pod", MSG(1, "metadata", meta), MSG(2, "spec", pod_spec), TYPE(3, PB_SKIP, ""));
MESSAGE(pod_template, "PodTemplateSpec", MSG(1, "metadata", meta), MSG(2, "spec", pod_spec));

/* ---- the other kinds ---- */
MESSAGE(service_port, "ServicePort", STR(1, "name"), STR(2, "protocol"), INT(3, "port"),
        TYPE(4, PB_INT_OR_STR, "targetPort"), INT(5, "nodePort"), STR_P(6, "appProtocol"));
MESSAGE(service_spec, "ServiceSpec", MSGS(1, "ports", service_port),
        TYPE(2, PB_STR_MAP, "selector"), STR(3, "clusterIP"), STR(4, "type"),
        STRS(5, "externalIPs"), STR(7, "sessionAffinity"), STR(8, "loadBalancerIP"),
        STRS(9, "loadBalancerSourceRanges"), STR(10, "externalName"),
        STR(11, "externalTrafficPolicy"), INT(12, "healthCheckNodePort"),
        BOOL(13, "publishNotReadyAddresses"), STR_P(17, "ipFamilyPolicy"), STRS(18, "clusterIPs"),
        STRS(19, "ipFamilies"), BOOL_P(20, "allocateLoadBalancerNodePorts"),
        STR_P(21, "loadBalancerClass"), STR_P(22, "internalTrafficPolicy"),
        STR_P(23, "trafficDistribution"));
MESSAGE(service, "Service", MSG(1, "metadata", meta), MSG(2, "spec", service_spec),
        TYPE(3, PB_SKIP, ""));
MESSAGE(object_ref, "ObjectReference", STR(1, "kind"), STR(2, "namespace"), STR(3, "name"),
        STR(4, "uid"), STR(5, "apiVersion"), STR(6, "resourceVersion"), STR(7, "fieldPath"));
MESSAGE(endpoint, "EndpointAddress", STR(1, "ip"), MSG_P(2, "targetRef", object_ref),
        STR(3, "hostname"), STR_P(4, "nodeName"));
MESSAGE(endpoint_port, "EndpointPort", STR(1, "name"), INT(2, "port"), STR(3, "protocol"),
        STR_P(4, "appProtocol"));
MESSAGE(subset, "EndpointSubset", MSGS(1, "addresses", endpoint),
        MSGS(2, "notReadyAddresses", endpoint), MSGS(3, "ports", endpoint_port));
MESSAGE(endpoints, "Endpoints", MSG(1, "metadata", meta), MSGS(2, "subsets", subset));
MESSAGE(config_map, "ConfigMap", MSG(1, "metadata", meta), TYPE(2, PB_STR_MAP, "data"),
        TYPE(3, PB_BYTES_MAP, "binaryData"), BOOL_P(4, "immutable"));
MESSAGE(secret, "Secret", MSG(1, "metadata", meta), TYPE(2, PB_BYTES_MAP, "data"), STR(3, "type"),
        TYPE(4, PB_STR_MAP, "stringData"), BOOL_P(5, "immutable"));
MESSAGE(account, "ServiceAccount", MSG(1, "metadata", meta), MSGS(2, "secrets", object_ref),
        MSGS(3, "imagePullSecrets", named), BOOL_P(4, "automountServiceAccountToken"));
MESSAGE(ns_spec, "NamespaceSpec", STRS(1, "finalizers"));
MESSAGE(namespace, "Namespace", MSG(1, "metadata", meta), MSG(2, "spec", ns_spec),
        TYPE(3, PB_SKIP, ""));
MESSAGE(lease_spec, "LeaseSpec", STR_P(1, "holderIdentity"), INT_P(2, "leaseDurationSeconds"),
        TYPE_P(3, PB_MICRO_TIME, "acquireTime"), TYPE_P(4, PB_MICRO_TIME, "renewTime"),
        INT_P(5, "leaseTransitions"));
MESSAGE(lease, "Lease", MSG(1, "metadata", meta), MSG(2, "spec", lease_spec));
MESSAGE(event_source, "EventSource", STR(1, "component"), STR(2, "host"));
MESSAGE(event, "Event", MSG(1, "metadata", meta), MSG(2, "involvedObject", object_ref),
        STR(3, "reason"), STR(4, "message"), MSG(5, "source", event_source),
        TYPE(6, PB_TIME, "firstTimestamp"), TYPE(7, PB_TIME, "lastTimestamp"), INT(8, "count"),
        STR(9, "type"), TYPE(10, PB_MICRO_TIME, "eventTime"), STR(12, "action"),
        STR(14, "reportingComponent"), STR(15, "reportingInstance"));
MESSAGE(rolling, "RollingUpdateDeployment", TYPE_P(1, PB_INT_OR_STR, "maxUnavailable"),
        TYPE_P(2, PB_INT_OR_STR, "maxSurge"));
MESSAGE(strategy, "DeploymentStrategy", STR(1, "type"), MSG_P(2, "rollingUpdate", rolling));
MESSAGE(deployment_spec, "DeploymentSpec", INT_P(1, "replicas"), MSG_P(2, "selector", selector),
        MSG(3, "template", pod_template), MSG(4, "strategy", strategy), INT(5, "minReadySeconds"),
        INT_P(6, "revisionHistoryLimit"), BOOL(7, "paused"), INT_P(9, "progressDeadlineSeconds"));
MESSAGE(deployment, "Deployment", MSG(1, "metadata", meta), MSG(2, "spec", deployment_spec),
        TYPE(3, PB_SKIP, ""));

/* ---- reviews ---- */
MESSAGE(resource_attributes, "ResourceAttributes", STR(1, "namespace"), STR(2, "verb"),
        STR(3, "group"), STR(4, "version"), STR(5, "resource"), STR(6, "subresource"),
        STR(7, "name"));
MESSAGE(path_attributes, "NonResourceAttributes", STR(1, "path"), STR(2, "verb"));
MESSAGE(access_spec, "SelfSubjectAccessReviewSpec",
        MSG_P(1, "resourceAttributes", resource_attributes),
        MSG_P(2, "nonResourceAttributes", path_attributes));
MESSAGE(access_review, "SelfSubjectAccessReview", MSG(1, "metadata", meta),
        MSG(2, "spec", access_spec), TYPE(3, PB_SKIP, ""));
MESSAGE(rules_spec, "SelfSubjectRulesReviewSpec", STR(1, "namespace"));
MESSAGE(rules_review, "SelfSubjectRulesReview", MSG(1, "metadata", meta),
        MSG(2, "spec", rules_spec), TYPE(3, PB_SKIP, ""));
MESSAGE(self_review, "SelfSubjectReview", MSG(1, "metadata", meta), TYPE(2, PB_SKIP, ""));

const struct pb_message *pb_kind(const char *kind)
{
    static const struct pb_message *const all[] = {
        &pod,          &service,    &endpoints, &config_map, &secret,         &account,
        &namespace,    &lease,      &event,     &deployment, &delete_options, &access_review,
        &rules_review, &self_review};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (streq(all[i]->name, kind))
            return all[i];
    return NULL;
}
