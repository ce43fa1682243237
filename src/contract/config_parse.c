/* Each parser reads the keys of one map in order; what it does not know it does not see. */
#include "contract/config_parse.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

#include "base/clock.h"
#include "contract/names.h"
#include "contract/template.h"
#include "kube/names.h"
#include "json/yaml.h"

const char *config_raw(yyjson_val *data, const char *key, const char *old)
{
    const char *v = old && old[0] ? jget_str(data, old) : NULL;

    return v ? v : jget_str(data, key);
}

int config_int(yyjson_val *data, const char *key, const char *old, int64_t def, int64_t lo,
               int64_t hi, int64_t *ret, struct err *e)
{
    const char *v = config_raw(data, key, old);

    *ret = def;
    if (!v)
        return 0;
    struct str s = str_of(v);
    if (s.n && s.p[0] == '+')
        s.p++, s.n--;
    if (str_i64(s, ret) < 0)
        return err_set(e, -EINVAL, "%s is \"%s\" but must be a whole number", key, v);
    if (*ret < lo || *ret > hi)
        return err_set(e, -EINVAL, "%s is %s but must be between %lld and %lld", key, v,
                       (long long)lo, (long long)hi);
    return 0;
}

int config_bool(yyjson_val *data, const char *key, const char *old, bool def, bool *ret,
                struct err *e)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
    const char *v = config_raw(data, key, old);

    *ret = def;
    if (!v)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (streq(v, yes[i]) || streq(v, no[i])) {
            *ret = streq(v, yes[i]);
            return 0;
        }
    }
    return err_set(e, -EINVAL, "%s is \"%s\" but must be true or false", key, v);
}

int config_duration(yyjson_val *data, const char *key, const char *old, int64_t def_ns,
                    int64_t *ret_ns, struct err *e)
{
    const char *v = config_raw(data, key, old);

    *ret_ns = def_ns;
    if (!v || duration_parse(v, ret_ns, e) == 0)
        return 0;
    return err_prefix(e, "%s", key);
}

static char *trimmed(const char *s)
{
    size_t n = strlen(s);

    while (n && isspace((unsigned char)*s))
        s++, n--;
    while (n && isspace((unsigned char)s[n - 1]))
        n--;
    return xstrndup(s, n);
}

char *config_string(yyjson_val *data, const char *key, const char *old, const char *def)
{
    const char *v = config_raw(data, key, old);

    return trimmed(v ? v : def);
}

/* ---- config-defaults ---- */
static int parse_resources(struct config_defaults *d, yyjson_val *data, struct err *e)
{
    for (int i = 0; i < RES_MAX; i++) {
        for (int limit = 0; limit < 2; limit++) {
            char key[64];
            int64_t milli;
            snprintf(key, sizeof(key), "revision-%s-%s", config_resource_names[i],
                     limit ? "limit" : "request");
            const char *v = config_raw(data, key, NULL);
            if (!v)
                continue;
            if (quantity_parse_milli(v, &milli, e) < 0)
                return err_prefix(e, "%s", key);
            *(limit ? &d->limits[i] : &d->requests[i]) = xstrdup(v);
        }
    }
    return 0;
}

static int parse_concurrency(struct config_defaults *d, yyjson_val *data, struct err *e)
{
    if (config_int(data, "container-concurrency-max-limit", NULL, 1000, 1, INT64_MAX,
                   &d->container_concurrency_max, e) < 0 ||
        config_bool(data, "allow-container-concurrency-zero", NULL, true,
                    &d->allow_concurrency_zero, e) < 0)
        return -EINVAL;
    return config_int(data, "container-concurrency", NULL, 0, 0, d->container_concurrency_max,
                      &d->container_concurrency, e);
}

