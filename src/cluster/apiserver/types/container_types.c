/* Containers of pods. */
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

TYPE(resource_claim, "ResourceClaim", STR(1, "name"), STR(2, "request"));
SHARED_TYPE(kt_resource_requirements, "ResourceRequirements", QUANTITY_MAP(1, "limits"),
            QUANTITY_MAP(2, "requests"), OBJS(3, "claims", resource_claim));
SHARED_TYPE(kt_se_linux_options, "SELinuxOptions", STR(1, "user"), STR(2, "role"), STR(3, "type"),
            STR(4, "level"));
SHARED_TYPE(kt_windows_security_context_options, "WindowsSecurityContextOptions",
            STR_P(1, "gmsaCredentialSpecName"), STR_P(2, "gmsaCredentialSpec"),
            STR_P(3, "runAsUserName"), BOOL_P(4, "hostProcess"));
SHARED_TYPE(kt_seccomp_profile, "SeccompProfile",
            STR(1, "type", .words = WORDS("Localhost", "RuntimeDefault", "Unconfined"),
                .required = true),
            STR_P(2, "localhostProfile"));
SHARED_TYPE(kt_app_armor_profile, "AppArmorProfile",
            STR(1, "type", .words = WORDS("Localhost", "RuntimeDefault", "Unconfined"),
                .required = true),
            STR_P(2, "localhostProfile"));
TYPE(container_port, "ContainerPort", STR(1, "name"), INT32(2, "hostPort"),
     INT32(3, "containerPort", .required = true),
     STR(4, "protocol", .words = WORDS("SCTP", "TCP", "UDP"), .def = "TCP"), STR(5, "hostIP"));
TYPE(config_map_env_source, "ConfigMapEnvSource", INLINE(1, kt_local_object_reference),
     BOOL_P(2, "optional"));
TYPE(secret_env_source, "SecretEnvSource", INLINE(1, kt_local_object_reference),
     BOOL_P(2, "optional"));
TYPE(env_from_source, "EnvFromSource", STR(1, "prefix"),
     OBJ_P(2, "configMapRef", config_map_env_source), OBJ_P(3, "secretRef", secret_env_source));
TYPE(config_map_key_selector, "ConfigMapKeySelector", INLINE(1, kt_local_object_reference),
     STR(2, "key", .required = true), BOOL_P(3, "optional"));
TYPE(secret_key_selector, "SecretKeySelector", INLINE(1, kt_local_object_reference),
     STR(2, "key", .required = true), BOOL_P(3, "optional"));
TYPE(file_key_selector, "FileKeySelector", STR(1, "volumeName"), STR(2, "path"), STR(3, "key"),
     BOOL_P(4, "optional"));
TYPE(env_var_source, "EnvVarSource", OBJ_P(1, "fieldRef", kt_object_field_selector),
     OBJ_P(2, "resourceFieldRef", kt_resource_field_selector),
     OBJ_P(3, "configMapKeyRef", config_map_key_selector),
     OBJ_P(4, "secretKeyRef", secret_key_selector), OBJ_P(5, "fileKeyRef", file_key_selector));
TYPE(env_var, "EnvVar", STR(1, "name", .required = true), STR(2, "value"),
     OBJ_P(3, "valueFrom", env_var_source));
TYPE(container_resize_policy, "ContainerResizePolicy", STR(1, "resourceName"),
     STR(2, "restartPolicy", .words = WORDS("NotRequired", "RestartContainer")));
TYPE(container_restart_rule_on_exit_codes, "ContainerRestartRuleOnExitCodes", STR(1, "operator"),
     INT32S(2, "values"));
TYPE(container_restart_rule, "ContainerRestartRule", STR(1, "action"),
     OBJ_P(2, "exitCodes", container_restart_rule_on_exit_codes));
TYPE(volume_mount, "VolumeMount", STR(1, "name", .required = true), BOOL(2, "readOnly"),
     STR_P(7, "recursiveReadOnly"), STR(3, "mountPath", .required = true), STR(4, "subPath"),
     STR_P(5, "mountPropagation", .words = WORDS("Bidirectional", "HostToContainer", "None")),
     STR(6, "subPathExpr"), STRS(8, "bindMountOptions"));
