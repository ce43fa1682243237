/*
 * ObjectMeta: what the server sets, what a client may not change, and what is valid. System fields
 * of an update come from the object as it is; a client's values there are ignored, save uid and
 * resourceVersion, which are preconditions.
 */
#include "cluster/apiserver/write/meta.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/rand.h"
#include "cluster/apiserver/kinds/version.h"
#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/types/shared_types.h"
#include "kube/names.h"

#define MAX_ANNOTATIONS (256 * 1024)
#define MAX_NAME_BASE   58 /* of generateName, before five random characters */

static void drop_empty(yyjson_mut_val *meta)
{
    static const char *const keys[] = {"labels", "annotations", "finalizers", "ownerReferences"};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        yyjson_mut_val *v = yyjson_mut_obj_get(meta, keys[i]);

        if (v && yyjson_mut_get_len(v) == 0)
            yyjson_mut_obj_remove_key(meta, keys[i]);
    }
}

static void on_unknown(void *ctx, const char *path)
{
    struct write *w = ctx;

    if (w->validation != VALIDATE_WARN || !w->warn)
        return;
    _cleanup_free_ char *text = xasprintf("unknown field \"%s\"", path);

    w->warn(w->warn_to, text);
}

static void refuse_unknown(void *ctx, const char *path)
{
    struct api_status *st = ctx;

    if (!st->code)
        api_fail_bad(st, "strict decoding error: unknown field \"%s\"", path);
}

/* Types, unknown fields, nulls and what is never kept. */
static int normalize(struct write *w, struct api_status *st)
{
    yyjson_mut_val *meta = yyjson_mut_obj_get(w->obj->root, "metadata");
    bool strict = w->validation == VALIDATE_STRICT;
    struct kdecode how = {strict ? refuse_unknown : on_unknown, strict ? (void *)st : w, false,
                          "metadata"};
    struct err e = {0};

    if (!meta || yyjson_mut_is_null(meta))
        meta = (jm_del(w->obj->root, "metadata"), jm_obj(KM(w->obj), "metadata"));
    if (!yyjson_mut_is_obj(meta))
        return api_fail_bad(st, "metadata must be an object");
    if (ktype_decode(&kt_object_meta, w->obj->d, meta, &how, &e) < 0)
        return api_fail_bad(st, "%s", e.msg);
    yyjson_mut_obj_remove_key(meta, "selfLink");
    drop_empty(meta);
    return st->code ? -1 : 0;
}

static int check_type(struct write *w, struct api_status *st)
{
    const struct api_kind *k = w->kind;
    const char *api = jm_get_str(w->obj->root, "apiVersion");
    const char *kind = jm_get_str(w->obj->root, "kind");
    char want[600];

    kube_api_version(&k->res, want, sizeof(want));
    if (kind && *kind && !streq(kind, k->res.kind))
        return api_fail_bad(st, "the kind in the data (%s) does not match the expected kind (%s)",
                            kind, k->res.kind);
    if (api && *api && !streq(api, want))
        return api_fail_bad(
            st, "the API version in the data (%s) does not match the expected API version (%s)",
            api, want);
    version_to_stored(w->obj, k);
    jm_set_str(KM(w->obj), k->res.kind, "kind");
    return 0;
}

static int check_namespace(struct write *w, struct api_status *st)
{
    const char *mine = jm_get_str(w->obj->root, "metadata", "namespace");

    if (!w->kind->res.namespaced) {
        jm_del(w->obj->root, "metadata", "namespace");
        return 0;
    }
    if (mine && *mine && !streq(mine, w->ns))
        return api_fail_bad(st, "the namespace of the provided object does not match the namespace "
                                "sent on the request");
    jm_set_str(KM(w->obj), w->ns, "metadata", "namespace");
    return 0;
}

static void generate_name(struct write *w)
{
    const char *name = jm_get_str(w->obj->root, "metadata", "name");
    const char *base = jm_get_str(w->obj->root, "metadata", "generateName");
    char suffix[6];

    if ((name && *name) || !base || !*base)
        return;
    rand_suffix(suffix, 5);
    _cleanup_free_ char *made = xasprintf("%.*s%s", MAX_NAME_BASE, base, suffix);

    jm_set_str(KM(w->obj), made, "metadata", "name");
}

