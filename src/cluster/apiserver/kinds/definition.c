/*
 * The shape of CustomResourceDefinitions and their columns; what they declare is read in crd/.
 */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"

TYPE(custom_resource_definition_names, "CustomResourceDefinitionNames", STR(1, "plural"),
     STR(2, "singular"), STRS(3, "shortNames"), STR(4, "kind"), STR(5, "listKind"),
     STRS(6, "categories"));
TYPE(custom_resource_validation, "CustomResourceValidation",
     OBJ_P(1, "openAPIV3Schema", kt_json_schema_props));
TYPE(custom_resource_subresource_status, "CustomResourceSubresourceStatus");
TYPE(custom_resource_subresource_scale, "CustomResourceSubresourceScale",
     STR(1, "specReplicasPath"), STR(2, "statusReplicasPath"), STR_P(3, "labelSelectorPath"));
TYPE(custom_resource_subresources, "CustomResourceSubresources",
     OBJ_P(1, "status", custom_resource_subresource_status),
     OBJ_P(2, "scale", custom_resource_subresource_scale));
TYPE(custom_resource_column_definition, "CustomResourceColumnDefinition", STR(1, "name"),
     STR(2, "type"), STR(3, "format"), STR(4, "description"), INT32(5, "priority"),
     STR(6, "jsonPath"));
TYPE(selectable_field, "SelectableField", STR(1, "jsonPath"));
TYPE(custom_resource_definition_version, "CustomResourceDefinitionVersion", STR(1, "name"),
     BOOL(2, "served"), BOOL(3, "storage"), BOOL(7, "deprecated"), STR_P(8, "deprecationWarning"),
     OBJ_P(4, "schema", custom_resource_validation),
     OBJ_P(5, "subresources", custom_resource_subresources),
     OBJS(6, "additionalPrinterColumns", custom_resource_column_definition),
     OBJS(9, "selectableFields", selectable_field));
TYPE(service_reference, "ServiceReference", STR(1, "namespace"), STR(2, "name"), STR_P(3, "path"),
     INT32_P(4, "port"));
TYPE(webhook_client_config, "WebhookClientConfig", STR_P(3, "url"),
     OBJ_P(1, "service", service_reference), BYTES(2, "caBundle"));
TYPE(webhook_conversion, "WebhookConversion", OBJ_P(2, "clientConfig", webhook_client_config),
     STRS(3, "conversionReviewVersions"));
TYPE(custom_resource_conversion, "CustomResourceConversion", STR(1, "strategy"),
     OBJ_P(2, "webhook", webhook_conversion));
TYPE(custom_resource_definition_spec, "CustomResourceDefinitionSpec", STR(1, "group"),
     OBJ(3, "names", custom_resource_definition_names),
     STR(4, "scope", .words = WORDS("Cluster", "Namespaced")),
     OBJS(7, "versions", custom_resource_definition_version),
     OBJ_P(9, "conversion", custom_resource_conversion), BOOL(10, "preserveUnknownFields"));
TYPE(custom_resource_definition_condition, "CustomResourceDefinitionCondition", STR(1, "type"),
     STR(2, "status"), TIME(3, "lastTransitionTime"), STR(4, "reason"), STR(5, "message"),
     INT64(6, "observedGeneration"));
TYPE(custom_resource_definition_status, "CustomResourceDefinitionStatus",
     OBJS(1, "conditions", custom_resource_definition_condition),
     OBJ(2, "acceptedNames", custom_resource_definition_names), STRS(3, "storedVersions"),
     INT64(4, "observedGeneration"));
SHARED_TYPE(kt_custom_resource_definition, "CustomResourceDefinition",
            OBJ(1, "metadata", kt_object_meta), OBJ(2, "spec", custom_resource_definition_spec),
            OBJ(3, "status", custom_resource_definition_status));

static void crd_created(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_str(out, jget_str(o, "metadata", "creationTimestamp"));
}

const struct api_column columns_crd[] = {
    {"Created At", "date", "", "When it was created.", 0, crd_created, NULL}, COLUMN_END};