int config_parse_defaults(struct contract_config *c, yyjson_val *data, struct err *e)
{
    struct config_defaults *d = &c->defaults;

    if (config_int(data, "max-revision-timeout-seconds", NULL, 600, 0, INT64_MAX, &d->max_timeout_s,
                   e) < 0 ||
        config_int(data, "revision-timeout-seconds", NULL, 300, 0, d->max_timeout_s, &d->timeout_s,
                   e) < 0 ||
        config_int(data, "revision-response-start-timeout-seconds", NULL, d->timeout_s, 0,
                   d->timeout_s, &d->response_start_timeout_s, e) < 0 ||
        config_int(data, "revision-idle-timeout-seconds", NULL, 0, 0, d->timeout_s,
                   &d->idle_timeout_s, e) < 0 ||
        parse_concurrency(d, data, e) < 0 || parse_resources(d, data, e) < 0)
        return -EINVAL;
    d->container_name_template =
        config_string(data, "container-name-template", NULL, "user-container");
    d->init_container_name_template =
        config_string(data, "init-container-name-template", NULL, "init-container");
    const char *links = config_raw(data, "enable-service-links", NULL);
    if (!links || strcasecmp(links, "false") == 0)
        d->service_links = SERVICE_LINKS_FALSE;
    else
        d->service_links =
            strcasecmp(links, "true") == 0 ? SERVICE_LINKS_TRUE : SERVICE_LINKS_UNSET;
    return 0;
}

/* ---- config-network ---- */
static int parse_switch(yyjson_val *data, const char *key, bool *ret, struct err *e)
{
    const char *v = config_raw(data, key, NULL);

    *ret = v && strcasecmp(v, "enabled") == 0;
    if (!v || *ret || strcasecmp(v, "disabled") == 0)
        return 0;
    return err_set(e, -EINVAL, "%s is \"%s\" but must be enabled or disabled", key, v);
}

static int parse_http_protocol(yyjson_val *data, enum http_option *ret, struct err *e)
{
    const char *v = config_raw(data, "http-protocol", "httpProtocol");

    *ret = HTTP_OPTION_ENABLED;
    if (!v || strcasecmp(v, "enabled") == 0)
        return 0;
    if (strcasecmp(v, "redirected") == 0)
        *ret = HTTP_OPTION_REDIRECTED;
    else if (strcasecmp(v, "disabled") == 0)
        *ret = HTTP_OPTION_DISABLED;
    else
        return err_set(e, -EINVAL,
                       "http-protocol is \"%s\" but must be enabled, redirected or disabled", v);
    return 0;
}

/* A template is tried out on a Route without labels and annotations, so that one that can never
 * give a name is refused here and not found out Route by Route. */
static int check_template(const char *key, const char *text, const char *route, struct err *e)
{
    _cleanup_jdoc_ yyjson_doc *data = json_parse(route, strlen(route), NULL);
    _cleanup_free_ char *name = template_fill(text, yyjson_doc_get_root(data), e);

    if (!name)
        return err_prefix(e, "%s", key), -EINVAL;
    if (!*name || strchr(name, '/'))
        return err_set(e, -EINVAL, "%s makes \"%s\", which is no host name", key, name);
    return 0;
}

int config_parse_network(struct contract_config *c, yyjson_val *data, struct err *e)
{
    struct config_network *n = &c->network;
    const char *tls = config_raw(data, "external-domain-tls", NULL);

    if (!tls)
        tls = config_raw(data, "auto-tls", "autoTLS");
    n->external_domain_tls = tls && strcasecmp(tls, "enabled") == 0;
    if (parse_switch(data, "cluster-local-domain-tls", &n->cluster_local_domain_tls, e) < 0 ||
        parse_switch(data, "system-internal-tls", &n->system_internal_tls, e) < 0 ||
        parse_http_protocol(data, &n->http_protocol, e) < 0 ||
        config_int(data, "rollout-duration", "rolloutDuration", 0, 0, INT32_MAX,
                   &n->rollout_duration_s, e) < 0 ||
        config_bool(data, "autocreate-cluster-domain-claims", "autocreateClusterDomainClaims",
                    false, &n->autocreate_domain_claims, e) < 0)
        return -EINVAL;
    n->ingress_class = config_string(data, "ingress-class", "ingress.class", CLASS_GATEWAY);
    n->certificate_class = config_string(data, "certificate-class", "certificate.class",
                                         "cert-manager.certificate.networking.knative.dev");
    n->domain_template = config_string(data, "domain-template", "domainTemplate",
                                       "{{.Name}}.{{.Namespace}}.{{.Domain}}");
    n->tag_template = config_string(data, "tag-template", "tagTemplate", "{{.Tag}}-{{.Name}}");
    n->default_external_scheme =
        config_string(data, "default-external-scheme", "defaultExternalScheme", "http");
    if (check_template("domain-template", n->domain_template,
                       "{\"Name\":\"name\",\"Namespace\":\"namespace\",\"Domain\":\"example.com\","
                       "\"Annotations\":{},\"Labels\":{}}",
                       e) < 0)
        return -EINVAL;
    return check_template("tag-template", n->tag_template, "{\"Name\":\"name\",\"Tag\":\"tag\"}",
                          e);
}

