/* The template becomes the Configuration, the traffic becomes the Route. */
#include "serving/service/children.h"

#include "base/buf.h"
#include "base/limits.h"
#include "contract/names.h"
#include "serving/child.h"

static bool drop_for_configuration(const char *key)
{
    return streq(key, A_LAST_APPLIED) || streq(key, A_ROLLOUT_DURATION) ||
           streq(key, "serving.knative.dev/rolloutDuration");
}

static bool drop_for_route(const char *key)
{
    return streq(key, A_LAST_APPLIED);
}

/* The list with the name in its place; both are sorted. */
static char *with_name(const char *list, const char *name)
{
    struct str rest = str_of(list ? list : ""), part;
    struct buf out = BUF_INIT(LIMIT_OBJECT);
    bool placed = false;

    while (str_split(&rest, ',', &part)) {
        if (part.n == 0)
            continue;
        if (str_eq(part, str_of(name)))
            placed = true;
        if (!placed && strncmp(name, part.p, part.n) < 0) {
            buf_addf(&out, "%s%s", out.n ? "," : "", name);
            placed = true;
        }
        buf_addf(&out, "%s" STR_FMT, out.n ? "," : "", STR_ARG(part));
    }
    if (!placed)
        buf_addf(&out, "%s%s", out.n ? "," : "", name);
    return buf_steal(&out, NULL);
}

struct kmut *service_configuration(const struct kobj *service, const struct kobj *live)
{
    const char *name = kobj_name(service);
    struct kmut *m = kmut_new(&KR_CONFIGURATION, kobj_namespace(service), name);
    _cleanup_free_ char *routes = with_name(kobj_annotation(live, A_ROUTES), name);

    child_labels(m, service, NULL);
    kmut_label(m, L_SERVICE, name);
    kmut_label(m, L_SERVICE_UID, kobj_uid(service));
    child_annotations(m, service, drop_for_configuration);
    kmut_annotation(m, A_ROUTES, routes);
    kmut_set_controller(m, service);
    jm_set_copy(KM(m), jget(kobj_root(service), "spec", "template"), "spec", "template");
    return m;
}

struct kmut *service_route(const struct kobj *service)
{
    const char *name = kobj_name(service);
    struct kmut *m = kmut_new(&KR_ROUTE, kobj_namespace(service), name);
    yyjson_mut_val *target;
    size_t i, n;

    child_labels(m, service, NULL);
    kmut_label(m, L_SERVICE, name);
    child_annotations(m, service, drop_for_route);
    kmut_set_controller(m, service);
    jm_set_copy(KM(m), jget(kobj_root(service), "spec", "traffic"), "spec", "traffic");
    yyjson_mut_arr_foreach(jm_get(m->root, "spec", "traffic"), i, n, target)
    {
        const char *revision = jm_get_str(target, "revisionName");
        if (yyjson_mut_is_obj(target) && (!revision || !revision[0]))
            jm_set_str(m->d, target, name, "configurationName");
    }
    return m;
}
