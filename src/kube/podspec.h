/*
 * What Nonagon's own node does with each field of a v1 PodSpec: one row per field, for the API
 * server, which refuses what would be dropped silently, and for the node, which does the same for
 * pods that were stored before. A field without a row is refused. Pure data and a pure walk.
 */
#ifndef NONAGON_KUBE_PODSPEC_H
#define NONAGON_KUBE_PODSPEC_H

#include "json/json.h"

enum kube_podspec_state {
    KUBE_PODSPEC_HONOURED,  /* `text` says by whom */
    KUBE_PODSPEC_BELOW,     /* its members have rows; `text` is why others are refused, or NULL */
    KUBE_PODSPEC_VALUES,    /* only these values: they ask for what happens here anyway */
    KUBE_PODSPEC_CHECKED,   /* only what `fits` lets through */
    KUBE_PODSPEC_MOOT,      /* nothing can come of it here, whatever it is: `text` says why */
    KUBE_PODSPEC_TOLERATED, /* a gap: accepted without effect, since clients set it unasked */
    KUBE_PODSPEC_REFUSED,   /* `text` says why and what to do */
};

struct kube_podspec_row {
    /* From the spec on, without indices: "containers.ports.hostPort". Rows of containers hold for
     * init containers too, unless those have one of their own. */
    const char *path;
    enum kube_podspec_state state;
    const char *text;
    const char *const *values; /* words, numbers, "true", "false", "{}"; NULL-terminated */
    bool (*fits)(const yyjson_val *value, const yyjson_val *parent);
};
extern const struct kube_podspec_row kube_podspec_rows[]; /* sorted by path */
extern const size_t kube_podspec_rows_len;

/* NULL for a field that is not known. */
const struct kube_podspec_row *kube_podspec_row(const char *path);

/* Calls `refused` for each field of the spec that is set and not honoured: its path
 * ("containers[0]. lifecycle") and why. */
typedef void kube_podspec_refused_fn(void *ctx, const char *path, const char *why);
void kube_podspec_check(const yyjson_val *spec, kube_podspec_refused_fn *refused, void *ctx);

#endif