/* ---- config-domain ---- */
static struct config_domain_entry *domain_add(struct config_domain *d, const char *name)
{
    d->entries = xrealloc(d->entries, (d->n + 1) * sizeof(d->entries[0]));
    d->entries[d->n] = (struct config_domain_entry){.domain = xstrdup(name)};
    return &d->entries[d->n++];
}

/* The value is YAML with a selector and a type; keeps the selector alone, so that lookups read one
 * flat object. */
static int parse_domain_value(struct config_domain_entry *entry, const char *text, struct err *e)
{
    if (text[strspn(text, " \t\r\n")] == '\0') {
        entry->wildcard = true;
        return 0;
    }
    _cleanup_jdoc_ yyjson_doc *doc = yaml_parse(text, strlen(text), e);
    if (!doc)
        return -EINVAL;
    yyjson_val *root = yyjson_doc_get_root(doc), *selector = jget(root, "selector");
    entry->wildcard = streq(jget_str(root, "type"), "wildcard");
    if (!yyjson_is_obj(selector) || yyjson_obj_size(selector) == 0) {
        entry->wildcard = true;
        return 0;
    }
    size_t n;
    _cleanup_free_ char *flat = json_text(selector, &n);
    entry->selector = json_parse(flat, n, e);
    return entry->selector ? 0 : -EINVAL;
}

int config_parse_domain(struct contract_config *c, yyjson_val *data, struct err *e)
{
    bool has_default = false;
    yyjson_val *key, *value;
    size_t i, n;

    yyjson_obj_foreach(data, i, n, key, value)
    {
        const char *name = yyjson_get_str(key), *text = yyjson_get_str(value);
        if (name[0] == '_' || !text)
            continue;
        struct config_domain_entry *entry = domain_add(&c->domain, name);
        if (parse_domain_value(entry, text, e) < 0)
            return err_prefix(e, "domain \"%s\"", name);
        has_default |= entry->selector == NULL;
    }
    if (!has_default) {
        _cleanup_free_ char *local = xasprintf("svc.%s", c->cluster_domain);
        domain_add(&c->domain, local)->wildcard = true;
    }
    return 0;
}

/* ---- config-deployment ---- */
static char **parse_set(const char *list)
{
    struct str rest = str_of(list), part;
    size_t n = 0;
    char **out = xcalloc(1, sizeof(char *));

    while (str_split(&rest, ',', &part)) {
        part = str_trim(part);
        if (part.n == 0)
            continue;
        out = xrealloc(out, (n + 2) * sizeof(char *));
        out[n++] = xstrndup(part.p, part.n);
        out[n] = NULL;
    }
    return out;
}

static int parse_affinity(yyjson_val *data, bool *ret_spread, struct err *e)
{
    const char *v = config_raw(data, "default-affinity-type", NULL);

    *ret_spread = !v || streq(v, "prefer-spread-revision-over-nodes");
    if (*ret_spread || streq(v, "none"))
        return 0;
    return err_set(
        e, -EINVAL,
        "default-affinity-type is \"%s\" but must be none or prefer-spread-revision-over-nodes", v);
}

