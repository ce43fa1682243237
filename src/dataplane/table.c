/*
 * A worker's table: host -> the ingresses that claim it, first come first. Only the first one
 * answers; when it lets go the next one takes over. An update keeps its place.
 */
#include "base/rand.h"
#include "dataplane/dp.h"

struct claim {
    const struct ingress *owner;
    const struct ingress_host *rules;
};

struct vhost {
    VEC(struct claim) claims;
};

struct table {
    struct map *hosts;     /* struct vhost */
    struct map *ingresses; /* struct ingress by key, referenced */
};

static void vhost_free(void *p)
{
    struct vhost *v = p;

    vec_done(&v->claims);
    free(v);
}

static void unref(void *p)
{
    ingress_unref(p);
}

struct table *table_new(void)
{
    struct table *t = xnew(struct table);

    t->hosts = map_new(vhost_free);
    t->ingresses = map_new(unref);
    return t;
}

void table_free(struct table *t)
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

static void claim(struct table *t, const struct ingress *in, const struct ingress_host *ih)
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
static void unclaim(struct table *t, const struct ingress *in)
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

void table_set(struct table *t, struct ingress *in)
{
    struct ingress *old = map_take(t->ingresses, in->key);

    for (size_t i = 0; i < in->hosts.n; i++)
        claim(t, in, &in->hosts.p[i]);
    if (old)
        unclaim(t, old);
    ingress_unref(old);
    map_set(t->ingresses, in->key, in);
}

void table_remove(struct table *t, const char *key)
{
    struct ingress *old = map_take(t->ingresses, key);

    if (old)
        unclaim(t, old);
    ingress_unref(old);
}

const struct ingress_host *table_find(const struct table *t, struct str host,
                                      const struct ingress **ret_owner)
{
    const struct vhost *v = map_getn(t->hosts, host.p, host.n);

    if (!v)
        v = map_get(t->hosts, "*");
    if (!v)
        return NULL;
    *ret_owner = v->claims.p[0].owner;
    return v->claims.p[0].rules;
}

static bool headers_match(const struct fields *want, const struct http_headers *hs)
{
    for (size_t i = 0; i < want->n; i++) {
        bool found = false;
        for (size_t k = 0; k < hs->n && !found; k++)
            found =
                str_ieq(hs->h[k].name, want->f[i].name) && str_eq(hs->h[k].value, want->f[i].value);
        if (!found)
            return false;
    }
    return true;
}

const struct path *ingress_match(const struct ingress_host *ih, bool local, struct str path,
                                 const struct http_headers *hs, const struct rule **ret_rule)
{
    for (size_t i = 0; i < ih->rules.n; i++) {
        const struct rule *r = ih->rules.p[i];
        if (r->visibility == DP_LOCAL && !local)
            continue;
        for (size_t k = 0; k < r->n_paths; k++) {
            const struct path *p = &r->paths[k];
            if (str_starts(path, p->prefix) && p->n_splits > 0 && headers_match(&p->match, hs)) {
                *ret_rule = r;
                return p;
            }
        }
    }
    return NULL;
}

const struct split *path_choose(const struct path *p)
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
