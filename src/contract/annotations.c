/*
 * Spellings are tables. Each rule reads its annotation, and reports under the spelling that the
 * user wrote.
 */
#include "contract/annotations.h"

#include <errno.h>

#include "base/clock.h"
#include "contract/names.h"
#include "kube/names.h"

#define AUTOSCALING "autoscaling.knative.dev/"
#define NETWORKING  "networking.knative.dev"
#define SIDECAR     "queue.sidecar.serving.knative.dev/"

const struct annotation_key AK_CLASS = {{A_AUTOSCALER_CLASS}};
const struct annotation_key AK_METRIC = {{AUTOSCALING "metric"}};
const struct annotation_key AK_MIN_SCALE = {{AUTOSCALING "min-scale", AUTOSCALING "minScale"}};
const struct annotation_key AK_MAX_SCALE = {{AUTOSCALING "max-scale", AUTOSCALING "maxScale"}};
const struct annotation_key AK_INITIAL_SCALE = {
    {AUTOSCALING "initial-scale", AUTOSCALING "initialScale"}};
const struct annotation_key AK_ACTIVATION_SCALE = {{AUTOSCALING "activation-scale"}};
const struct annotation_key AK_TARGET = {{AUTOSCALING "target"}};
const struct annotation_key AK_TARGET_UTILIZATION = {
    {AUTOSCALING "target-utilization-percentage", AUTOSCALING "targetUtilizationPercentage"}};
const struct annotation_key AK_TARGET_BURST = {
    {AUTOSCALING "target-burst-capacity", AUTOSCALING "targetBurstCapacity"}};
const struct annotation_key AK_WINDOW = {{AUTOSCALING "window"}};
const struct annotation_key AK_PANIC_WINDOW = {
    {AUTOSCALING "panic-window-percentage", AUTOSCALING "panicWindowPercentage"}};
const struct annotation_key AK_PANIC_THRESHOLD = {
    {AUTOSCALING "panic-threshold-percentage", AUTOSCALING "panicThresholdPercentage"}};
const struct annotation_key AK_SCALE_DOWN_DELAY = {
    {AUTOSCALING "scale-down-delay", AUTOSCALING "scaleDownDelay"}};
const struct annotation_key AK_RETENTION = {{AUTOSCALING "scale-to-zero-pod-retention-period",
                                             AUTOSCALING "scaleToZeroPodRetentionPeriod"}};
const struct annotation_key AK_AGGREGATION = {
    {AUTOSCALING "metric-aggregation-algorithm", AUTOSCALING "metricAggregationAlgorithm"}};
const struct annotation_key AK_PROGRESS_DEADLINE = {{A_PROGRESS_DEADLINE}};
const struct annotation_key AK_ROLLOUT_DURATION = {
    {A_ROLLOUT_DURATION, "serving.knative.dev/rolloutDuration"}};
const struct annotation_key AK_INGRESS_CLASS = {{A_INGRESS_CLASS, NETWORKING "/ingress-class"}};
const struct annotation_key AK_CERTIFICATE_CLASS = {
    {NETWORKING "/certificate.class", NETWORKING "/certificate-class"}};
const struct annotation_key AK_DISABLE_TLS = {{NETWORKING "/disableAutoTLS",
                                               NETWORKING "/disable-auto-tls",
                                               NETWORKING "/disable-external-domain-tls"}};
const struct annotation_key AK_HTTP_OPTION = {
    {NETWORKING "/httpOption", NETWORKING "/http-protocol"}};

static const struct annotation_key AK_SIDECAR_PERCENTAGE = {
    {SIDECAR "resource-percentage", SIDECAR "resourcePercentage"}};

const char *annotation_get(const yyjson_val *annotations, const struct annotation_key *k,
                           const char **ret_name)
{
    for (const char *const *name = k->names; *name; name++) {
        const char *v = jget_str(annotations, *name);
        if (!v)
            continue;
        if (ret_name)
            *ret_name = *name;
        return v;
    }
    return NULL;
}

int64_t annotation_seconds(const yyjson_val *annotations, const struct annotation_key *k)
{
    const char *v = annotation_get(annotations, k, NULL);
    int64_t ns;

    if (!v || duration_parse(v, &ns, NULL) < 0 || ns < 0)
        return -1;
    return ns / NS_PER_SEC;
}

