/*
 * The rules for what a Revision is made of, shared by the kinds that carry a template. All report
 * into a field_errors under the path given; values may be NULL where the object lacks the field.
 * Pure.
 */
#ifndef NONAGON_CONTRACT_VALIDATE_H
#define NONAGON_CONTRACT_VALIDATE_H

#include "contract/config.h"
#include "contract/field_error.h"

/* Reports every member that is not in `allowed` (NULL-terminated) and not a zero value. */
void validate_members(struct field_errors *fe, const struct fpath *at, yyjson_val *obj,
                      const char *const *allowed);
/* null, false, 0, "", {} and []: what a typed client could not tell from absent. */
bool json_is_zero(yyjson_val *v);

/* A Revision's spec: the pod's fields and the four of its own. */
void validate_revision_spec(struct field_errors *fe, const struct fpath *at, yyjson_val *spec,
                            const struct contract_config *cfg);

/* ---- parts of it ---- */
enum container_role { CONTAINER_SERVING, CONTAINER_SIDECAR, CONTAINER_INIT };
struct pod_check {
    struct field_errors *fe;
    const struct contract_config *cfg;
    yyjson_val *spec;
};
void validate_containers(const struct pod_check *pc, const struct fpath *at);
void validate_probes(const struct pod_check *pc, const struct fpath *at, yyjson_val *container,
                     enum container_role role);
void validate_security(const struct pod_check *pc, const struct fpath *at, yyjson_val *ctx);
void validate_security_warnings(const struct pod_check *pc, const struct fpath *at);
/* runAsUser, runAsGroup and so on. */
void validate_id(struct field_errors *fe, const struct fpath *at, yyjson_val *obj,
                 const char *field);
void validate_volumes(const struct pod_check *pc, const struct fpath *at);
void validate_mounts(const struct pod_check *pc, const struct fpath *at, yyjson_val *container);
/* Volumes whose content may be written by the pod. */
bool volume_is_writable(yyjson_val *volume);
yyjson_val *volume_named(yyjson_val *spec, const char *name);

/* ---- metadata ---- */
void validate_object_name(struct field_errors *fe, yyjson_val *root);
/* An object that is labelled as part of a parent must be owned by it. */
void validate_owner_label(struct field_errors *fe, yyjson_val *root, const char *label,
                          const char *owner_kind);

/* ---- template and traffic ---- */
/* old_template NULL on create. */
void validate_template(struct field_errors *fe, const struct fpath *at, yyjson_val *root,
                       yyjson_val *template, yyjson_val *old_template,
                       const struct contract_config *cfg);
void validate_traffic(struct field_errors *fe, const struct fpath *at, yyjson_val *traffic,
                      bool of_service);

#endif
