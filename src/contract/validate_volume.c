/*
 * Volumes by a table of their sources (which flag opens each, whether pods may write it), and the
 * mounts that refer to them.
 */
#include "contract/validate.h"
#include "kube/names.h"

static const struct source {
    const char *field;
    enum feature feature; /* FEATURE_MAX: always allowed */
    const char *title;    /* how the refusal calls it */
    bool writable;
} sources[] = {
    {"secret", FEATURE_MAX, NULL, false},
    {"configMap", FEATURE_MAX, NULL, false},
    {"projected", FEATURE_MAX, NULL, false},
    {"emptyDir", FEATURE_EMPTY_DIR, "EmptyDir", true},
    {"persistentVolumeClaim", FEATURE_PVC, NULL, true},
    {"hostPath", FEATURE_HOST_PATH, "HostPath", false},
    {"csi", FEATURE_CSI, "CSI", false},
    {"ephemeral", FEATURE_EPHEMERAL, "Ephemeral", true},
    {"image", FEATURE_IMAGE_VOLUME, "Image", false},
};

static const struct source *source_of(yyjson_val *volume)
{
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        if (jget(volume, sources[i].field))
            return &sources[i];
    }
    return NULL;
}

bool volume_is_writable(yyjson_val *volume)
{
    const struct source *s = source_of(volume);

    return s && s->writable;
}

yyjson_val *volume_named(yyjson_val *spec, const char *name)
{
    yyjson_val *v;
    size_t i, n;

    yyjson_arr_foreach(jget(spec, "volumes"), i, n, v)
    {
        if (name && streq(jget_str(v, "name"), name))
            return v;
    }
    return NULL;
}

/* ---- sources ---- */
static void check_claim(const struct pod_check *pc, yyjson_val *claim)
{
    const char *name = jget_str(claim, "claimName");

    if (!feature_on(pc->cfg, FEATURE_PVC))
        fe_add(pc->fe, FE_ERROR, FP_ROOT, NULL, NULL,
               "Persistent volume claim support is disabled, but found persistent volume claim %s",
               name ? name : "");
    if (!jget_bool(claim, false, "readOnly") && !feature_on(pc->cfg, FEATURE_PVC_WRITE))
        fe_add(pc->fe, FE_ERROR, FP_ROOT, NULL, NULL,
               "Persistent volume write support is disabled, but found persistent volume claim %s "
               "that is not "
               "read-only",
               name ? name : "");
}

static void check_gates(const struct pod_check *pc, const struct fpath *at, yyjson_val *volume)
{
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        const struct source *s = &sources[i];
        if (s->feature == FEATURE_MAX || !jget(volume, s->field))
            continue;
        if (s->feature == FEATURE_PVC)
            check_claim(pc, jget(volume, s->field));
        else if (!feature_on(pc->cfg, s->feature))
            fe_add(pc->fe, FE_ERROR, FP_ROOT, NULL, NULL,
                   "%s volume support is disabled, but found %s volume %s", s->title, s->title,
                   jget_str(volume, "name") ? jget_str(volume, "name") : "");
        if (pc->cfg->features[s->feature] == FLAG_DISABLED)
            fe_disallowed(pc->fe, at, s->field);
    }
}

static void check_one_source(const struct pod_check *pc, const struct fpath *at, yyjson_val *volume)
{
    const char *set[ARRAY_LEN(sources) + 1] = {0}, *possible[ARRAY_LEN(sources) + 1] = {0};
    size_t n_set = 0, n_possible = 0;

    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        if (jget(volume, sources[i].field))
            set[n_set++] = sources[i].field;
        if (sources[i].feature == FEATURE_MAX || feature_on(pc->cfg, sources[i].feature))
            possible[n_possible++] = sources[i].field;
    }
    if (n_set == 0)
        fe_neither(pc->fe, at, possible);
    else if (n_set > 1)
        fe_both(pc->fe, at, set);
}

static void check_items(const struct pod_check *pc, const struct fpath *at, yyjson_val *items)
{
    yyjson_val *item;
    size_t i, n;

    yyjson_arr_foreach(items, i, n, item)
    {
        if (json_is_zero(jget(item, "key")))
            fe_missing(pc->fe, FPI(at, "items", i), "key");
        if (json_is_zero(jget(item, "path")))
            fe_missing(pc->fe, FPI(at, "items", i), "path");
    }
}