/* As Go's Atoi: a sign is allowed. */
static int parse_int(const char *v, int64_t *ret)
{
    return str_i64(str_of(v[0] == '+' ? v + 1 : v), ret);
}

static bool parse_float(const char *v, double *ret)
{
    char *end;

    if (!v[0] || v[0] == ' ')
        return false;
    *ret = strtod(v, &end);
    return *end == '\0';
}

/* ---- scales ---- */
/* 0 when absent or bad. */
static int64_t scale_of(struct field_errors *fe, const struct fpath *at, yyjson_val *annotations,
                        const struct annotation_key *k, int64_t lowest)
{
    const char *name, *v = annotation_get(annotations, k, &name);
    int64_t n;

    if (!v)
        return 0;
    int rc = parse_int(v, &n);
    if (rc == -EINVAL)
        fe_invalid(fe, at, name, v, NULL);
    else if (rc < 0 || n < lowest || n > INT32_MAX)
        fe_add(fe, FE_ERROR, at, name, NULL, "expected %lld <= %s <= %d", (long long)lowest, v,
               INT32_MAX);
    else
        return n;
    return 0;
}

static void validate_max_limit(struct field_errors *fe, const struct fpath *at,
                               yyjson_val *annotations, int64_t max, int64_t limit)
{
    const char *name;

    if (limit == 0 || !annotation_get(annotations, &AK_MAX_SCALE, &name))
        return;
    if (max == 0)
        fe_add(fe, FE_ERROR, at, name, NULL, "max-scale=0 (unlimited), must be less than %lld",
               (long long)limit);
    else if (max > limit)
        fe_bounds(fe, at, name, 1, max, limit);
}

static void validate_activation(struct field_errors *fe, const struct fpath *at,
                                yyjson_val *annotations, int64_t min, int64_t max)
{
    const char *name = AK_ACTIVATION_SCALE.names[0];
    long long n = scale_of(fe, at, annotations, &AK_ACTIVATION_SCALE, 2);

    if (n && n < min)
        fe_add(fe, FE_ERROR, at, name, NULL, "activation-scale=%lld is less than min-scale=%lld", n,
               (long long)min);
    if (n && max && n > max)
        fe_add(fe, FE_ERROR, at, name, NULL, "activation-scale=%lld is greater than max-scale=%lld",
               n, (long long)max);
}

static void validate_scales(struct field_errors *fe, const struct fpath *at,
                            yyjson_val *annotations, const struct contract_config *cfg)
{
    size_t before = fe->items.n;
    int64_t min = scale_of(fe, at, annotations, &AK_MIN_SCALE, 0);
    int64_t max = scale_of(fe, at, annotations, &AK_MAX_SCALE, 0);

    if (fe->items.n != before)
        return;
    if (max != 0 && max < min) {
        for (int i = 0; i < 2; i++)
            fe_add(fe, FE_ERROR, at, (i ? AK_MIN_SCALE : AK_MAX_SCALE).names[0], NULL,
                   "max-scale=%lld is less than min-scale=%lld", (long long)max, (long long)min);
    }
    validate_max_limit(fe, at, annotations, max, cfg->autoscaler.max_scale_limit);
    validate_activation(fe, at, annotations, min, max);
}

static void validate_initial(struct field_errors *fe, const struct fpath *at,
                             yyjson_val *annotations, bool zero_ok)
{
    const char *name, *v = annotation_get(annotations, &AK_INITIAL_SCALE, &name);
    char path[160];
    int64_t n;

    if (!v)
        return;
    if (parse_int(v, &n) < 0)
        snprintf(path, sizeof(path), "%s", name);
    else if (n < 0)
        snprintf(path, sizeof(path), "%s must be greater than 0", name);
    else if (n == 0 && !zero_ok)
        snprintf(path, sizeof(path), "%s=0 not allowed by cluster", name);
    else
        return;
    fe_invalid(fe, at, path, v, NULL);
}