int meta_prepare_create(struct write *w, struct api_status *st)
{
    static const char *const not_ours[] = {"deletionTimestamp", "deletionGracePeriodSeconds",
                                           "generation"};
    char now[RFC3339_LEN], uid[37];

    if (check_type(w, st) < 0 || normalize(w, st) < 0 || check_namespace(w, st) < 0)
        return -1;
    const char *rv = jm_get_str(w->obj->root, "metadata", "resourceVersion");

    if (rv && *rv)
        return api_fail_bad(st, "resourceVersion should not be set on objects to be created");
    for (size_t i = 0; i < ARRAY_LEN(not_ours); i++)
        jm_del(w->obj->root, "metadata", not_ours[i]);
    generate_name(w);
    clock_rfc3339(loop_wall_ns(w->core->loop), now);
    rand_uuid(uid);
    jm_set_str(KM(w->obj), uid, "metadata", "uid");
    jm_set_str(KM(w->obj), now, "metadata", "creationTimestamp");
    if (w->kind->has_generation)
        jm_set_int(KM(w->obj), 1, "metadata", "generation");
    return 0;
}

void meta_name_again(struct write *w)
{
    jm_del(w->obj->root, "metadata", "name");
    generate_name(w);
}

static int check_versions(struct write *w, struct api_status *st)
{
    const char *rv = jm_get_str(w->obj->root, "metadata", "resourceVersion");
    const char *uid = jm_get_str(w->obj->root, "metadata", "uid");
    uint64_t want = 0;

    if (uid && *uid && !streq(uid, kobj_uid(w->old))) {
        _cleanup_free_ char *why =
            xasprintf("Precondition failed: UID in precondition: %s, UID in object meta: %s", uid,
                      kobj_uid(w->old));

        return api_fail_conflict(st, &w->kind->res, w->name, why);
    }
    if (rv && *rv && !streq(rv, "0")) {
        if (str_u64(str_of(rv), &want) < 0 || want != w->old_rev)
            return api_fail_conflict(st, &w->kind->res, w->name, NULL);
    } else if (w->must_match && w->kind->definition) {
        _cleanup_errors_ struct field_errors errs = {0};

        field_error_add(&errs, FE_INVALID, "metadata.resourceVersion", "0x0",
                        "must be specified for an update");
        return api_fail_invalid(st, &w->kind->res, w->name, &errs);
    }
    return 0;
}

int meta_prepare_update(struct write *w, struct api_status *st)
{
    static const char *const kept[] = {
        "uid",        "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
        "generation", "generateName"};
    yyjson_val *old = jget(kobj_root(w->old), "metadata");

    if (check_type(w, st) < 0 || normalize(w, st) < 0 || check_namespace(w, st) < 0)
        return -1;
    const char *mine = jm_get_str(w->obj->root, "metadata", "name");

    if (mine && *mine && !streq(mine, w->name))
        return api_fail_bad(st,
                            "the name of the object (%s) does not match the name on the URL (%s)",
                            mine, w->name);
    if (check_versions(w, st) < 0)
        return -1;
    jm_set_str(KM(w->obj), w->name, "metadata", "name");
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        jm_set_copy(KM(w->obj), jget(old, kept[i]), "metadata", kept[i]);
    return 0;
}

void meta_generation(struct write *w)
{
    static const char *const all[] = {"apiVersion", "kind", "metadata", "status", NULL};
    static const char *const no_status[] = {"apiVersion", "kind", "metadata", NULL};
    int64_t gen = kobj_generation(w->old);

    if (!w->kind->has_generation || w->sub[0])
        return;
    if (!tree_equal_without(w->obj->root, kobj_root(w->old), w->kind->has_status ? all : no_status))
        gen++;
    jm_set_int(KM(w->obj), gen ? gen : 1, "metadata", "generation");
}

static void validate_name(const struct write *w, struct field_errors *errs)
{
    const char *name = jm_get_str(w->obj->root, "metadata", "name"), *why = NULL;
    const char *rule = w->kind->builtin ? w->kind->builtin->name_rule : NULL;

    if (!name || !*name) {
        field_required(errs, "metadata.name", "name or generateName is required");
        return;
    }
    if (streq(rule, "label"))
        why = why_not_dns1123_label(name);
    else if (streq(rule, "dns1035"))
        why = why_not_dns1035_label(name);
    else
        why = why_not_dns1123_subdomain(name);
    if (why)
        field_invalid_str(errs, "metadata.name", name, "%s", why);
}

static void validate_labels(yyjson_mut_val *labels, struct field_errors *errs)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(labels);

    for (yyjson_mut_val *k; labels && (k = yyjson_mut_obj_iter_next(&it));) {
        const char *key = yyjson_mut_get_str(k);
        const char *value = yyjson_mut_get_str(yyjson_mut_obj_iter_get_val(k));
        const char *why = why_not_qualified_name(key);

        if (why)
            field_invalid_str(errs, "metadata.labels", key, "%s", why);
        if ((why = why_not_label_value(value)))
            field_invalid_str(errs, "metadata.labels", value, "%s", why);
    }
}