int config_parse_deployment(struct contract_config *c, yyjson_val *data, struct err *e)
{
    struct config_deployment *d = &c->deployment;
    const char *registries =
        config_raw(data, "registries-skipping-tag-resolving", "registriesSkippingTagResolving");
    int64_t deadline;

    d->skip_tag_registries = parse_set(registries ? registries : "kind.local,ko.local,dev.local");
    if (config_duration(data, "digest-resolution-timeout", "digestResolutionTimeout",
                        10 * NS_PER_SEC, &d->digest_timeout_ns, e) < 0 ||
        config_duration(data, "progress-deadline", "progressDeadline", 600 * NS_PER_SEC, &deadline,
                        e) < 0 ||
        config_bool(data, "pod-is-always-schedulable", NULL, false, &d->always_schedulable, e) <
            0 ||
        parse_affinity(data, &d->spread_revisions, e) < 0)
        return -EINVAL;
    if (d->digest_timeout_ns <= 0)
        return err_set(e, -EINVAL, "digest-resolution-timeout must be above 0");
    if (deadline <= 0 || deadline % NS_PER_SEC)
        return err_set(e, -EINVAL, "progress-deadline must be above 0 and in whole seconds");
    d->progress_deadline_s = deadline / NS_PER_SEC;
    return 0;
}

/* ---- config-features ---- */
static const struct {
    const char *key;
    enum flag def;
} features[FEATURE_MAX] = {
    [FEATURE_MULTI_CONTAINER] = {"multi-container", FLAG_ENABLED},
    [FEATURE_MULTI_CONTAINER_PROBING] = {"multi-container-probing", FLAG_DISABLED},
    [FEATURE_SECURE_POD_DEFAULTS] = {"secure-pod-defaults", FLAG_DISABLED},
    [FEATURE_TAG_HEADER] = {"tag-header-based-routing", FLAG_DISABLED},
    [FEATURE_AUTODETECT_HTTP2] = {"autodetect-http2", FLAG_DISABLED},
    [FEATURE_ADD_CAPABILITIES] = {"kubernetes.containerspec-addcapabilities", FLAG_DISABLED},
    [FEATURE_AFFINITY] = {"kubernetes.podspec-affinity", FLAG_DISABLED},
    [FEATURE_TOPOLOGY_SPREAD] = {"kubernetes.podspec-topologyspreadconstraints", FLAG_DISABLED},
    [FEATURE_HOST_ALIASES] = {"kubernetes.podspec-hostaliases", FLAG_DISABLED},
    [FEATURE_NODE_SELECTOR] = {"kubernetes.podspec-nodeselector", FLAG_DISABLED},
    [FEATURE_TOLERATIONS] = {"kubernetes.podspec-tolerations", FLAG_DISABLED},
    [FEATURE_FIELD_REF] = {"kubernetes.podspec-fieldref", FLAG_DISABLED},
    [FEATURE_RUNTIME_CLASS] = {"kubernetes.podspec-runtimeclassname", FLAG_DISABLED},
    [FEATURE_DNS_POLICY] = {"kubernetes.podspec-dnspolicy", FLAG_DISABLED},
    [FEATURE_DNS_CONFIG] = {"kubernetes.podspec-dnsconfig", FLAG_DISABLED},
    [FEATURE_SECURITY_CONTEXT] = {"kubernetes.podspec-securitycontext", FLAG_DISABLED},
    [FEATURE_SHARE_PROCESS_NS] = {"kubernetes.podspec-shareprocessnamespace", FLAG_DISABLED},
    [FEATURE_HOST_IPC] = {"kubernetes.podspec-hostipc", FLAG_DISABLED},
    [FEATURE_HOST_PID] = {"kubernetes.podspec-hostpid", FLAG_DISABLED},
    [FEATURE_HOST_NETWORK] = {"kubernetes.podspec-hostnetwork", FLAG_DISABLED},
    [FEATURE_PRIORITY_CLASS] = {"kubernetes.podspec-priorityclassname", FLAG_DISABLED},
    [FEATURE_SCHEDULER_NAME] = {"kubernetes.podspec-schedulername", FLAG_DISABLED},
    [FEATURE_INIT_CONTAINERS] = {"kubernetes.podspec-init-containers", FLAG_DISABLED},
    [FEATURE_EMPTY_DIR] = {"kubernetes.podspec-volumes-emptydir", FLAG_ENABLED},
    [FEATURE_HOST_PATH] = {"kubernetes.podspec-volumes-hostpath", FLAG_DISABLED},
    [FEATURE_CSI] = {"kubernetes.podspec-volumes-csi", FLAG_DISABLED},
    [FEATURE_EPHEMERAL] = {"kubernetes.podspec-volumes-ephemeral", FLAG_DISABLED},
    [FEATURE_IMAGE_VOLUME] = {"kubernetes.podspec-volumes-image", FLAG_DISABLED},
    [FEATURE_MOUNT_PROPAGATION] = {"kubernetes.podspec-volumes-mount-propagation", FLAG_DISABLED},
    [FEATURE_PVC] = {"kubernetes.podspec-persistent-volume-claim", FLAG_DISABLED},
    [FEATURE_PVC_WRITE] = {"kubernetes.podspec-persistent-volume-write", FLAG_DISABLED},
};

