/*
 * The configuration's life: defaults at birth, one section replaced at a time. Reading fills a
 * fresh section and swaps it in only when the whole map parsed, so a bad map changes nothing.
 */
#include "contract/config.h"

#include <errno.h>

#include "contract/config_parse.h"
#include "contract/names.h"

static const char *const section_names[CONFIG_SECTION_MAX] = {
    [CONFIG_DEFAULTS] = CM_CONFIG_DEFAULTS,       [CONFIG_NETWORK] = CM_CONFIG_NETWORK,
    [CONFIG_DOMAIN] = CM_CONFIG_DOMAIN,           [CONFIG_DEPLOYMENT] = CM_CONFIG_DEPLOYMENT,
    [CONFIG_FEATURES] = CM_CONFIG_FEATURES,       [CONFIG_AUTOSCALER] = CM_CONFIG_AUTOSCALER,
    [CONFIG_IMAGE_CACHE] = CM_CONFIG_IMAGE_CACHE,
};

const char *const config_resource_names[RES_MAX] = {"cpu", "memory", "ephemeral-storage"};

enum config_section config_section_of(const char *config_map_name)
{
    for (int s = 0; s < CONFIG_SECTION_MAX; s++) {
        if (streq(section_names[s], config_map_name))
            return (enum config_section)s;
    }
    return CONFIG_SECTION_MAX;
}

const char *config_section_name(enum config_section s)
{
    return section_names[s];
}

static void done_defaults(struct config_defaults *d)
{
    for (int i = 0; i < RES_MAX; i++) {
        free(d->requests[i]);
        free(d->limits[i]);
    }
    free(d->container_name_template);
    free(d->init_container_name_template);
}

static void done_network(struct config_network *n)
{
    free(n->ingress_class);
    free(n->certificate_class);
    free(n->domain_template);
    free(n->tag_template);
    free(n->default_external_scheme);
}

static void done_domain(struct config_domain *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free(d->entries[i].domain);
        yyjson_doc_free(d->entries[i].selector);
    }
    free(d->entries);
}

static void done_deployment(struct config_deployment *d)
{
    for (char **r = d->skip_tag_registries; r && *r; r++)
        free(*r);
    free(d->skip_tag_registries);
}

static void done_section(struct contract_config *c, enum config_section s)
{
    switch (s) {
    case CONFIG_DEFAULTS:
        done_defaults(&c->defaults);
        break;
    case CONFIG_NETWORK:
        done_network(&c->network);
        break;
    case CONFIG_DOMAIN:
        done_domain(&c->domain);
        break;
    case CONFIG_DEPLOYMENT:
        done_deployment(&c->deployment);
        break;
    case CONFIG_AUTOSCALER:
        free(c->autoscaler.autoscaler_class);
        break;
    case CONFIG_IMAGE_CACHE:
        free(c->image_class);
        break;
    case CONFIG_FEATURES:
    case CONFIG_SECTION_MAX:
        break;
    }
}

/* Moves a section; the source keeps pointers that are no longer its own. */
static void move_section(struct contract_config *to, const struct contract_config *from,
                         enum config_section s)
{
    switch (s) {
    case CONFIG_DEFAULTS:
        to->defaults = from->defaults;
        break;
    case CONFIG_NETWORK:
        to->network = from->network;
        break;
    case CONFIG_DOMAIN:
        to->domain = from->domain;
        break;
    case CONFIG_DEPLOYMENT:
        to->deployment = from->deployment;
        break;
    case CONFIG_FEATURES:
        memcpy(to->features, from->features, sizeof(to->features));
        break;
    case CONFIG_AUTOSCALER:
        to->autoscaler = from->autoscaler;
        break;
    case CONFIG_IMAGE_CACHE:
        to->image_class = from->image_class;
        break;
    case CONFIG_SECTION_MAX:
        break;
    }
}

static int (*const parsers[CONFIG_SECTION_MAX])(struct contract_config *, yyjson_val *,
                                                struct err *) = {
    [CONFIG_DEFAULTS] = config_parse_defaults,       [CONFIG_NETWORK] = config_parse_network,
    [CONFIG_DOMAIN] = config_parse_domain,           [CONFIG_DEPLOYMENT] = config_parse_deployment,
    [CONFIG_FEATURES] = config_parse_features,       [CONFIG_AUTOSCALER] = config_parse_autoscaler,
    [CONFIG_IMAGE_CACHE] = config_parse_image_cache,
};

struct contract_config *contract_config_new(const char *cluster_domain)
{
    struct contract_config *c = xnew(struct contract_config);

    c->cluster_domain = xstrdup(cluster_domain ? cluster_domain : "cluster.local");
    for (int s = 0; s < CONFIG_SECTION_MAX; s++)
        parsers[s](c, NULL, NULL);
    return c;
}

void contract_config_free(struct contract_config *c)
{
    if (!c)
        return;
    for (int s = 0; s < CONFIG_SECTION_MAX; s++)
        done_section(c, (enum config_section)s);
    free(c->cluster_domain);
    free(c);
}

int contract_config_read(struct contract_config *c, enum config_section s, const struct kobj *map,
                         struct err *e)
{
    struct contract_config fresh = {.cluster_domain = c->cluster_domain};

    if (s >= CONFIG_SECTION_MAX)
        return err_set(e, -EINVAL,
                       "cannot read a ConfigMap that is not one of the configuration's");
    int rc = parsers[s](&fresh, jget(kobj_root(map), "data"), e);
    if (rc < 0) {
        done_section(&fresh, s);
        return err_prefix(e, "cannot read ConfigMap %s", section_names[s]);
    }
    done_section(c, s);
    move_section(c, &fresh, s);
    return 0;
}

/* ---- domains ---- */
static bool selects(const struct config_domain_entry *d, yyjson_val *labels)
{
    yyjson_val *key, *value;
    size_t i, n;

    if (!d->selector)
        return true;
    yyjson_obj_foreach(yyjson_doc_get_root(d->selector), i, n, key, value)
    {
        if (!streq(jget_str(labels, yyjson_get_str(key)), yyjson_get_str(value)))
            return false;
    }
    return true;
}

const char *config_domain_for(const struct contract_config *c, const yyjson_val *route_labels)
{
    const struct config_domain_entry *best = NULL;
    size_t best_keys = 0;

    for (size_t i = 0; i < c->domain.n; i++) {
        const struct config_domain_entry *d = &c->domain.entries[i];
        size_t keys = d->selector ? yyjson_obj_size(yyjson_doc_get_root(d->selector)) : 0;
        if (!selects(d, (yyjson_val *)route_labels) || (best && keys < best_keys))
            continue;
        if (!best || keys > best_keys || strcmp(d->domain, best->domain) < 0) {
            best = d;
            best_keys = keys;
        }
    }
    return best->domain; /* there is always a default entry */
}
