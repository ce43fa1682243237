/* Volumes of pods. */
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

SHARED_TYPE(kt_volume_resource_requirements, "VolumeResourceRequirements",
            QUANTITY_MAP(1, "limits"), QUANTITY_MAP(2, "requests"));
TYPE(host_path_volume_source, "HostPathVolumeSource", STR(1, "path", .required = true),
     STR_P(2, "type",
           .words = WORDS("BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File",
                          "FileOrCreate", "Socket")));
TYPE(empty_dir_volume_source, "EmptyDirVolumeSource", STR(1, "medium"), QUANTITY_P(2, "sizeLimit"),
     INT32_P(3, "mode"));
TYPE(secret_volume_source, "SecretVolumeSource", STR(1, "secretName"),
     OBJS(2, "items", kt_key_to_path), INT32_P(3, "defaultMode", .def = "420"),
     BOOL_P(4, "optional"), INT64_P(5, "defaultUser"));
TYPE(persistent_volume_claim_volume_source, "PersistentVolumeClaimVolumeSource",
     STR(1, "claimName"), BOOL(2, "readOnly"));
TYPE(downward_api_volume_file, "DownwardAPIVolumeFile", STR(1, "path", .required = true),
     OBJ_P(2, "fieldRef", kt_object_field_selector),
     OBJ_P(3, "resourceFieldRef", kt_resource_field_selector), INT32_P(4, "mode"),
     INT64_P(5, "user"));
TYPE(downward_api_volume_source, "DownwardAPIVolumeSource",
     OBJS(1, "items", downward_api_volume_file), INT32_P(2, "defaultMode", .def = "420"),
     INT64_P(3, "defaultUser"));
TYPE(config_map_volume_source, "ConfigMapVolumeSource", INLINE(1, kt_local_object_reference),
     OBJS(2, "items", kt_key_to_path), INT32_P(3, "defaultMode", .def = "420"),
     BOOL_P(4, "optional"), INT64_P(5, "defaultUser"));
TYPE(secret_projection, "SecretProjection", INLINE(1, kt_local_object_reference),
     OBJS(2, "items", kt_key_to_path), BOOL_P(4, "optional"));
TYPE(downward_api_projection, "DownwardAPIProjection", OBJS(1, "items", downward_api_volume_file));
TYPE(config_map_projection, "ConfigMapProjection", INLINE(1, kt_local_object_reference),
     OBJS(2, "items", kt_key_to_path), BOOL_P(4, "optional"));
TYPE(service_account_token_projection, "ServiceAccountTokenProjection", STR(1, "audience"),
     INT64_P(2, "expirationSeconds", .def = "3600"), STR(3, "path", .required = true),
     INT64_P(4, "user"));
TYPE(cluster_trust_bundle_projection, "ClusterTrustBundleProjection", STR_P(1, "name"),
     STR_P(2, "signerName"), OBJ_P(3, "labelSelector", kt_label_selector), BOOL_P(5, "optional"),
     STR(4, "path"), INT64_P(6, "user"));
TYPE(pod_certificate_projection, "PodCertificateProjection", STR(1, "signerName"),
     STR(2, "keyType"), INT32_P(3, "maxExpirationSeconds"), STR(4, "credentialBundlePath"),
     STR(5, "keyPath"), STR(6, "certificateChainPath"), STR_MAP(7, "userAnnotations"),
     INT64_P(8, "user"));
TYPE(volume_projection, "VolumeProjection", OBJ_P(1, "secret", secret_projection),
     OBJ_P(2, "downwardAPI", downward_api_projection), OBJ_P(3, "configMap", config_map_projection),
     OBJ_P(4, "serviceAccountToken", service_account_token_projection),
     OBJ_P(5, "clusterTrustBundle", cluster_trust_bundle_projection),
     OBJ_P(6, "podCertificate", pod_certificate_projection));
TYPE(projected_volume_source, "ProjectedVolumeSource", OBJS(1, "sources", volume_projection),
     INT32_P(2, "defaultMode", .def = "420"), INT64_P(3, "defaultUser"));
TYPE(persistent_volume_claim_spec, "PersistentVolumeClaimSpec", STRS(1, "accessModes"),
     OBJ_P(4, "selector", kt_label_selector), OBJ(2, "resources", kt_volume_resource_requirements),
     STR(3, "volumeName"), STR_P(5, "storageClassName"), STR_P(6, "volumeMode"),
     OBJ_P(7, "dataSource", kt_typed_local_object_reference),
     OBJ_P(8, "dataSourceRef", kt_typed_object_reference), STR_P(9, "volumeAttributesClassName"));
TYPE(persistent_volume_claim_template, "PersistentVolumeClaimTemplate",
     OBJ(1, "metadata", kt_object_meta), OBJ(2, "spec", persistent_volume_claim_spec));
TYPE(ephemeral_volume_source, "EphemeralVolumeSource",
     OBJ_P(1, "volumeClaimTemplate", persistent_volume_claim_template));
TYPE(image_volume_source, "ImageVolumeSource", STR(1, "reference"), STR(2, "pullPolicy"));
TYPE(volume_source, "VolumeSource", OBJ_P(1, "hostPath", host_path_volume_source),
     OBJ_P(2, "emptyDir", empty_dir_volume_source),
     OBJ_P(3, "gcePersistentDisk", kt_gce_persistent_disk_volume_source),
     OBJ_P(4, "awsElasticBlockStore", kt_aws_elastic_block_store_volume_source),
     OBJ_P(5, "gitRepo", kt_git_repo_volume_source), OBJ_P(6, "secret", secret_volume_source),
     OBJ_P(7, "nfs", kt_nfs_volume_source), OBJ_P(8, "iscsi", kt_iscsi_volume_source),
     OBJ_P(9, "glusterfs", kt_glusterfs_volume_source),
     OBJ_P(10, "persistentVolumeClaim", persistent_volume_claim_volume_source),
     OBJ_P(11, "rbd", kt_rbd_volume_source), OBJ_P(12, "flexVolume", kt_flex_volume_source),
     OBJ_P(13, "cinder", kt_cinder_volume_source), OBJ_P(14, "cephfs", kt_ceph_fs_volume_source),
     OBJ_P(15, "flocker", kt_flocker_volume_source),
     OBJ_P(16, "downwardAPI", downward_api_volume_source), OBJ_P(17, "fc", kt_fc_volume_source),
     OBJ_P(18, "azureFile", kt_azure_file_volume_source),
     OBJ_P(19, "configMap", config_map_volume_source),
     OBJ_P(20, "vsphereVolume", kt_vsphere_virtual_disk_volume_source),
     OBJ_P(21, "quobyte", kt_quobyte_volume_source),
     OBJ_P(22, "azureDisk", kt_azure_disk_volume_source),
     OBJ_P(23, "photonPersistentDisk", kt_photon_persistent_disk_volume_source),
     OBJ_P(26, "projected", projected_volume_source),
     OBJ_P(24, "portworxVolume", kt_portworx_volume_source),
     OBJ_P(25, "scaleIO", kt_scale_io_volume_source),
     OBJ_P(27, "storageos", kt_storage_os_volume_source), OBJ_P(28, "csi", kt_csi_volume_source),
     OBJ_P(29, "ephemeral", ephemeral_volume_source), OBJ_P(30, "image", image_volume_source));
SHARED_TYPE(kt_volume, "Volume", STR(1, "name", .required = true), INLINE(2, volume_source));
