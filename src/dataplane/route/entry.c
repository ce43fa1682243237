/* Ingress entries: made from the caller's plain structures on the caller's thread, immutable,
 * reference-counted. */
#include "dataplane/route/route.h"

#include <string.h>

static struct str own(struct str s)
{
    return (struct str){s.n ? xstrndup(s.p, s.n) : NULL, s.n};
}

/* The revision is known by then: the headers that name it are for an activator and stop here. */
static bool is_internal(const char *name)
{
    return str_ieq(str_of(name), STR("Knative-Serving-Revision")) ||
           str_ieq(str_of(name), STR("Knative-Serving-Namespace"));
}

static struct dp_fields own_fields(const struct dp_kv *kv, size_t n, bool drop_internal)
{
    struct dp_fields fs = {.f = xcalloc(n, sizeof(struct http_header))};

    for (size_t i = 0; i < n; i++) {
        if (!drop_internal || !is_internal(kv[i].name))
            fs.f[fs.n++] = (struct http_header){own(str_of(kv[i].name)), own(str_of(kv[i].value))};
    }
    return fs;
}

static void free_fields(struct dp_fields *fs)
{
    for (size_t i = 0; i < fs->n; i++) {
        free((char *)fs->f[i].name.p);
        free((char *)fs->f[i].value.p);
    }
    free(fs->f);
}

static void make_path(struct dp_route_path *p, const struct dp_path *in,
                      struct dp_back *(*find)(void *ctx, const struct dp_split *key), void *ctx)
{
    p->prefix = own(str_of(in->prefix));
    p->match = own_fields(in->match_headers, in->n_match_headers, false);
    p->set = own_fields(in->set_headers, in->n_set_headers, true);
    p->rewrite_host = own(str_of(in->rewrite_host));
    p->splits = xcalloc(in->n_splits, sizeof(struct dp_route_split));
    p->n_splits = in->n_splits;
    for (size_t i = 0; i < in->n_splits; i++) {
        const struct dp_split *s = &in->splits[i];
        p->splits[i].backend = find(ctx, s);
        p->splits[i].percent = s->percent > 0 ? (unsigned)s->percent : 0;
        p->splits[i].set = own_fields(s->set_headers, s->n_set_headers, true);
        p->total += p->splits[i].percent;
    }
}

static void free_path(struct dp_route_path *p)
{
    free((char *)p->prefix.p);
    free((char *)p->rewrite_host.p);
    free_fields(&p->match);
    free_fields(&p->set);
    for (size_t i = 0; i < p->n_splits; i++) {
        dp_back_unref(p->splits[i].backend);
        free_fields(&p->splits[i].set);
    }
    free(p->splits);
}

static struct dp_route_host *host_of(struct dp_route_entry *in, const char *host)
{
    for (size_t i = 0; i < in->hosts.n; i++) {
        if (streq(in->hosts.p[i].host, host))
            return &in->hosts.p[i];
    }
    vec_push(&in->hosts, ((struct dp_route_host){.host = xstrdup(host)}));
    return &in->hosts.p[in->hosts.n - 1];
}

static char *lower(const char *s)
{
    char *t = xstrdup(s);

    for (char *p = t; *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
    return t;
}

static void add_hosts(struct dp_route_entry *to, struct dp_route_rule *r, const struct dp_rule *in)
{
    if (in->n_hosts == 0)
        vec_push(&host_of(to, "*")->rules, r);
    for (size_t i = 0; i < in->n_hosts; i++) {
        _cleanup_free_ char *host = lower(in->hosts[i]);
        vec_push(&host_of(to, host)->rules, r);
    }
}

struct dp_route_entry *
dp_route_entry_new(const struct dp_ingress *in,
                   struct dp_back *(*find)(void *ctx, const struct dp_split *key), void *ctx)
{
    struct dp_route_entry *to = xnew(struct dp_route_entry);

    atomic_init(&to->refs, 1);
    to->key = xstrdup(in->key);
    to->hash = xstrdup(in->hash);
    to->rules = xcalloc(in->n_rules, sizeof(struct dp_route_rule));
    to->n_rules = in->n_rules;
    for (size_t i = 0; i < in->n_rules; i++) {
        struct dp_route_rule *r = &to->rules[i];
        r->visibility = in->rules[i].visibility;
        r->redirect_https = in->rules[i].redirect_https;
        r->n_paths = in->rules[i].n_paths;
        r->paths = xcalloc(r->n_paths, sizeof(struct dp_route_path));
        for (size_t k = 0; k < r->n_paths; k++)
            make_path(&r->paths[k], &in->rules[i].paths[k], find, ctx);
        add_hosts(to, r, &in->rules[i]);
    }
    return to;
}

void dp_route_entry_unref(struct dp_route_entry *in)
{
    if (!in || atomic_fetch_sub(&in->refs, 1) != 1)
        return;
    for (size_t i = 0; i < in->n_rules; i++) {
        for (size_t k = 0; k < in->rules[i].n_paths; k++)
            free_path(&in->rules[i].paths[k]);
        free(in->rules[i].paths);
    }
    for (size_t i = 0; i < in->hosts.n; i++) {
        free(in->hosts.p[i].host);
        vec_done(&in->hosts.p[i].rules);
    }
    vec_done(&in->hosts);
    free(in->rules);
    free(in->key);
    free(in->hash);
    free(in);
}

struct dp_route_entry *dp_route_entry_ref(struct dp_route_entry *in)
{
    atomic_fetch_add_explicit(&in->refs, 1, memory_order_relaxed);
    return in;
}
