/* The Revision's pod spec without the fields that are its own, changed container by container. */
#include "serving/revision/pod.h"

#include "contract/names.h"
#include "contract/revision.h"

struct pod {
    struct kmut *m;
    yyjson_mut_val *spec; /* being built */
    const struct kobj *revision;
    yyjson_val *from; /* the Revision's spec */
    const yyjson_val *statuses;
    const struct contract_config *cfg;
    int64_t port;
};

/* ---- one container ---- */
static void set_image(const struct pod *p, yyjson_mut_val *c, size_t index)
{
    const char *digest = jget_str(yyjson_arr_get((yyjson_val *)p->statuses, index), "imageDigest");

    if (digest && digest[0])
        jm_set_str(p->m->d, c, digest, "image");
}

static void add_env(const struct pod *p, yyjson_mut_val *c, const char *name, const char *value)
{
    yyjson_mut_val *var = jm_add_obj(p->m->d, jm_arr(p->m->d, c, "env"));

    jm_set_str(p->m->d, var, name, "name");
    jm_set_str(p->m->d, var, value ? value : "", "value");
}

static void set_env(const struct pod *p, yyjson_mut_val *c, bool serves)
{
    char port[24];

    snprintf(port, sizeof(port), "%lld", (long long)p->port);
    if (serves)
        add_env(p, c, "PORT", port);
    add_env(p, c, "K_REVISION", kobj_name(p->revision));
    add_env(p, c, "K_CONFIGURATION", kobj_label(p->revision, L_CONFIGURATION));
    add_env(p, c, "K_SERVICE", kobj_label(p->revision, L_SERVICE));
}

static void set_port(const struct pod *p, yyjson_mut_val *c)
{
    yyjson_mut_val *port;

    jm_del(c, "ports");
    port = jm_add_obj(p->m->d, jm_arr(p->m->d, c, "ports"));
    jm_set_str(p->m->d, port, USER_PORT_NAME, "name");
    jm_set_int(p->m->d, port, p->port, "containerPort");
    jm_set_str(p->m->d, port, "TCP", "protocol");
}

/* ---- probes ---- */
static const char *const port_handlers[] = {"httpGet", "tcpSocket", "grpc"};

/* An unset port and a name (which can only be the user's own name of the port) stand for the
 * serving port. */
static void resolve_probe_port(const struct pod *p, yyjson_mut_val *probe)
{
    for (size_t i = 0; i < ARRAY_LEN(port_handlers); i++) {
        yyjson_mut_val *handler = jm_get(probe, port_handlers[i]);
        if (yyjson_mut_is_obj(handler) && jm_get_int(handler, 0, "port") == 0)
            jm_set_int(p->m->d, handler, p->port, "port");
    }
}

/* The liveness probe asks the user's server, whatever port was written, unless probes of several
 * containers differ. */
static void rewrite_liveness(const struct pod *p, yyjson_mut_val *probe)
{
    bool keep = feature_on(p->cfg, FEATURE_MULTI_CONTAINER_PROBING);

    for (size_t i = 0; i < 2; i++) {
        yyjson_mut_val *handler = jm_get(probe, port_handlers[i]);
        if (yyjson_mut_is_obj(handler) && !(keep && jm_get_int(handler, 0, "port") != 0))
            jm_set_int(p->m->d, handler, p->port, "port");
    }
}

static void set_probes(const struct pod *p, yyjson_mut_val *c)
{
    resolve_probe_port(p, jm_get(c, "readinessProbe"));
    resolve_probe_port(p, jm_get(c, "startupProbe"));
    rewrite_liveness(p, jm_get(c, "livenessProbe"));
    resolve_probe_port(p, jm_get(c, "livenessProbe"));
}

/* ---- the pod ---- */
static void pod_containers(const struct pod *p)
{
    yyjson_mut_val *list = jm_arr(p->m->d, p->spec, "containers");
    yyjson_val *from;
    size_t i, n, serving;

    revision_serving_container(p->from, &serving);
    yyjson_arr_foreach(jget(p->from, "containers"), i, n, from)
    {
        yyjson_mut_val *c = yyjson_val_mut_copy(p->m->d, from);
        const char *policy = jm_get_str(c, "terminationMessagePolicy");
        yyjson_mut_arr_append(list, c);
        set_image(p, c, i);
        if (i == serving) {
            set_port(p, c);
            set_probes(p, c);
        }
        set_env(p, c, i == serving);
        if (!policy || !policy[0])
            jm_set_str(p->m->d, c, "FallbackToLogsOnError", "terminationMessagePolicy");
    }
}

/* Pods of one Revision rather on different nodes. */
static void spread(const struct pod *p)
{
    yyjson_mut_doc *d = p->m->d;
    yyjson_mut_val *term = jm_add_obj(d, jm_arr(d, p->spec, "affinity", "podAntiAffinity",
                                                "preferredDuringSchedulingIgnoredDuringExecution"));

    jm_set_int(d, term, 100, "weight");
    jm_set_str(d, term, kobj_name(p->revision), "podAffinityTerm", "labelSelector", "matchLabels",
               L_REVISION);
    jm_set_str(d, term, "kubernetes.io/hostname", "podAffinityTerm", "topologyKey");
}

static bool of_revision_alone(const char *field)
{
    static const char *const fields[] = {"containers", "containerConcurrency", "timeoutSeconds",
                                         "responseStartTimeoutSeconds", "idleTimeoutSeconds"};

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (streq(fields[i], field))
            return true;
    }
    return false;
}

void pod_spec(struct kmut *m, yyjson_mut_val *pod, const struct kobj *revision,
              const yyjson_val *statuses, const struct contract_config *cfg)
{
    yyjson_val *spec = jget(kobj_root(revision), "spec"), *key, *value;
    const struct pod p = {.m = m,
                          .spec = pod,
                          .revision = revision,
                          .from = spec,
                          .statuses = statuses,
                          .cfg = cfg,
                          .port = revision_serving_port(spec)};
    size_t i, n;

    pod_containers(&p);
    yyjson_obj_foreach(spec, i, n, key, value)
    {
        if (!of_revision_alone(yyjson_get_str(key)))
            jm_set_copy(m->d, pod, value, yyjson_get_str(key));
    }
    jm_set_int(m->d, pod, revision_timeout(spec), "terminationGracePeriodSeconds");
    if (!jget(spec, "enableServiceLinks") && cfg->defaults.service_links != SERVICE_LINKS_UNSET)
        jm_set_bool(m->d, pod, cfg->defaults.service_links == SERVICE_LINKS_TRUE,
                    "enableServiceLinks");
    if (!jget(spec, "affinity") && cfg->deployment.spread_revisions)
        spread(&p);
}
