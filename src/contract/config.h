/*
 * The ConfigMaps that core and plugins share, parsed: absent keys and absent maps mean the
 * defaults, keys that nobody knows (as `_example`) are ignored. A map that does not parse leaves
 * its section as it was.
 *
 * One owner; not thread-safe. Strings belong to the configuration and live until its section is
 * read again.
 */
#ifndef NONAGON_CONTRACT_CONFIG_H
#define NONAGON_CONTRACT_CONFIG_H

#include "kube/object.h"

enum config_section {
    CONFIG_DEFAULTS,
    CONFIG_NETWORK,
    CONFIG_DOMAIN,
    CONFIG_DEPLOYMENT,
    CONFIG_FEATURES,
    CONFIG_AUTOSCALER,
    CONFIG_IMAGE_CACHE,
    CONFIG_SECTION_MAX,
};

enum config_resource { RES_CPU, RES_MEMORY, RES_EPHEMERAL, RES_MAX };
extern const char *const config_resource_names[RES_MAX]; /* "cpu", "memory", "ephemeral-storage" */

struct config_defaults {
    int64_t timeout_s, max_timeout_s, response_start_timeout_s, idle_timeout_s;
    char *requests[RES_MAX], *limits[RES_MAX]; /* quantities; NULL = unset */
    char *container_name_template, *init_container_name_template;
    int64_t container_concurrency, container_concurrency_max;
    bool allow_concurrency_zero;
    enum { SERVICE_LINKS_FALSE, SERVICE_LINKS_TRUE, SERVICE_LINKS_UNSET } service_links;
};

enum http_option { HTTP_OPTION_ENABLED, HTTP_OPTION_REDIRECTED, HTTP_OPTION_DISABLED };

struct config_network {
    char *ingress_class, *certificate_class;
    char *domain_template, *tag_template; /* see contract/template.h */
    bool external_domain_tls, cluster_local_domain_tls, system_internal_tls;
    enum http_option http_protocol;
    char *default_external_scheme;
    int64_t rollout_duration_s;
    bool autocreate_domain_claims;
};

struct config_domain_entry {
    char *domain;
    yyjson_doc *selector; /* an object of labels; NULL = the default domain */
    bool wildcard;
};
struct config_domain {
    struct config_domain_entry *entries;
    size_t n;
};

struct config_deployment {
    char **skip_tag_registries; /* NULL-terminated */
    int64_t digest_timeout_ns, progress_deadline_s;
    bool spread_revisions; /* default-affinity-type prefer-spread-revision-over-nodes */
    bool always_schedulable;
};

enum feature {
    FEATURE_MULTI_CONTAINER,
    FEATURE_MULTI_CONTAINER_PROBING,
    FEATURE_SECURE_POD_DEFAULTS, /* FLAG_ALLOWED stands for AllowRootBounded */
    FEATURE_TAG_HEADER,
    FEATURE_AUTODETECT_HTTP2,
    FEATURE_ADD_CAPABILITIES,
    FEATURE_AFFINITY,
    FEATURE_TOPOLOGY_SPREAD,
    FEATURE_HOST_ALIASES,
    FEATURE_NODE_SELECTOR,
    FEATURE_TOLERATIONS,
    FEATURE_FIELD_REF,
    FEATURE_RUNTIME_CLASS,
    FEATURE_DNS_POLICY,
    FEATURE_DNS_CONFIG,
    FEATURE_SECURITY_CONTEXT,
    FEATURE_SHARE_PROCESS_NS,
    FEATURE_HOST_IPC,
    FEATURE_HOST_PID,
    FEATURE_HOST_NETWORK,
    FEATURE_PRIORITY_CLASS,
    FEATURE_SCHEDULER_NAME,
    FEATURE_INIT_CONTAINERS,
    FEATURE_EMPTY_DIR,
    FEATURE_HOST_PATH,
    FEATURE_CSI,
    FEATURE_EPHEMERAL,
    FEATURE_IMAGE_VOLUME,
    FEATURE_MOUNT_PROPAGATION,
    FEATURE_PVC,
    FEATURE_PVC_WRITE,
    FEATURE_MAX,
};
enum flag { FLAG_DISABLED, FLAG_ALLOWED, FLAG_ENABLED };

/* Only what the core reads of config-autoscaler; the autoscaler parses its own view of the same
 * map. */
struct config_autoscaler_core {
    char *autoscaler_class;
    int64_t initial_scale, min_scale, max_scale, max_scale_limit;
    bool allow_zero_initial_scale;
};

struct contract_config {
    char *cluster_domain;
    struct config_defaults defaults;
    struct config_network network;
    struct config_domain domain;
    struct config_deployment deployment;
    enum flag features[FEATURE_MAX];
    struct config_autoscaler_core autoscaler;
    char *image_class; /* config-image-cache: image-class */
};

/* Everything at its default. */
struct contract_config *contract_config_new(const char *cluster_domain);
void contract_config_free(struct contract_config *c);
DEFINE_CLEANUP(struct contract_config *, contract_config_free)

/* The section that a ConfigMap of this name fills, CONFIG_SECTION_MAX for others; and the name of a
 * section's map. */
enum config_section config_section_of(const char *config_map_name);
const char *config_section_name(enum config_section s);

/* Replaces a section by what the map says; NULL = the map is gone, so defaults. On error nothing
 * changes. */
int contract_config_read(struct contract_config *c, enum config_section s, const struct kobj *map,
                         struct err *e);

/*
 * The base domain for these labels: the entry whose selector matches with most keys, ties to the
 * smallest name, else the default entry, else "svc.<cluster domain>". `route_labels` may be NULL.
 * Visibility is the caller's business.
 */
const char *config_domain_for(const struct contract_config *c, const yyjson_val *route_labels);

static inline bool feature_on(const struct contract_config *c, enum feature f)
{
    return c->features[f] == FLAG_ENABLED;
}

#endif
