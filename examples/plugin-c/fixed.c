/*
 * A whole autoscaler class in one file: PodAutoscalers of class fixed.autoscaling.example.com get
 * the replicas that their annotation fixed.example.com/replicas names (1 without it), whatever the
 * traffic. A class owes the core: a ServerlessService of the same name, the scale of the target,
 * names and scales in the status, and the three conditions that Ready is made of.
 */
#include <stdio.h>

#include "kube/conditions.h"
#include "kube/controller.h"

static const struct kube_resource KR_PA = {"autoscaling.internal.knative.dev", "v1alpha1",
                                           "podautoscalers", "PodAutoscaler", true};
static const struct kube_resource KR_SKS = {"networking.internal.knative.dev", "v1alpha1",
                                            "serverlessservices", "ServerlessService", true};
static const struct condition_set conditions = {
    "Ready", (const char *const[]){"Active", "SKSReady", "ScaleTargetInitialized", NULL}};
static struct controller *self;

static int wanted(const struct kobj *pa)
{
    const char *text = kobj_annotation(pa, "fixed.example.com/replicas");
    int64_t n;

    return text && str_i64(str_of(text), &n) == 0 && n >= 1 && n <= 1000 ? (int)n : 1;
}

/* The core turns this into the services that carry the traffic. */
static bool apply_sks(struct plan *p, const struct kobj *pa, const struct kobj *live)
{
    struct kmut *m = kmut_new(&KR_SKS, kobj_namespace(pa), kobj_name(pa));
    yyjson_val *root = kobj_root(pa);

    if (!live) {
        jm_set_copy(KM(m), jget(root, "metadata", "labels"), "metadata", "labels");
        jm_set_copy(KM(m), jget(root, "metadata", "annotations"), "metadata", "annotations");
        kmut_annotation(m, "autoscaling.knative.dev/metric", NULL);
    }
    jm_set_str(KM(m), "Serve", "spec", "mode"); /* the core proxies while no pod is ready */
    jm_set_copy(KM(m), jget(root, "spec", "scaleTargetRef"), "spec", "objectRef");
    jm_set_copy(KM(m), jget(root, "spec", "protocolType"), "spec", "protocolType");
    jm_set_int(KM(m), 2, "spec", "numActivators");
    return plan_apply_child(p, &KR_SKS, pa, live, m);
}

static void scale(struct plan *p, const struct kobj *target, int want)
{
    _cleanup_free_ char *patch =
        xasprintf("[{\"op\":\"add\",\"path\":\"/spec/replicas\",\"value\":%d}]", want);

    if (target && jget_int(kobj_root(target), 1, "spec", "replicas") != want)
        plan_patch(p, &KR_DEPLOYMENT, kobj_namespace(target), kobj_name(target), "scale",
                   KUBE_PATCH_JSON, patch);
}

static void mark(struct cond *c, const struct kobj *sks, int ready, int want)
{
    const char *service = jget_str(kobj_root(sks), "status", "serviceName");
    const char *private = jget_str(kobj_root(sks), "status", "privateServiceName");

    jm_set_str(KM(c->obj), service ? service : "", "status", "serviceName");
    jm_set_str(KM(c->obj), private ? private : "", "status", "metricsServiceName");
    jm_set_int(KM(c->obj), want, "status", "desiredScale");
    jm_set_int(KM(c->obj), ready, "status", "actualScale");
    if (kobj_is_ready(sks))
        cs_true(c, "SKSReady");
    else
        cs_unknown(c, "SKSReady", "NotReady", "the ServerlessService is not ready yet");
    if (service && ready >= want)
        cs_true(c, "ScaleTargetInitialized");
    if (ready < want)
        cs_unknown(c, "Active", "Queued", "%d of %d replicas are ready.", ready, want);
    else
        cs_true(c, "Active");
}

static void reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    const char *name = jget_str(kobj_root(rc->obj), "spec", "scaleTargetRef", "name");
    struct cond c;

    if (!rc->obj || !name)
        return;
    const struct kobj *d = cache_get(manager_cache(rc->m, &KR_DEPLOYMENT), rc->ns, name);
    const struct kobj *sks = cache_get(manager_cache(rc->m, &KR_SKS), rc->ns, rc->name);
    int want = wanted(rc->obj), ready = (int)jget_int(kobj_root(d), 0, "status", "readyReplicas");

    controller_track(self, rc, &KR_DEPLOYMENT, rc->ns, name); /* run again when it changes */
    cs_begin(&c, &conditions, rc->obj, rc->now_ns);
    scale(p, d, want);
    if (apply_sks(p, rc->obj, sks))
        mark(&c, sks, ready, want);
    else
        cs_false(&c, "Active", "NotOwned", "ServerlessService \"%s\" is not ours.", rc->name);
    cs_end(&c, p, &KR_PA);
}

int main(int argc, char **argv)
{
    const struct controller_opts opts = {.name = "fixed",
                                         .res = &KR_PA,
                                         .reconcile = reconcile,
                                         .class_annotation = "autoscaling.knative.dev/class",
                                         .class_value = "fixed.autoscaling.example.com"};
    struct err e;

    if (argc != 2 || argv[1][0] == '-')
        return fprintf(stderr, "usage: fixed-autoscaler KUBECONFIG\n"), 2;
    struct loop *loop = loop_new(&e);
    struct kube_transport *t = loop ? kube_transport_kubeconfig(loop, argv[1], &e) : NULL;
    if (!t)
        return fprintf(stderr, "fixed-autoscaler: %s\n", e.msg), 1;
    struct manager *m = manager_new(loop, kube_client_new(loop, t), "fixed-autoscaler");
    self = controller_new(m, &opts);
    controller_watch_owned(self, &KR_SKS);
    manager_start(m);
    loop_run(loop); /* until the process is ended */
}
