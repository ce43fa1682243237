/* Reasons and messages are upstream's: tools and tests read them. */
#include "serving/route/status.h"

#include "contract/names.h"

static const char *const dependents[] = {ROUTE_TRAFFIC, ROUTE_INGRESS, ROUTE_CERTIFICATE, NULL};
const struct condition_set route_conditions = {.top = "Ready", .dependents = dependents};

void route_status_verdict(struct cond *c, const struct traffic *t)
{
    switch (t->verdict) {
    case TRAFFIC_ASSIGNED:
        cs_true(c, ROUTE_TRAFFIC);
        break;
    case TRAFFIC_WAITING:
        cs_unknown(c, ROUTE_TRAFFIC, t->reason, "%s", t->message);
        break;
    case TRAFFIC_FAILED:
        cs_false(c, ROUTE_TRAFFIC, t->reason, "%s", t->message);
        break;
    }
}

void route_status_addresses(struct cond *c, const struct route_hosts *h,
                            const struct route_host *main)
{
    jm_set_str(KM(c->obj), main->url, "status", "url");
    jm_set_str(KM(c->obj), route_url(h, main->local_fqdn, true), "status", "address", "url");
}

/* ---- traffic ---- */
struct entry {
    const char *tag, *revision;
    bool latest;
    int percent;
};
typedef VEC(struct entry) entries;

static void add(entries *list, struct entry e)
{
    for (size_t i = 0; i < list->n; i++) {
        struct entry *x = &list->p[i];
        if (streq(x->tag, e.tag) && streq(x->revision, e.revision) && x->latest == e.latest) {
            x->percent += e.percent;
            return;
        }
    }
    vec_push(list, e);
}

/* The newest of the revisions is the latest one; those before it are on their way out. */
static void add_rolling(entries *list, const struct traffic_target *t,
                        const struct rollout_entry *ro)
{
    for (size_t i = 0; i < ro->revisions.n; i++)
        add(list, (struct entry){.tag = t->tag,
                                 .revision = ro->revisions.p[i].name,
                                 .latest = i + 1 == ro->revisions.n,
                                 .percent = ro->revisions.p[i].percent});
}

static void add_target(entries *list, const struct traffic_target *t, const struct rollout *ro)
{
    const struct rollout_entry *e =
        t->latest && t->percent ? rollout_find(ro, "", t->configuration) : NULL;

    if (e && e->revisions.n > 1 && e->percent == t->percent)
        add_rolling(list, t, e);
    else
        add(list, (struct entry){t->tag, t->revision, t->latest, t->percent});
}

static const char *url_of(const route_host_vec *hosts, const char *tag)
{
    for (size_t i = 0; i < hosts->n; i++) {
        if (streq(hosts->p[i].group->tag, tag))
            return hosts->p[i].url;
    }
    return NULL;
}

void route_status_traffic(struct cond *c, const struct traffic *t, const route_host_vec *hosts,
                          const struct rollout *ro)
{
    yyjson_mut_doc *d = c->obj->d;
    entries list = {0};

    for (size_t i = 0; i < t->targets.n; i++)
        add_target(&list, &t->targets.p[i], ro);
    jm_del(c->obj->root, "status", "traffic");
    yyjson_mut_val *arr = jm_arr(KM(c->obj), "status", "traffic");
    for (size_t i = 0; i < list.n; i++) {
        yyjson_mut_val *o = jm_add_obj(d, arr);
        if (*list.p[i].tag)
            jm_set_str(d, o, list.p[i].tag, "tag");
        jm_set_str(d, o, list.p[i].revision, "revisionName");
        jm_set_bool(d, o, list.p[i].latest, "latestRevision");
        jm_set_int(d, o, list.p[i].percent, "percent");
        if (*list.p[i].tag)
            jm_set_str(d, o, url_of(hosts, list.p[i].tag), "url");
    }
    vec_done(&list);
}

/* ---- the other two conditions ---- */
static bool disabled_by_annotation(const struct kobj *route)
{
    static const char *const keys[] = {"networking.knative.dev/disableAutoTLS",
                                       "networking.knative.dev/disable-auto-tls",
                                       "networking.knative.dev/disable-external-domain-tls"};
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    const char *v = NULL;

    for (size_t i = 0; i < ARRAY_LEN(keys) && !v; i++)
        v = kobj_annotation(route, keys[i]);
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (v && streq(v, yes[i]))
            return true;
    }
    return false;
}

void route_status_certificate(struct cond *c, const struct route_hosts *h,
                              const route_host_vec *hosts)
{
    bool public = false;

    for (size_t i = 0; i < hosts->n; i++)
    public = public || !hosts->p[i].local;
    if (!h->config->network.external_domain_tls || disabled_by_annotation(h->route))
        cs_true_reason(c, ROUTE_CERTIFICATE, "TLSNotEnabled", "external-domain-tls is not enabled");
    else if (!public)
        cs_true_reason(c, ROUTE_CERTIFICATE, "TLSNotEnabled",
                       "TLS is not enabled for cluster-local");
    else
        cs_false(c, ROUTE_CERTIFICATE, "CertificateProvisionFailed",
                 "external-domain-tls of %s is on, but Routes get no certificates here; set it to "
                 "disabled, or annotate the Route with "
                 "networking.knative.dev/disable-external-domain-tls: \"true\"",
                 CM_CONFIG_NETWORK);
}

void route_status_no_ingress(struct cond *c)
{
    cs_unknown(c, ROUTE_INGRESS, "IngressNotConfigured", "Ingress has not yet been reconciled.");
}

void route_status_ingress(struct cond *c, const struct kobj *ingress, bool current,
                          const struct rollout *ro)
{
    bool observed =
        jget_int(kobj_root(ingress), 0, "status", "observedGeneration") == kobj_generation(ingress);
    const yyjson_val *ready = kobj_condition(ingress, "Ready");

    if (!ingress || !current || !observed || !ready)
        route_status_no_ingress(c);
    else if (!rollout_is_done(ro))
        cs_unknown(c, ROUTE_INGRESS, "RolloutInProgress",
                   "A gradual rollout of the latest revision(s) is in progress.");
    else
        cs_mirror(c, ROUTE_INGRESS, ready);
}