static void check_downward_items(const struct pod_check *pc, const struct fpath *at,
                                 yyjson_val *items)
{
    static const char *const refs[] = {"fieldRef", "resourceFieldRef", NULL};
    yyjson_val *item;
    size_t i, n;

    yyjson_arr_foreach(items, i, n, item)
    {
        const struct fpath *here = FPI(at, "items", i);
        bool field = jget(item, refs[0]) != NULL, resource = jget(item, refs[1]) != NULL;
        if (json_is_zero(jget(item, "path")))
            fe_missing(pc->fe, here, "path");
        if (!field && !resource)
            fe_neither(pc->fe, here, refs);
        if (field && resource) {
            fe_add(pc->fe, FE_ERROR, here, refs[0], NULL, "Within a single item, cannot set both");
            fe_add(pc->fe, FE_ERROR, here, refs[1], NULL, "Within a single item, cannot set both");
        }
    }
}

static void check_projection(const struct pod_check *pc, const struct fpath *at, yyjson_val *source)
{
    static const char *const kinds[] = {"secret", "configMap", "serviceAccountToken", "downwardAPI",
                                        NULL};
    const char *set[5] = {0};
    size_t n = 0;

    for (const char *const *k = kinds; *k; k++) {
        if (jget(source, *k))
            set[n++] = *k;
    }
    if (n == 0)
        fe_neither(pc->fe, at, kinds);
    if (n > 1)
        fe_both(pc->fe, at, set);
    for (size_t i = 0; i < 2; i++) {
        yyjson_val *v = jget(source, kinds[i]);
        if (v && json_is_zero(jget(v, "name")))
            fe_missing(pc->fe, FP(at, kinds[i]), "name");
        check_items(pc, FP(at, kinds[i]), jget(v, "items"));
    }
    if (jget(source, kinds[2]) && json_is_zero(jget(source, kinds[2], "path")))
        fe_missing(pc->fe, FP(at, kinds[2]), "path");
    check_downward_items(pc, FP(at, kinds[3]), jget(source, kinds[3], "items"));
}

static void check_empty_dir(const struct pod_check *pc, const struct fpath *at, yyjson_val *dir)
{
    const char *medium = jget_str(dir, "medium"), *limit = jget_str(dir, "sizeLimit");
    int64_t bytes;

    if (medium && medium[0] && !streq(medium, "Memory"))
        fe_invalid(pc->fe, at, "medium", medium, NULL);
    if (limit && (quantity_parse(limit, &bytes, NULL) < 0 || bytes < 0))
        fe_invalid(pc->fe, at, "sizeLimit", limit, NULL);
}

static void check_image_volume(const struct pod_check *pc, const struct fpath *at,
                               yyjson_val *image)
{
    const char *policy = jget_str(image, "pullPolicy");

    if (json_is_zero(jget(image, "reference")))
        fe_missing(pc->fe, at, "reference");
    if (policy && policy[0] && !streq(policy, "Always") && !streq(policy, "IfNotPresent") &&
        !streq(policy, "Never"))
        fe_invalid(pc->fe, at, "pullPolicy", policy, NULL);
}

static void check_sources(const struct pod_check *pc, const struct fpath *at, yyjson_val *volume)
{
    yyjson_val *projection;
    size_t i, n;

    check_gates(pc, at, volume);
    check_one_source(pc, at, volume);
    check_items(pc, at, jget(volume, "secret", "items"));
    check_items(pc, at, jget(volume, "configMap", "items"));
    yyjson_arr_foreach(jget(volume, "projected", "sources"), i, n, projection)
        check_projection(pc, FPI(at, "projected", i), projection);
    if (jget(volume, "emptyDir"))
        check_empty_dir(pc, FP(at, "emptyDir"), jget(volume, "emptyDir"));
    if (jget(volume, "image"))
        check_image_volume(pc, FP(at, "image"), jget(volume, "image"));
}

/* ---- names and use ---- */
static bool mounted(yyjson_val *containers, const char *name)
{
    yyjson_val *c, *m;
    size_t i, n, j, k;

    yyjson_arr_foreach(containers, i, n, c)
    {
        yyjson_arr_foreach(jget(c, "volumeMounts"), j, k, m)
        {
            if (streq(jget_str(m, "name"), name))
                return true;
        }
    }
    return false;
}

static void check_use(const struct pod_check *pc, const struct fpath *at, const char *name,
                      size_t index)
{
    yyjson_val *v;
    size_t i, n;

    yyjson_arr_foreach(jget(pc->spec, "volumes"), i, n, v)
    {
        if (i < index && streq(jget_str(v, "name"), name)) {
            fe_add(pc->fe, FE_ERROR, at, "name", NULL, "duplicate volume name \"%s\"", name);
            break;
        }
    }
    if (!mounted(jget(pc->spec, "containers"), name) &&
        !mounted(jget(pc->spec, "initContainers"), name))
        fe_add(pc->fe, FE_ERROR, at, "name", NULL, "volume with name \"%s\" not mounted", name);
}