/* ---- floats ---- */
static void validate_float(struct field_errors *fe, const struct fpath *at, yyjson_val *annotations,
                           const struct annotation_key *k, int lo, int hi)
{
    const char *name, *v = annotation_get(annotations, k, &name);
    double d;

    if (!v)
        return;
    if (!parse_float(v, &d))
        fe_invalid(fe, at, name, v, NULL);
    else if (d < lo || d > hi)
        fe_add(fe, FE_ERROR, at, name, NULL, "expected %d <= %s <= %d", lo, v, hi);
}

static void validate_targets(struct field_errors *fe, const struct fpath *at,
                             yyjson_val *annotations)
{
    const char *name, *v = annotation_get(annotations, &AK_TARGET, &name);
    double d;

    if (v && !parse_float(v, &d))
        fe_invalid(fe, at, name, v, NULL);
    else if (v && d < 0.01)
        fe_add(fe, FE_ERROR, at, name, NULL, "target %s should be at least 0.01", v);

    v = annotation_get(annotations, &AK_TARGET_BURST, &name);
    if (v && (!parse_float(v, &d) || (d < 0 && d != -1)))
        fe_invalid(fe, at, name, v, NULL);
    validate_float(fe, at, annotations, &AK_TARGET_UTILIZATION, 1, 100);
    validate_float(fe, at, annotations, &AK_PANIC_WINDOW, 1, 100);
    validate_float(fe, at, annotations, &AK_PANIC_THRESHOLD, 110, 1000);
}

/* ---- durations ---- */
static void validate_duration(struct field_errors *fe, const struct fpath *at,
                              yyjson_val *annotations, const struct annotation_key *k, int64_t lo_s,
                              bool whole_seconds)
{
    const char *name, *v = annotation_get(annotations, k, &name);
    int64_t ns;

    if (!v)
        return;
    if (duration_parse(v, &ns, NULL) < 0)
        fe_invalid(fe, at, name, v, NULL);
    else if (ns < lo_s * NS_PER_SEC || ns > 3600 * NS_PER_SEC)
        fe_add(fe, FE_ERROR, at, name, NULL, "expected %llds <= %s <= 1h0m0s", (long long)lo_s, v);
    else if (whole_seconds && ns % NS_PER_SEC)
        fe_add(fe, FE_ERROR, at, name, NULL, "must be specified with at most second precision");
}

/* ---- words ---- */
static void validate_class_and_metric(struct field_errors *fe, const struct fpath *at,
                                      yyjson_val *annotations, const char *default_class)
{
    static const char hpa[] = "hpa.autoscaling.knative.dev";
    const char *class = annotation_get(annotations, &AK_CLASS, NULL);
    const char *metric = annotation_get(annotations, &AK_METRIC, NULL);
    const char *effective = class ? class : default_class;

    if (class && z_ends(class, ".knative.dev") && !streq(class, CLASS_KPA) && !streq(class, hpa))
        fe_invalid(fe, at, A_AUTOSCALER_CLASS, class, NULL);
    if (!metric)
        return;
    if ((streq(effective, CLASS_KPA) && !streq(metric, "concurrency") && !streq(metric, "rps")) ||
        (streq(effective, hpa) && !metric[0]))
        fe_invalid(fe, at, AK_METRIC.names[0], metric, NULL);
}

static void validate_aggregation(struct field_errors *fe, const struct fpath *at,
                                 yyjson_val *annotations)
{
    static const char *const known[] = {"", "linear", "weighted-exponential",
                                        "weightedExponential"};
    const char *name, *v = annotation_get(annotations, &AK_AGGREGATION, &name);

    if (!v || !streq(annotation_get(annotations, &AK_CLASS, NULL), CLASS_KPA))
        return;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (streq(v, known[i]))
            return;
    }
    fe_invalid(fe, at, name, v, NULL);
}

void validate_autoscaling(struct field_errors *fe, const struct fpath *at, yyjson_val *annotations,
                          const struct contract_config *cfg)
{
    if (yyjson_obj_size(annotations) == 0)
        return;
    validate_class_and_metric(fe, at, annotations, cfg->autoscaler.autoscaler_class);
    validate_scales(fe, at, annotations, cfg);
    validate_initial(fe, at, annotations, cfg->autoscaler.allow_zero_initial_scale);
    validate_targets(fe, at, annotations);
    validate_duration(fe, at, annotations, &AK_WINDOW, 6, true);
    validate_duration(fe, at, annotations, &AK_SCALE_DOWN_DELAY, 0, true);
    validate_duration(fe, at, annotations, &AK_RETENTION, 0, false);
    validate_aggregation(fe, at, annotations);
}

