/*
 * Annotations with several spellings, and the rules for those that users write on revision
 * templates. Readers accept a NULL map. Pure.
 */
#ifndef NONAGON_CONTRACT_ANNOTATIONS_H
#define NONAGON_CONTRACT_ANNOTATIONS_H

#include "contract/config.h"
#include "contract/field_error.h"

/* Spellings in the order of their precedence, NULL-terminated. */
struct annotation_key {
    const char *names[4];
};
extern const struct annotation_key AK_CLASS, AK_METRIC, AK_MIN_SCALE, AK_MAX_SCALE,
    AK_INITIAL_SCALE, AK_ACTIVATION_SCALE, AK_TARGET, AK_TARGET_UTILIZATION, AK_TARGET_BURST,
    AK_WINDOW, AK_PANIC_WINDOW, AK_PANIC_THRESHOLD, AK_SCALE_DOWN_DELAY, AK_RETENTION,
    AK_AGGREGATION, AK_PROGRESS_DEADLINE, AK_ROLLOUT_DURATION, AK_INGRESS_CLASS,
    AK_CERTIFICATE_CLASS, AK_DISABLE_TLS, AK_HTTP_OPTION;

/* The value of the first spelling present, NULL when none is; `ret_name` (may be NULL) gets the
 * spelling. */
const char *annotation_get(const yyjson_val *annotations, const struct annotation_key *k,
                           const char **ret_name);

/* Whole seconds, at least 0; -1 when absent or not valid. */
int64_t annotation_seconds(const yyjson_val *annotations, const struct annotation_key *k);

/* ---- rules; `at` is the path of the annotations ---- */
void validate_autoscaling(struct field_errors *fe, const struct fpath *at, yyjson_val *annotations,
                          const struct contract_config *cfg);
/* None may be there at all: they belong on the template. */
void validate_no_autoscaling(struct field_errors *fe, const struct fpath *at,
                             yyjson_val *annotations);
void validate_template_annotations(struct field_errors *fe, const struct fpath *at,
                                   yyjson_val *annotations);
void validate_rollout_duration(struct field_errors *fe, const struct fpath *at,
                               yyjson_val *annotations);

#endif
