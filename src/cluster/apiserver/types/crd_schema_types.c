/* JSON schemas inside custom resource definitions. */
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"

TYPE(external_documentation, "ExternalDocumentation", STR(1, "description"), STR(2, "url"));
TYPE(validation_rule, "ValidationRule", STR(1, "rule"), STR(2, "message"),
     STR(3, "messageExpression"), STR_P(4, "reason"), STR(5, "fieldPath"),
     BOOL_P(6, "optionalOldSelf"));
SHARED_TYPE(kt_json_schema_props, "JSONSchemaProps", STR(1, "id"), STR(2, "$schema"),
            STR_P(3, "$ref"), STR(4, "description"), STR(5, "type"), STR(6, "format"),
            STR(7, "title"), RAW_JSON(8, "default"), DOUBLE_P(9, "maximum"),
            BOOL(10, "exclusiveMaximum"), DOUBLE_P(11, "minimum"), BOOL(12, "exclusiveMinimum"),
            INT64_P(13, "maxLength"), INT64_P(14, "minLength"), STR(15, "pattern"),
            INT64_P(16, "maxItems"), INT64_P(17, "minItems"), BOOL(18, "uniqueItems"),
            DOUBLE_P(19, "multipleOf"), RAW_JSONS(20, "enum"), INT64_P(21, "maxProperties"),
            INT64_P(22, "minProperties"), STRS(23, "required"),
            SCHEMA_OR_LIST(24, "items", kt_json_schema_props),
            OBJS(25, "allOf", kt_json_schema_props), OBJS(26, "oneOf", kt_json_schema_props),
            OBJS(27, "anyOf", kt_json_schema_props), OBJ_P(28, "not", kt_json_schema_props),
            OBJ_MAP(29, "properties", kt_json_schema_props),
            SCHEMA_OR_BOOL(30, "additionalProperties", kt_json_schema_props),
            OBJ_MAP(31, "patternProperties", kt_json_schema_props),
            SCHEMA_OR_STRS_MAP(32, "dependencies", kt_json_schema_props),
            SCHEMA_OR_BOOL(33, "additionalItems", kt_json_schema_props),
            OBJ_MAP(34, "definitions", kt_json_schema_props),
            OBJ_P(35, "externalDocs", external_documentation), RAW_JSON(36, "example"),
            BOOL(37, "nullable"), BOOL_P(38, "x-kubernetes-preserve-unknown-fields"),
            BOOL(39, "x-kubernetes-embedded-resource"), BOOL(40, "x-kubernetes-int-or-string"),
            STRS(41, "x-kubernetes-list-map-keys"), STR_P(42, "x-kubernetes-list-type"),
            STR_P(43, "x-kubernetes-map-type"),
            OBJS(44, "x-kubernetes-validations", validation_rule, .key = "rule"));
