/* What a node says of a pod. */
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

TYPE(pod_condition, "PodCondition", STR(1, "type"), INT64(7, "observedGeneration"),
     STR(2, "status"), TIME(3, "lastProbeTime"), TIME(4, "lastTransitionTime"), STR(5, "reason"),
     STR(6, "message"));
TYPE(host_ip, "HostIP", STR(1, "ip"));
TYPE(pod_ip, "PodIP", STR(1, "ip"));
TYPE(container_state_waiting, "ContainerStateWaiting", STR(1, "reason"), STR(2, "message"));
TYPE(container_state_running, "ContainerStateRunning", TIME(1, "startedAt"));
TYPE(container_state_terminated, "ContainerStateTerminated", INT32(1, "exitCode"),
     INT32(2, "signal"), STR(3, "reason"), STR(4, "message"), TIME(5, "startedAt"),
     TIME(6, "finishedAt"), STR(7, "containerID"));
TYPE(container_state, "ContainerState", OBJ_P(1, "waiting", container_state_waiting),
     OBJ_P(2, "running", container_state_running),
     OBJ_P(3, "terminated", container_state_terminated));
TYPE(image_volume_status, "ImageVolumeStatus", STR(1, "imageRef"));
TYPE(volume_status, "VolumeStatus", OBJ_P(1, "image", image_volume_status));
TYPE(volume_mount_status, "VolumeMountStatus", STR(1, "name"), STR(2, "mountPath"),
     BOOL(3, "readOnly"), STR_P(4, "recursiveReadOnly"), OBJ_P(5, "volumeStatus", volume_status));
TYPE(linux_container_user, "LinuxContainerUser", INT64(1, "uid"), INT64(2, "gid"),
     INT64S(3, "supplementalGroups"));
TYPE(container_user, "ContainerUser", OBJ_P(1, "linux", linux_container_user));
TYPE(resource_health, "ResourceHealth", STR(1, "resourceID"), STR(2, "health"),
     STR_P(6, "message"));
TYPE(resource_status, "ResourceStatus", STR(1, "name"), OBJS(2, "resources", resource_health));
TYPE(container_status, "ContainerStatus", STR(1, "name"), OBJ(2, "state", container_state),
     OBJ(3, "lastState", container_state), BOOL(4, "ready"), INT32(5, "restartCount"),
     STR(6, "image"), STR(7, "imageID"), STR(8, "containerID"), BOOL_P(9, "started"),
     QUANTITY_MAP(10, "allocatedResources"), OBJ_P(11, "resources", kt_resource_requirements),
     OBJS(12, "volumeMounts", volume_mount_status, .key = "mountPath"),
     OBJ_P(13, "user", container_user),
     OBJS(14, "allocatedResourcesStatus", resource_status, .key = "name"), STR_P(15, "stopSignal"));
TYPE(pod_resource_claim_status, "PodResourceClaimStatus", STR(1, "name"),
     STR_P(2, "resourceClaimName"));
TYPE(container_extended_resource_request, "ContainerExtendedResourceRequest",
     STR(1, "containerName"), STR(2, "resourceName"), STR(3, "requestName"));
TYPE(pod_extended_resource_claim_status, "PodExtendedResourceClaimStatus",
     OBJS(1, "requestMappings", container_extended_resource_request), STR(2, "resourceClaimName"));
TYPE(node_allocatable_mapped_resources, "NodeAllocatableMappedResources", STR(1, "name"),
     QUANTITY_P(2, "quantity"));
TYPE(node_allocatable_overhead_resources, "NodeAllocatableOverheadResources", STR(1, "name"),
     QUANTITY_P(2, "perPod"), QUANTITY_P(3, "perContainer"));
TYPE(node_allocatable_resource_claim_status, "NodeAllocatableResourceClaimStatus",
     STR(1, "resourceClaimName"), STRS(2, "containers"),
     OBJS(4, "mapping", node_allocatable_mapped_resources, .key = "name"),
     OBJS(5, "overhead", node_allocatable_overhead_resources, .key = "name"));
TYPE(volume_health_condition, "VolumeHealthCondition", STR(1, "status"), STR(2, "reason"),
     STR(3, "message"));
TYPE(pod_volume_health, "PodVolumeHealth", STR(1, "name"),
     OBJS(2, "healthConditions", volume_health_condition, .key = "status"),
     TIME(3, "lastTransitionTime"));
SHARED_TYPE(kt_pod_status, "PodStatus", INT64(17, "observedGeneration"), STR(1, "phase"),
            OBJS(2, "conditions", pod_condition, .key = "type"), STR(3, "message"),
            STR(4, "reason"), STR(11, "nominatedNodeName"), STR(5, "hostIP"),
            OBJS(16, "hostIPs", host_ip, .key = "ip"), STR(6, "podIP"),
            OBJS(12, "podIPs", pod_ip, .key = "ip"), TIME_P(7, "startTime"),
            OBJS(10, "initContainerStatuses", container_status),
            OBJS(8, "containerStatuses", container_status), STR(9, "qosClass"),
            OBJS(13, "ephemeralContainerStatuses", container_status), STR(14, "resize"),
            OBJS(15, "resourceClaimStatuses", pod_resource_claim_status, .key = "name"),
            OBJ_P(18, "extendedResourceClaimStatus", pod_extended_resource_claim_status),
            QUANTITY_MAP(19, "allocatedResources"),
            OBJ_P(20, "resources", kt_resource_requirements),
            OBJS(21, "nodeAllocatableResourceClaimStatuses", node_allocatable_resource_claim_status,
                 .key = "resourceClaimName"),
            OBJS(22, "volumeHealth", pod_volume_health));