int config_parse_features(struct contract_config *c, yyjson_val *data, struct err *e)
{
    for (int i = 0; i < FEATURE_MAX; i++) {
        const char *v = config_raw(data, features[i].key, NULL);
        const char *allowed = i == FEATURE_SECURE_POD_DEFAULTS ? "AllowRootBounded" : "allowed";
        c->features[i] = features[i].def;
        if (!v)
            continue;
        if (strcasecmp(v, "enabled") == 0)
            c->features[i] = FLAG_ENABLED;
        else if (strcasecmp(v, allowed) == 0)
            c->features[i] = FLAG_ALLOWED;
        else if (strcasecmp(v, "disabled") == 0)
            c->features[i] = FLAG_DISABLED;
    }
    return 0;
}

/* ---- config-autoscaler and config-image-cache ---- */
static int check_scales(const struct config_autoscaler_core *a, struct err *e)
{
    if (a->initial_scale == 0 && !a->allow_zero_initial_scale)
        return err_set(e, -EINVAL, "initial-scale is 0 but allow-zero-initial-scale is false");
    if (a->max_scale > 0 && a->min_scale > a->max_scale)
        return err_set(e, -EINVAL, "min-scale is above max-scale");
    if (a->max_scale_limit > 0 && (a->max_scale < 1 || a->max_scale > a->max_scale_limit))
        return err_set(e, -EINVAL, "max-scale must be between 1 and max-scale-limit");
    return 0;
}

int config_parse_autoscaler(struct contract_config *c, yyjson_val *data, struct err *e)
{
    struct config_autoscaler_core *a = &c->autoscaler;

    if (config_bool(data, "allow-zero-initial-scale", NULL, false, &a->allow_zero_initial_scale,
                    e) < 0 ||
        config_int(data, "initial-scale", NULL, 1, 0, INT32_MAX, &a->initial_scale, e) < 0 ||
        config_int(data, "min-scale", NULL, 0, 0, INT32_MAX, &a->min_scale, e) < 0 ||
        config_int(data, "max-scale", NULL, 0, 0, INT32_MAX, &a->max_scale, e) < 0 ||
        config_int(data, "max-scale-limit", NULL, 0, 0, INT32_MAX, &a->max_scale_limit, e) < 0 ||
        check_scales(a, e) < 0)
        return -EINVAL;
    a->autoscaler_class = config_string(data, "pod-autoscaler-class", NULL, CLASS_KPA);
    return 0;
}

int config_parse_image_cache(struct contract_config *c, yyjson_val *data, struct err *e)
{
    c->image_class = config_string(data, "image-class", NULL, CLASS_NOTHING);
    return 0;
}
