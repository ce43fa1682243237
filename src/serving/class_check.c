/*
 * Each orphan is remembered with its class and the status that it had when it was first seen so. If
 * the status is still the same when the patience ends, nobody answered and the core writes; if it
 * changed, a plugin elsewhere did. An object whose status is current when it is met for the first
 * time (a restart) is in somebody's care already, until its class changes.
 */
#include "serving/class_check.h"

#include "base/buf.h"
#include "http/limits.h"
#include "base/map.h"
#include "contract/conditions.h"

struct orphan {
    char *class, *status;
    int64_t since;
    bool cared_for; /* by a plugin that is not ours to know */
};

struct class_seam {
    const struct kube_resource *res;
    const struct condition_set *set;
    const char *annotation, *also; /* also: a dependent that is marked with Ready; NULL = none */
    struct serving *s;
    char *const *classes;
    struct map *orphans; /* key -> orphan */
};

struct class_check {
    struct class_seam seams[3];
};

static void orphan_free(void *value)
{
    struct orphan *o = value;

    free(o->class);
    free(o->status);
    free(o);
}

struct class_check *class_check_new(struct serving *s)
{
    struct class_check *cc = xnew(struct class_check);

    cc->seams[0] = (struct class_seam){&KR_PODAUTOSCALER,
                                       &CS_PODAUTOSCALER,
                                       A_AUTOSCALER_CLASS,
                                       COND_ACTIVE,
                                       s,
                                       s->autoscaler_classes,
                                       NULL};
    cc->seams[1] = (struct class_seam){&KR_INGRESS,        &CS_INGRESS, A_INGRESS_CLASS, NULL, s,
                                       s->ingress_classes, NULL};
    cc->seams[2] =
        (struct class_seam){&KR_IMAGE, &CS_IMAGE, A_IMAGE_CLASS, NULL, s, s->image_classes, NULL};
    for (size_t i = 0; i < ARRAY_LEN(cc->seams); i++)
        cc->seams[i].orphans = map_new(orphan_free);
    return cc;
}

void class_check_free(struct class_check *cc)
{
    if (!cc)
        return;
    for (size_t i = 0; i < ARRAY_LEN(cc->seams); i++)
        map_free(cc->seams[i].orphans);
    free(cc);
}

struct class_seam *class_check_seam(struct class_check *cc, const struct kube_resource *r)
{
    for (size_t i = 0; i < ARRAY_LEN(cc->seams); i++) {
        if (kube_resource_eq(cc->seams[i].res, r))
            return &cc->seams[i];
    }
    return NULL;
}

/* An Image without a class belongs to the default; the other contracts then belong to nobody. */
static const char *class_of(const struct class_seam *seam, const struct kobj *o)
{
    const char *class = kobj_annotation(o, seam->annotation);

    if (!class && kube_resource_eq(seam->res, &KR_IMAGE))
        return seam->s->config->image_class;
    return class ? class : "";
}

static char *status_text(const struct kobj *o)
{
    yyjson_val *status = jget(kobj_root(o), "status");

    return status ? json_text(status, NULL) : xstrdup("");
}

static bool is_current(const struct kobj *o)
{
    return jget(kobj_root(o), "status", "conditions") &&
           jget_int(kobj_root(o), 0, "status", "observedGeneration") == kobj_generation(o);
}

static bool said_by_us(const struct kobj *o)
{
    return streq(jget_str(kobj_condition(o, COND_READY), "reason"), REASON_NO_PLUGIN);
}

static void write_verdict(const struct class_seam *seam, const struct reconcile_ctx *rc,
                          const char *class, struct plan *p)
{
    _cleanup_buf_ struct buf known = BUF_INIT(LIMIT_HTTP_HEAD);
    struct cond c;

    for (char *const *k = seam->classes; *k; k++)
        buf_addf(&known, "%s%s", known.n ? ", " : "", *k);
    _cleanup_free_ char *text =
        xasprintf("No plugin runs for the class \"%s\" (annotation %s); running: %s", class,
                  seam->annotation, known.n ? buf_z(&known) : "none");
    cs_begin(&c, seam->set, rc->obj, rc->now_ns);
    if (seam->also)
        cs_false(&c, seam->also, REASON_NO_PLUGIN, "%s", text);
    cs_false(&c, COND_READY, REASON_NO_PLUGIN, "%s", text);
    if (kube_resource_eq(seam->res,
                         &KR_PODAUTOSCALER)) { /* its status is not complete without these */
        if (!jm_get(c.obj->root, "status", "serviceName"))
            jm_set_str(KM(c.obj), "", "status", "serviceName");
        if (!jm_get(c.obj->root, "status", "metricsServiceName"))
            jm_set_str(KM(c.obj), "", "status", "metricsServiceName");
    }
    cs_end(&c, p, seam->res);
}

static struct orphan *remember(struct class_seam *seam, const char *key, const char *class)
{
    struct orphan *o = xnew(struct orphan);

    o->class = xstrdup(class);
    map_set(seam->orphans, key, o);
    return o;
}

static struct orphan *meet(struct class_seam *seam, const struct reconcile_ctx *rc,
                           const char *class, bool known_before)
{
    struct orphan *o = remember(seam, rc->key, class);

    o->status = status_text(rc->obj);
    o->since = rc->mono_ns;
    o->cared_for = !known_before && is_current(rc->obj) && !said_by_us(rc->obj);
    return o;
}

/* Whether the status is no longer the one that the object was met with. */
static bool answered(const struct orphan *o, const struct kobj *obj)
{
    _cleanup_free_ char *now = status_text(obj);

    return !streq(o->status, now) && is_current(obj);
}

void class_check_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct class_seam *seam = ctx;
    struct orphan *o = map_get(seam->orphans, rc->key);

    if (!rc->obj || kobj_deleting(rc->obj)) {
        map_del(seam->orphans, rc->key);
        return;
    }
    const char *class = class_of(seam, rc->obj);
    if (serving_class_known(seam->classes, class)) {
        if (!o || !streq(o->class, class)) /* remembered so that a change away from it is seen */
            remember(seam, rc->key, class)->cared_for = true;
        return;
    }
    if (!o || !streq(o->class, class))
        o = meet(seam, rc, class, o != NULL);
    if (!said_by_us(rc->obj) && answered(o, rc->obj))
        o->cared_for = true;
    if (o->cared_for)
        return;
    int64_t left = o->since + CLASS_CHECK_PATIENCE_NS - rc->mono_ns;
    if (left > 0 && !said_by_us(rc->obj))
        plan_requeue_after(p, left);
    else
        write_verdict(seam, rc, class, p);
}

static void watch(struct class_seam *seam, const char *name)
{
    controller_new(seam->s->m, &(struct controller_opts){.name = name,
                                                         .res = seam->res,
                                                         .reconcile = class_check_reconcile,
                                                         .ctx = seam});
}

void class_check_register(struct serving *s)
{
    s->class_check = class_check_new(s);
    watch(class_check_seam(s->class_check, &KR_PODAUTOSCALER), "class-check-podautoscaler");
    watch(class_check_seam(s->class_check, &KR_INGRESS), "class-check-ingress");
    watch(class_check_seam(s->class_check, &KR_IMAGE), "class-check-image");
}
