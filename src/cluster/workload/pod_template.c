/*
 * The hash walks the template as a tree: members of an object are summed, so that their order does
 * not matter, and items of a list are chained, so that theirs does. Numbers count by value.
 */
#include "cluster/workload/pod_template.h"

#include <stdio.h>

#include "base/rand.h"

#define GENERATED_NAME_BASE 58 /* what a name is cut to before five random characters are added */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h ^= v + 0x9e3779b97f4a7c15ull + (h << 6) + (h >> 2);
    h *= 0xff51afd7ed558ccdull;
    return h ^ (h >> 33);
}

static uint64_t hash_number(yyjson_val *v)
{
    double d = yyjson_get_num(v);

    if (yyjson_is_int(v))
        return yyjson_get_uint(v);
    return hash_fnv64(&d, sizeof(d));
}

static uint64_t hash_value(yyjson_val *v)
{
    uint64_t h = yyjson_get_type(v);
    size_t i, max;
    yyjson_val *k, *member;

    if (yyjson_is_str(v))
        return mix(h, hash_fnv64(yyjson_get_str(v), yyjson_get_len(v)));
    if (yyjson_is_num(v))
        return mix(h, hash_number(v));
    if (yyjson_is_bool(v))
        return mix(h, yyjson_get_bool(v));
    yyjson_arr_foreach(v, i, max, member) h = mix(h, hash_value(member));
    yyjson_obj_foreach(v, i, max, k, member) h +=
        mix(hash_fnv64(yyjson_get_str(k), yyjson_get_len(k)), hash_value(member));
    return h;
}

void template_hash(const yyjson_val *template, char ret[static TEMPLATE_HASH_MAX])
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    char digits[16];
    uint64_t h = hash_value((yyjson_val *)(uintptr_t) template);

    /* Upstream's look: a decimal number spelled in the alphabet. */
    snprintf(digits, sizeof(digits), "%u", (uint32_t)(h ^ h >> 32));
    size_t n = 0;
    for (; digits[n]; n++)
        ret[n] = alphabet[(digits[n] - '0') % (int)(sizeof(alphabet) - 1)];
    ret[n] = '\0';
}

struct kmut *pod_from_template(const struct kobj *deployment, const char *hash)
{
    yyjson_val *template = jget(kobj_root(deployment), "spec", "template");
    _cleanup_free_ char *base = xasprintf("%s-%s-", kobj_name(deployment), hash);
    char suffix[6];

    if (strlen(base) > GENERATED_NAME_BASE)
        base[GENERATED_NAME_BASE] = '\0';
    rand_suffix(suffix, 5);
    _cleanup_free_ char *name = xasprintf("%s%s", base, suffix);
    struct kmut *pod = kmut_new(&KR_POD, kobj_namespace(deployment), name);
    jm_set_str(KM(pod), base, "metadata", "generateName");
    if (jget(template, "metadata", "labels"))
        jm_set_copy(KM(pod), jget(template, "metadata", "labels"), "metadata", "labels");
    if (jget(template, "metadata", "annotations"))
        jm_set_copy(KM(pod), jget(template, "metadata", "annotations"), "metadata", "annotations");
    kmut_label(pod, L_TEMPLATE_HASH, hash);
    kmut_set_controller(pod, deployment);
    jm_set_copy(KM(pod), jget(template, "spec"), "spec");
    return pod;
}
