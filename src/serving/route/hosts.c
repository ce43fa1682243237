/* Host names come from the two templates of config-network; cluster-local ones always have the
 * fixed shape. */
#include "serving/route/hosts.h"

#include <errno.h>

#include "contract/names.h"
#include "contract/template.h"
#include "kube/names.h"

void route_hosts_init(struct route_hosts *h, struct arena *a, const struct contract_config *c,
                      const struct kobj *config_network, const struct kobj *route)
{
    const char *port = jget_str(kobj_root(config_network), "data", "external-url-port");
    const char *local = arena_printf(a, "svc.%s", c->cluster_domain);
    bool labelled = streq(kobj_label(route, L_VISIBILITY), "cluster-local");
    const yyjson_val *labels = jget(kobj_root(route), "metadata", "labels");
    uint64_t number;

    *h = (struct route_hosts){.arena = a, .config = c, .route = route, .local_domain = local};
    h->domain = labelled ? local : config_domain_for(c, labels);
    h->local_only = streq(h->domain, local);
    h->port = port && str_u64(str_trim(str_of(port)), &number) == 0 && number > 0 && number < 65536
                  ? arena_printf(a, ":%u", (unsigned)number)
                  : "";
}

static char *fill(const char *text, yyjson_mut_doc *d, yyjson_mut_val *data, struct err *e)
{
    yyjson_mut_doc_set_root(d, data);
    _cleanup_jdoc_ yyjson_doc *frozen = yyjson_mut_doc_imut_copy(d, NULL);

    return template_fill(text, yyjson_doc_get_root(frozen), e);
}

const char *route_hostname(const struct route_hosts *h, const char *tag, struct err *e)
{
    if (!*tag)
        return kobj_name(h->route);
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *data = yyjson_mut_obj(d);
    jm_set_str(d, data, tag, "Tag");
    jm_set_str(d, data, kobj_name(h->route), "Name");
    _cleanup_free_ char *name = fill(h->config->network.tag_template, d, data, e);
    if (!name) {
        err_prefix(e, "tag-template of %s for tag \"%s\"", CM_CONFIG_NETWORK, tag);
        return NULL;
    }
    const char *why = why_not_dns1035_label(name);
    if (why) {
        err_set(e, -EINVAL,
                "tag-template of %s makes \"%s\" of tag \"%s\", which is no Service name: %s",
                CM_CONFIG_NETWORK, name, tag, why);
        return NULL;
    }
    return arena_strndup(h->arena, name, strlen(name));
}

const char *route_local_fqdn(const struct route_hosts *h, const char *hostname)
{
    return arena_printf(h->arena, "%s.%s.%s", hostname, kobj_namespace(h->route), h->local_domain);
}

static void set_map(yyjson_mut_doc *d, yyjson_mut_val *data, const struct kobj *route,
                    const char *from, const char *to)
{
    yyjson_val *map = jget(kobj_root(route), "metadata", from);

    jm_obj(d, data, to);
    if (map)
        jm_set_copy(d, data, map, to);
}

const char *route_fqdn(const struct route_hosts *h, const char *hostname, struct err *e)
{
    if (h->local_only)
        return route_local_fqdn(h, hostname);
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *data = yyjson_mut_obj(d);
    jm_set_str(d, data, hostname, "Name");
    jm_set_str(d, data, kobj_namespace(h->route), "Namespace");
    jm_set_str(d, data, h->domain, "Domain");
    set_map(d, data, h->route, "annotations", "Annotations");
    set_map(d, data, h->route, "labels", "Labels");
    _cleanup_free_ char *name = fill(h->config->network.domain_template, d, data, e);
    if (!name) {
        err_prefix(e, "domain-template of %s for \"%s\"", CM_CONFIG_NETWORK, hostname);
        return NULL;
    }
    const char *why = why_not_dns1123_subdomain(name);
    if (why) {
        err_set(e, -EINVAL, "invalid domain name \"%s\" for Route \"%s\": %s", name,
                kobj_name(h->route), why);
        return NULL;
    }
    return arena_strndup(h->arena, name, strlen(name));
}

const char *route_url(const struct route_hosts *h, const char *fqdn, bool local)
{
    return local ? arena_printf(h->arena, "http://%s", fqdn)
                 : arena_printf(h->arena, "%s://%s%s", h->config->network.default_external_scheme,
                                fqdn, h->port);
}

/* A last label of digits alone would be taken for an address; one beyond 63 bytes is no label. */
static bool last_label_is_fine(const char *host)
{
    const char *dot = strrchr(host, '.');
    const char *label = dot ? dot + 1 : host;

    return strlen(label) <= NAME_MAX_LABEL && label[strspn(label, "0123456789")] != '\0';
}

size_t route_local_aliases(const struct route_hosts *h, const char *hostname,
                           const char *ret[static 3])
{
    const char *ns = kobj_namespace(h->route);
    const char *all[] = {
        arena_printf(h->arena, "%s.%s", hostname, ns),
        arena_printf(h->arena, "%s.%s.svc", hostname, ns),
        route_local_fqdn(h, hostname),
    };
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (last_label_is_fine(all[i]))
            ret[n++] = all[i];
    }
    return n;
}

/* A placeholder of this Route that somebody labelled with a visibility keeps its host inside the
 * cluster. */
static bool labelled_local(const struct route_hosts *h, const struct cache *services,
                           const char *hostname)
{
    const struct kobj *s = cache_get(services, kobj_namespace(h->route), hostname);
    const char *visibility = kobj_label(s, L_VISIBILITY);

    return visibility && *visibility && streq(kobj_label(s, L_ROUTE), kobj_name(h->route));
}

int route_host_of(const struct route_hosts *h, const struct traffic_group *g,
                  const struct cache *services, struct route_host *ret, struct err *e)
{
    *ret = (struct route_host){.group = g, .hostname = route_hostname(h, g->tag, e)};
    if (!ret->hostname)
        return -EINVAL;
    ret->fqdn = route_fqdn(h, ret->hostname, e);
    if (!ret->fqdn)
        return -EINVAL;
    ret->local_fqdn = route_local_fqdn(h, ret->hostname);
    ret->local = h->local_only || labelled_local(h, services, ret->hostname);
    ret->url = route_url(h, ret->local ? ret->local_fqdn : ret->fqdn, ret->local);
    return 0;
}

int route_hosts_of(const struct route_hosts *h, const struct traffic *t,
                   const struct cache *services, route_host_vec *ret, struct err *e)
{
    for (size_t i = 0; i < t->groups.n; i++) {
        struct route_host one;
        int r = route_host_of(h, &t->groups.p[i], services, &one, e);
        if (r < 0)
            return r;
        vec_push(ret, one);
    }
    return 0;
}
