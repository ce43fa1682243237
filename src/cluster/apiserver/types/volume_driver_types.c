/* Volumes of drivers that no node here has: they are known so that they are refused by name. */
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

SHARED_TYPE(kt_gce_persistent_disk_volume_source, "GCEPersistentDiskVolumeSource", STR(1, "pdName"),
            STR(2, "fsType"), INT32(3, "partition"), BOOL(4, "readOnly"));
SHARED_TYPE(kt_aws_elastic_block_store_volume_source, "AWSElasticBlockStoreVolumeSource",
            STR(1, "volumeID"), STR(2, "fsType"), INT32(3, "partition"), BOOL(4, "readOnly"));
SHARED_TYPE(kt_git_repo_volume_source, "GitRepoVolumeSource", STR(1, "repository"),
            STR(2, "revision"), STR(3, "directory"));
SHARED_TYPE(kt_nfs_volume_source, "NFSVolumeSource", STR(1, "server"), STR(2, "path"),
            BOOL(3, "readOnly"));
SHARED_TYPE(kt_iscsi_volume_source, "ISCSIVolumeSource", STR(1, "targetPortal"), STR(2, "iqn"),
            INT32(3, "lun"), STR(4, "iscsiInterface"), STR(5, "fsType"), BOOL(6, "readOnly"),
            STRS(7, "portals"), BOOL(8, "chapAuthDiscovery"), BOOL(11, "chapAuthSession"),
            OBJ_P(10, "secretRef", kt_local_object_reference), STR_P(12, "initiatorName"));
SHARED_TYPE(kt_glusterfs_volume_source, "GlusterfsVolumeSource", STR(1, "endpoints"),
            STR(2, "path"), BOOL(3, "readOnly"));
SHARED_TYPE(kt_rbd_volume_source, "RBDVolumeSource", STRS(1, "monitors"), STR(2, "image"),
            STR(3, "fsType"), STR(4, "pool"), STR(5, "user"), STR(6, "keyring"),
            OBJ_P(7, "secretRef", kt_local_object_reference), BOOL(8, "readOnly"));
SHARED_TYPE(kt_flex_volume_source, "FlexVolumeSource", STR(1, "driver"), STR(2, "fsType"),
            OBJ_P(3, "secretRef", kt_local_object_reference), BOOL(4, "readOnly"),
            STR_MAP(5, "options"));
SHARED_TYPE(kt_cinder_volume_source, "CinderVolumeSource", STR(1, "volumeID"), STR(2, "fsType"),
            BOOL(3, "readOnly"), OBJ_P(4, "secretRef", kt_local_object_reference));
SHARED_TYPE(kt_ceph_fs_volume_source, "CephFSVolumeSource", STRS(1, "monitors"), STR(2, "path"),
            STR(3, "user"), STR(4, "secretFile"), OBJ_P(5, "secretRef", kt_local_object_reference),
            BOOL(6, "readOnly"));
SHARED_TYPE(kt_flocker_volume_source, "FlockerVolumeSource", STR(1, "datasetName"),
            STR(2, "datasetUUID"));
SHARED_TYPE(kt_fc_volume_source, "FCVolumeSource", STRS(1, "targetWWNs"), INT32_P(2, "lun"),
            STR(3, "fsType"), BOOL(4, "readOnly"), STRS(5, "wwids"));
SHARED_TYPE(kt_azure_file_volume_source, "AzureFileVolumeSource", STR(1, "secretName"),
            STR(2, "shareName"), BOOL(3, "readOnly"));
SHARED_TYPE(kt_vsphere_virtual_disk_volume_source, "VsphereVirtualDiskVolumeSource",
            STR(1, "volumePath"), STR(2, "fsType"), STR(3, "storagePolicyName"),
            STR(4, "storagePolicyID"));
SHARED_TYPE(kt_quobyte_volume_source, "QuobyteVolumeSource", STR(1, "registry"), STR(2, "volume"),
            BOOL(3, "readOnly"), STR(4, "user"), STR(5, "group"), STR(6, "tenant"));
SHARED_TYPE(kt_azure_disk_volume_source, "AzureDiskVolumeSource", STR(1, "diskName"),
            STR(2, "diskURI"), STR_P(3, "cachingMode"), STR_P(4, "fsType"), BOOL_P(5, "readOnly"),
            STR_P(6, "kind"));
SHARED_TYPE(kt_photon_persistent_disk_volume_source, "PhotonPersistentDiskVolumeSource",
            STR(1, "pdID"), STR(2, "fsType"));
SHARED_TYPE(kt_portworx_volume_source, "PortworxVolumeSource", STR(1, "volumeID"), STR(2, "fsType"),
            BOOL(3, "readOnly"));
SHARED_TYPE(kt_scale_io_volume_source, "ScaleIOVolumeSource", STR(1, "gateway"), STR(2, "system"),
            OBJ_P(3, "secretRef", kt_local_object_reference), BOOL(4, "sslEnabled"),
            STR(5, "protectionDomain"), STR(6, "storagePool"), STR(7, "storageMode"),
            STR(8, "volumeName"), STR(9, "fsType"), BOOL(10, "readOnly"));
SHARED_TYPE(kt_storage_os_volume_source, "StorageOSVolumeSource", STR(1, "volumeName"),
            STR(2, "volumeNamespace"), STR(3, "fsType"), BOOL(4, "readOnly"),
            OBJ_P(5, "secretRef", kt_local_object_reference));
SHARED_TYPE(kt_csi_volume_source, "CSIVolumeSource", STR(1, "driver"), BOOL_P(2, "readOnly"),
            STR_P(3, "fsType"), STR_MAP(4, "volumeAttributes"),
            OBJ_P(5, "nodePublishSecretRef", kt_local_object_reference));