void validate_volumes(const struct pod_check *pc, const struct fpath *at)
{
    yyjson_val *v;
    size_t i, n;

    yyjson_arr_foreach(jget(pc->spec, "volumes"), i, n, v)
    {
        const struct fpath *here = FPI(at, "volumes", i);
        const char *name = jget_str(v, "name");
        if (!name || !name[0]) {
            fe_missing(pc->fe, here, "name");
        } else if (!is_dns1123_label(name)) {
            fe_invalid(pc->fe, here, "name", name, NULL);
        } else {
            check_sources(pc, here, v);
            check_use(pc, here, name, i);
        }
    }
}

/* ---- mounts ---- */
/* The path as the kernel sees it: no doubled or trailing slash, no "." and "..". */
static char *clean_path(const char *path)
{
    char *out = xmalloc(strlen(path) + 2);
    size_t n = 0;
    struct str rest = str_of(path), part;

    while (str_split(&rest, '/', &part)) {
        if (part.n == 0 || str_eq(part, STR(".")))
            continue;
        if (str_eq(part, STR(".."))) {
            while (n && out[--n] != '/')
                ;
            continue;
        }
        out[n++] = '/';
        memcpy(out + n, part.p, part.n);
        n += part.n;
    }
    if (n == 0)
        out[n++] = '/';
    out[n] = '\0';
    return out;
}

static void check_mount_path(const struct pod_check *pc, const struct fpath *at, yyjson_val *mounts,
                             size_t index)
{
    const char *path = jget_str(yyjson_arr_get(mounts, index), "mountPath");

    if (!path || !path[0]) {
        fe_missing(pc->fe, at, "mountPath");
        return;
    }
    if (path[0] != '/') {
        fe_invalid(pc->fe, at, "mountPath", path, NULL);
        return;
    }
    _cleanup_free_ char *clean = clean_path(path);
    if (streq(clean, "/") || streq(clean, "/dev") || streq(clean, "/dev/log"))
        fe_add(pc->fe, FE_ERROR, at, "mountPath", NULL, "mountPath \"%s\" is a reserved path",
               clean);
    for (size_t i = 0; i < index; i++) {
        const char *other = jget_str(yyjson_arr_get(mounts, i), "mountPath");
        _cleanup_free_ char *other_clean = clean_path(other ? other : "");
        if (!other || !streq(clean, other_clean))
            continue;
        fe_add(pc->fe, FE_ERROR, at, "mountPath", NULL, "invalid value: \"%s\" must be unique",
               path);
        return;
    }
}

static void check_propagation(const struct pod_check *pc, const struct fpath *at, yyjson_val *mount)
{
    const char *mode = jget_str(mount, "mountPropagation"), *name = jget_str(mount, "name");

    if (!mode)
        return;
    if (!feature_on(pc->cfg, FEATURE_MOUNT_PROPAGATION))
        fe_add(pc->fe, FE_ERROR, FP_ROOT, NULL, NULL,
               "Volume Mount Propagation support is disabled, but found volume mount %s with mount "
               "propagation",
               name ? name : "");
    else if (!streq(mode, "None") && !streq(mode, "HostToContainer"))
        fe_add(pc->fe, FE_ERROR, at, "mountPropagation", NULL,
               "mount propagation should be set to None or HostToContainer");
}

static void check_read_only(const struct pod_check *pc, const struct fpath *at, yyjson_val *mount,
                            yyjson_val *volume)
{
    bool read_only = jget_bool(mount, false, "readOnly");

    if (read_only || !volume)
        return;
    if (!volume_is_writable(volume))
        fe_add(pc->fe, FE_ERROR, at, "readOnly", NULL,
               "volume mount should be readOnly for this type of volume");
    else if (jget_bool(volume, false, "persistentVolumeClaim", "readOnly"))
        fe_add(pc->fe, FE_ERROR, at, "readOnly", NULL,
               "volume is readOnly but volume mount is not");
}

void validate_mounts(const struct pod_check *pc, const struct fpath *at, yyjson_val *container)
{
    yyjson_val *mounts = jget(container, "volumeMounts"), *m;
    size_t i, n;

    yyjson_arr_foreach(mounts, i, n, m)
    {
        const struct fpath *here = FPI(at, "volumeMounts", i);
        yyjson_val *volume = volume_named(pc->spec, jget_str(m, "name"));
        if (!volume)
            fe_add(pc->fe, FE_ERROR, here, "name", NULL, "volumeMount has no matching volume");
        check_mount_path(pc, here, mounts, i);
        check_propagation(pc, here, m);
        check_read_only(pc, here, m, volume);
    }
}