TYPE(volume_device, "VolumeDevice", STR(1, "name"), STR(2, "devicePath"));
TYPE(exec_action, "ExecAction", STRS(1, "command"));
TYPE(http_header, "HTTPHeader", STR(1, "name", .required = true), STR(2, "value"));
TYPE(http_get_action, "HTTPGetAction", STR(1, "path", .def = "/"),
     INT_OR_STR(2, "port", .required = true), STR(3, "host"),
     STR(4, "scheme", .words = WORDS("HTTP", "HTTPS"), .def = "HTTP"),
     OBJS(5, "httpHeaders", http_header), STR_P(6, "protocol"));
TYPE(tcp_socket_action, "TCPSocketAction", INT_OR_STR(1, "port", .required = true), STR(2, "host"));
TYPE(grpc_action, "GRPCAction", INT32(1, "port", .required = true), STR_P(2, "service", .def = ""),
     STR_P(3, "mode"));
TYPE(probe_handler, "ProbeHandler", OBJ_P(1, "exec", exec_action),
     OBJ_P(2, "httpGet", http_get_action), OBJ_P(3, "tcpSocket", tcp_socket_action),
     OBJ_P(4, "grpc", grpc_action));
TYPE(probe, "Probe", INLINE(1, probe_handler), INT32(2, "initialDelaySeconds"),
     INT32(3, "timeoutSeconds", .def = "1"), INT32(4, "periodSeconds", .def = "10"),
     INT32(5, "successThreshold", .def = "1"), INT32(6, "failureThreshold", .def = "3"),
     INT64_P(7, "terminationGracePeriodSeconds"));
TYPE(sleep_action, "SleepAction", INT64(1, "seconds"));
TYPE(lifecycle_handler, "LifecycleHandler", OBJ_P(1, "exec", exec_action),
     OBJ_P(2, "httpGet", http_get_action), OBJ_P(3, "tcpSocket", tcp_socket_action),
     OBJ_P(4, "sleep", sleep_action));
TYPE(lifecycle, "Lifecycle", OBJ_P(1, "postStart", lifecycle_handler),
     OBJ_P(2, "preStop", lifecycle_handler), STR_P(3, "stopSignal"));
TYPE(capabilities, "Capabilities", STRS(1, "add"), STRS(2, "drop"));
TYPE(security_context, "SecurityContext", OBJ_P(1, "capabilities", capabilities),
     BOOL_P(2, "privileged"), OBJ_P(3, "seLinuxOptions", kt_se_linux_options),
     OBJ_P(10, "windowsOptions", kt_windows_security_context_options), INT64_P(4, "runAsUser"),
     INT64_P(8, "runAsGroup"), BOOL_P(5, "runAsNonRoot"), BOOL_P(6, "readOnlyRootFilesystem"),
     BOOL_P(7, "allowPrivilegeEscalation"),
     STR_P(9, "procMount", .words = WORDS("Default", "Unmasked")),
     OBJ_P(11, "seccompProfile", kt_seccomp_profile),
     OBJ_P(12, "appArmorProfile", kt_app_armor_profile));
SHARED_TYPE(kt_container, "Container", STR(1, "name", .required = true),
            STR(2, "image", .required = true), STRS(3, "command"), STRS(4, "args"),
            STR(5, "workingDir"), OBJS(6, "ports", container_port, .key = "containerPort"),
            OBJS(19, "envFrom", env_from_source), OBJS(7, "env", env_var, .key = "name"),
            OBJ(8, "resources", kt_resource_requirements, .def = "{}"),
            OBJS(23, "resizePolicy", container_resize_policy),
            STR_P(24, "restartPolicy", .words = WORDS("Always", "Never", "OnFailure")),
            OBJS(25, "restartPolicyRules", container_restart_rule),
            OBJS(9, "volumeMounts", volume_mount, .key = "mountPath"),
            OBJS(21, "volumeDevices", volume_device, .key = "devicePath"),
            OBJ_P(10, "livenessProbe", probe), OBJ_P(11, "readinessProbe", probe),
            OBJ_P(22, "startupProbe", probe), OBJ_P(12, "lifecycle", lifecycle),
            STR(13, "terminationMessagePath", .def = "/dev/termination-log"),
            STR(20, "terminationMessagePolicy", .words = WORDS("FallbackToLogsOnError", "File"),
                .def = "File"),
            STR(14, "imagePullPolicy", .words = WORDS("Always", "IfNotPresent", "Never")),
            OBJ_P(15, "securityContext", security_context), BOOL(16, "stdin"),
            BOOL(17, "stdinOnce"), BOOL(18, "tty"));