void validate_no_autoscaling(struct field_errors *fe, const struct fpath *at,
                             yyjson_val *annotations)
{
    yyjson_val *key, *value;
    size_t i, n;

    yyjson_obj_foreach(annotations, i, n, key, value)
    {
        if (z_starts(yyjson_get_str(key), "autoscaling.knative.dev"))
            fe_bad_key(fe, at, "", yyjson_get_str(key),
                       "autoscaling annotations must be put under "
                       "\"spec.template.metadata.annotations\" to work");
    }
}

/* ---- templates ---- */
static void validate_networking_keys(struct field_errors *fe, const struct fpath *at,
                                     yyjson_val *annotations)
{
    static const struct annotation_key *const allowed[] = {&AK_INGRESS_CLASS, &AK_CERTIFICATE_CLASS,
                                                           &AK_DISABLE_TLS, &AK_HTTP_OPTION};
    yyjson_val *key, *value;
    size_t i, n;

    yyjson_obj_foreach(annotations, i, n, key, value)
    {
        bool ok = !z_starts(yyjson_get_str(key), NETWORKING);
        for (size_t j = 0; !ok && j < ARRAY_LEN(allowed); j++) {
            for (const char *const *name = allowed[j]->names; *name; name++)
                ok |= streq(*name, yyjson_get_str(key));
        }
        if (!ok)
            fe_bad_key(fe, at, "", yyjson_get_str(key), NULL);
    }
}

static void validate_sidecar(struct field_errors *fe, const struct fpath *at,
                             yyjson_val *annotations)
{
    const char *name, *v = annotation_get(annotations, &AK_SIDECAR_PERCENTAGE, &name);
    char key[96];
    double percent;
    int64_t milli;

    for (int i = 0; i < RES_MAX * 2; i++) {
        snprintf(key, sizeof(key), SIDECAR "%s-resource-%s", config_resource_names[i / 2],
                 i % 2 ? "limit" : "request");
        const char *quantity = jget_str(annotations, key);
        char path[112];
        snprintf(path, sizeof(path), "[%s]", key);
        if (quantity && quantity_parse_milli(quantity, &milli, NULL) < 0)
            fe_invalid(fe, at, path, quantity, NULL);
    }
    if (!v)
        return;
    snprintf(key, sizeof(key), "[%s]", name);
    fe_add(fe, FE_WARNING, at, key, NULL,
           "the annotation is deprecated, give the resources one by one instead");
    if (!parse_float(v, &percent))
        fe_invalid(fe, at, key, v, NULL);
    else if (percent < 0.1 || percent > 100)
        fe_add(fe, FE_ERROR, at, key, NULL, "expected 0.1 <= %s <= 100", v);
}

/* Whole seconds and not below zero; `word` is how the texts call it. */
static void validate_seconds(struct field_errors *fe, const struct fpath *at,
                             yyjson_val *annotations, const struct annotation_key *k,
                             const char *word)
{
    const char *name, *v = annotation_get(annotations, k, &name);
    int64_t ns;

    if (!v)
        return;
    if (duration_parse(v, &ns, NULL) < 0)
        fe_invalid(fe, at, name, v, NULL);
    else if (ns % NS_PER_SEC)
        fe_add(fe, FE_ERROR, at, name, NULL, "%s=%s is not at second precision", word, v);
    else if (ns < 0)
        fe_add(fe, FE_ERROR, at, name, NULL, "%s=%s must be positive", word, v);
}

void validate_template_annotations(struct field_errors *fe, const struct fpath *at,
                                   yyjson_val *annotations)
{
    validate_networking_keys(fe, at, annotations);
    validate_sidecar(fe, at, annotations);
    validate_seconds(fe, at, annotations, &AK_PROGRESS_DEADLINE, "progress-deadline");
}

void validate_rollout_duration(struct field_errors *fe, const struct fpath *at,
                               yyjson_val *annotations)
{
    validate_seconds(fe, at, annotations, &AK_ROLLOUT_DURATION, "rollout-duration");
}
