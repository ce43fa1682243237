/* Types that several kinds share. */
#ifndef NONAGON_CLUSTER_APISERVER_TYPES_SHARED_TYPES_H
#define NONAGON_CLUSTER_APISERVER_TYPES_SHARED_TYPES_H

#include "cluster/apiserver/types/ktype.h"

extern const struct ktype kt_object_meta, kt_label_selector, kt_label_selector_requirement,
    kt_condition, kt_delete_options, kt_object_reference, kt_local_object_reference,
    kt_typed_local_object_reference, kt_typed_object_reference, kt_object_field_selector,
    kt_resource_field_selector, kt_key_to_path, kt_gce_persistent_disk_volume_source,
    kt_aws_elastic_block_store_volume_source, kt_git_repo_volume_source, kt_nfs_volume_source,
    kt_iscsi_volume_source, kt_glusterfs_volume_source, kt_rbd_volume_source, kt_flex_volume_source,
    kt_cinder_volume_source, kt_ceph_fs_volume_source, kt_flocker_volume_source,
    kt_fc_volume_source, kt_azure_file_volume_source, kt_vsphere_virtual_disk_volume_source,
    kt_quobyte_volume_source, kt_azure_disk_volume_source, kt_photon_persistent_disk_volume_source,
    kt_portworx_volume_source, kt_scale_io_volume_source, kt_storage_os_volume_source,
    kt_csi_volume_source, kt_volume_resource_requirements, kt_volume, kt_resource_requirements,
    kt_se_linux_options, kt_windows_security_context_options, kt_seccomp_profile,
    kt_app_armor_profile, kt_container, kt_affinity, kt_topology_spread_constraint, kt_toleration,
    kt_pod_spec, kt_pod_template_spec, kt_pod_status, kt_json_schema_props;

#endif
