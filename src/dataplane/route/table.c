/*
 * A worker's table: host -> the ingresses that claim it, first come first. Only the first one
 * answers; when it lets go the next one takes over. An update keeps its place.
 */
#include "base/map.h"
#include "base/rand.h"
#include "dataplane/route/route.h"

struct claim {
    const struct dp_route_entry *owner;
    const struct dp_route_host *rules;
};

struct vhost {
    VEC(struct claim) claims;
};

struct dp_table {
    struct map *hosts;     /* struct vhost */
    struct map *ingresses; /* struct dp_route_entry by key, referenced */
};

static void vhost_free(void *p)
{
    struct vhost *v = p;

    vec_done(&v->claims);
    free(v);
}

static void unref(void *p)
{
    dp_route_entry_unref(p);
}

struct dp_table *dp_table_new(void)
{
    struct dp_table *t = xnew(struct dp_table);

    t->hosts = map_new(vhost_free);
    t->ingresses = map_new(unref);
    return t;
}

void dp_table_free(struct dp_table *t)
{
    if (!t)
        return;
    map_free(t->hosts);
    map_free(t->ingresses);
    free(t);
}

static struct claim *claim_of(struct vhost *v, const char *key)
{
    for (size_t i = 0; v && i < v->claims.n; i++) {
        if (streq(v->claims.p[i].owner->key, key))
            return &v->claims.p[i];
    }
    return NULL;
}

static void claim(struct dp_table *t, const struct dp_route_entry *in,
                  const struct dp_route_host *ih)
{
    struct vhost *v = map_get(t->hosts, ih->host);
    struct claim *old = claim_of(v, in->key);

    if (!v) {
        v = xnew(struct vhost);
        map_set(t->hosts, ih->host, v);
    }
    if (old)
        *old = (struct claim){in, ih};
    else
        vec_push(&v->claims, ((struct claim){in, ih}));
}

/* Drops claims that still belong to this very entry. */
static void unclaim(struct dp_table *t, const struct dp_route_entry *in)
{
    for (size_t i = 0; i < in->hosts.n; i++) {
        const char *host = in->hosts.p[i].host;
        struct vhost *v = map_get(t->hosts, host);
        struct claim *c = claim_of(v, in->key);
        if (!c || c->owner != in)
            continue;
        vec_remove(&v->claims, (size_t)(c - v->claims.p));
        if (v->claims.n == 0)
            map_del(t->hosts, host);
    }
}

void dp_table_set(struct dp_table *t, struct dp_route_entry *in)
{
    struct dp_route_entry *old = map_take(t->ingresses, in->key);

    for (size_t i = 0; i < in->hosts.n; i++)
        claim(t, in, &in->hosts.p[i]);
    if (old)
        unclaim(t, old);
    dp_route_entry_unref(old);
    map_set(t->ingresses, in->key, in);
}

void dp_table_remove(struct dp_table *t, const char *key)
{
    struct dp_route_entry *old = map_take(t->ingresses, key);

    if (old)
        unclaim(t, old);
    dp_route_entry_unref(old);
}

const struct dp_route_host *dp_table_find(const struct dp_table *t, struct str host,
                                          const struct dp_route_entry **ret_owner)
{
    const struct vhost *v = map_getn(t->hosts, host.p, host.n);

    if (!v)
        v = map_get(t->hosts, "*");
    if (!v)
        return NULL;
    *ret_owner = v->claims.p[0].owner;
    return v->claims.p[0].rules;
}

static bool headers_match(const struct dp_fields *want, const struct dp_head *head)
{
    for (size_t i = 0; i < want->n; i++) {
        bool found = false;
        for (size_t k = 0; k < head->n && !found; k++)
            found = str_ieq(head->f[k].name, want->f[i].name) &&
                    str_eq(head->f[k].value, want->f[i].value);
        if (!found)
            return false;
    }
    return true;
}

const struct dp_route_path *dp_route_match(const struct dp_route_host *ih, bool local,
                                           struct str path, const struct dp_head *head,
                                           const struct dp_route_rule **ret_rule)
{
    for (size_t i = 0; i < ih->rules.n; i++) {
        const struct dp_route_rule *r = ih->rules.p[i];
        if (r->visibility == DP_LOCAL && !local)
            continue;
        for (size_t k = 0; k < r->n_paths; k++) {
            const struct dp_route_path *p = &r->paths[k];
            if (str_starts(path, p->prefix) && p->n_splits > 0 && headers_match(&p->match, head)) {
                *ret_rule = r;
                return p;
            }
        }
    }
    return NULL;
}

const struct dp_route_split *dp_route_choose(const struct dp_route_path *p)
{
    if (p->n_splits == 1 || p->total == 0)
        return &p->splits[0];
    unsigned at = (unsigned)(rand_fast() % p->total);
    for (size_t i = 0;; i++) {
        if (at < p->splits[i].percent)
            return &p->splits[i];
        at -= p->splits[i].percent;
    }
}