static void validate_annotations(yyjson_mut_val *notes, struct field_errors *errs)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(notes);
    size_t total = 0;

    for (yyjson_mut_val *k; notes && (k = yyjson_mut_obj_iter_next(&it));) {
        _cleanup_free_ char *lower = xstrdup(yyjson_mut_get_str(k));

        for (char *c = lower; *c; c++)
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        const char *why = why_not_qualified_name(lower);

        if (why)
            field_invalid_str(errs, "metadata.annotations", yyjson_mut_get_str(k), "%s", why);
        total += yyjson_mut_get_len(k) + yyjson_mut_get_len(yyjson_mut_obj_iter_get_val(k));
    }
    if (total > MAX_ANNOTATIONS)
        field_error_add(errs, FE_TOO_LONG, "metadata.annotations", NULL,
                        "may not be more than %d bytes", MAX_ANNOTATIONS);
}

static void validate_owners(yyjson_mut_val *owners, struct field_errors *errs)
{
    static const char *const keys[] = {"apiVersion", "kind", "name", "uid"};
    size_t i = 0, controllers = 0;

    if (!owners)
        return;
    TREE_EACH(ref, owners)
    {
        for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
            const char *v = jm_get_str(ref, keys[k]);
            char path[64];

            if (v && *v)
                continue;
            snprintf(path, sizeof(path), "metadata.ownerReferences[%zu].%s", i, keys[k]);
            field_error_add(errs, FE_INVALID, path, "\"\"", "must not be empty");
        }
        controllers += jm_get_bool(ref, false, "controller");
        i++;
    }
    if (controllers > 1)
        field_error_add(errs, FE_INVALID, "metadata.ownerReferences", "\"\"",
                        "Only one reference can have Controller set to true.");
}

static bool had_finalizer(const struct kobj *old, const char *name)
{
    yyjson_val *v, *list = jget(kobj_root(old), "metadata", "finalizers");
    size_t i, n;

    yyjson_arr_foreach(list, i, n, v) if (streq(yyjson_get_str(v), name)) return true;
    return false;
}

/* On built-in kinds a name without a domain must be one that Kubernetes knows. */
static bool is_finalizer(const struct api_kind *k, const char *name)
{
    static const char *const standard[] = {"kubernetes", "orphan", "foregroundDeletion"};

    for (size_t i = 0; i < ARRAY_LEN(standard); i++)
        if (streq(name, standard[i]))
            return true;
    return strchr(name, '/') || streq(k->res.group, KR_CRD.group);
}

static void validate_finalizers(const struct write *w, yyjson_mut_val *list,
                                struct field_errors *errs)
{
    if (!list)
        return;
    TREE_EACH(f, list)
    {
        const char *name = yyjson_mut_get_str(f);
        const char *why = name ? why_not_qualified_name(name) : "must be a string";

        if (!why && w->kind->builtin && !is_finalizer(w->kind, name) &&
            !had_finalizer(w->old, name))
            why = "name is neither a standard finalizer name nor is it fully qualified";
        if (why)
            field_invalid_str(errs, "metadata.finalizers", name, "%s", why);
        else if (w->old && kobj_deleting(w->old) && !had_finalizer(w->old, name))
            field_error_add(errs, FE_FORBIDDEN, "metadata.finalizers", NULL,
                            "no new finalizers can be added if the object is being deleted, found "
                            "new finalizers []string{\"%s\"}",
                            name);
    }
}

void meta_validate(const struct write *w, struct field_errors *errs)
{
    yyjson_mut_val *meta = yyjson_mut_obj_get(w->obj->root, "metadata");

    if (!w->old)
        validate_name(w, errs);
    validate_labels(yyjson_mut_obj_get(meta, "labels"), errs);
    validate_annotations(yyjson_mut_obj_get(meta, "annotations"), errs);
    validate_owners(yyjson_mut_obj_get(meta, "ownerReferences"), errs);
    validate_finalizers(w, yyjson_mut_obj_get(meta, "finalizers"), errs);
}

bool meta_may_go(const struct api_kind *k, const struct kmut *o)
{
    bool ns = kube_resource_eq(&k->res, &KR_NAMESPACE);

    return jm_get_str(o->root, "metadata", "deletionTimestamp") &&
           !yyjson_mut_arr_size(jm_get(o->root, "metadata", "finalizers")) &&
           !(ns && yyjson_mut_arr_size(jm_get(o->root, "spec", "finalizers"))) &&
           jm_get_int(o->root, 0, "metadata", "deletionGracePeriodSeconds") == 0;
}
