/* The immutable entries: made from the caller's plain structures on the caller's thread,
 * reference-counted. */
#include <string.h>

#include "dataplane/dp.h"

/* ---- pods, settings, backends ---- */

struct pod *dp_pod_new(const struct dp_endpoint *ep, int workers)
{
    size_t n = sizeof(struct pod) + (size_t)workers * sizeof(struct pod_worker);
    struct pod *p = aligned_alloc(CACHE_LINE, (n + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);

    if (!p)
        abort();
    memset(p, 0, n);
    atomic_init(&p->refs, 1);
    p->ip = xstrdup(ep->ip);
    p->name = xstrdup(ep->pod);
    p->port = ep->port;
    for (int i = 0; i < workers; i++)
        list_init(&p->w[i].idle);
    return p;
}

struct pod *pod_ref(struct pod *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void pod_unref(struct pod *p)
{
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    free(p->ip);
    free(p->name);
    free(p);
}

void settings_unref(struct settings *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    for (size_t i = 0; i < s->n_pods; i++)
        pod_unref(s->pods[i]);
    free(s);
}

struct backend *backend_ref(struct backend *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void backend_unref(struct backend *b)
{
    if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
        return;
    settings_unref(b->current);
    for (int i = 0; i < b->n_workers; i++)
        settings_unref(b->w[i].set);
    for (size_t i = 0; i < b->left.n; i++)
        pod_unref(b->left.p[i]);
    vec_done(&b->left);
    free(b->ns);
    free(b->service);
    free(b->revision);
    free(b);
}

/* ---- ingresses ---- */

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

static struct fields own_fields(const struct dp_kv *kv, size_t n, bool drop_internal)
{
    struct fields fs = {.f = xcalloc(n, sizeof(struct field))};

    for (size_t i = 0; i < n; i++) {
        if (!drop_internal || !is_internal(kv[i].name))
            fs.f[fs.n++] = (struct field){own(str_of(kv[i].name)), own(str_of(kv[i].value))};
    }
    return fs;
}

static void free_fields(struct fields *fs)
{
    for (size_t i = 0; i < fs->n; i++) {
        free((char *)fs->f[i].name.p);
        free((char *)fs->f[i].value.p);
    }
    free(fs->f);
}

static void make_path(struct path *p, const struct dp_path *in,
                      struct backend *(*find)(void *ctx, const struct dp_split *key), void *ctx)
{
    p->prefix = own(str_of(in->prefix));
    p->match = own_fields(in->match_headers, in->n_match_headers, false);
    p->set = own_fields(in->set_headers, in->n_set_headers, true);
    p->rewrite_host = own(str_of(in->rewrite_host));
    p->splits = xcalloc(in->n_splits, sizeof(struct split));
    p->n_splits = in->n_splits;
    for (size_t i = 0; i < in->n_splits; i++) {
        const struct dp_split *s = &in->splits[i];
        p->splits[i].backend = find(ctx, s);
        p->splits[i].percent = s->percent > 0 ? (unsigned)s->percent : 0;
        p->splits[i].set = own_fields(s->set_headers, s->n_set_headers, true);
        p->total += p->splits[i].percent;
    }
}

static void free_path(struct path *p)
{
    free((char *)p->prefix.p);
    free((char *)p->rewrite_host.p);
    free_fields(&p->match);
    free_fields(&p->set);
    for (size_t i = 0; i < p->n_splits; i++) {
        backend_unref(p->splits[i].backend);
        free_fields(&p->splits[i].set);
    }
    free(p->splits);
}

static struct ingress_host *host_of(struct ingress *in, const char *host)
{
    for (size_t i = 0; i < in->hosts.n; i++) {
        if (streq(in->hosts.p[i].host, host))
            return &in->hosts.p[i];
    }
    vec_push(&in->hosts, ((struct ingress_host){.host = xstrdup(host)}));
    return &in->hosts.p[in->hosts.n - 1];
}

static char *lower(const char *s)
{
    char *t = xstrdup(s);

    for (char *p = t; *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
    return t;
}

static void add_hosts(struct ingress *to, struct rule *r, const struct dp_rule *in)
{
    if (in->n_hosts == 0)
        vec_push(&host_of(to, "*")->rules, r);
    for (size_t i = 0; i < in->n_hosts; i++) {
        _cleanup_free_ char *host = lower(in->hosts[i]);
        vec_push(&host_of(to, host)->rules, r);
    }
}

struct ingress *ingress_new(const struct dp_ingress *in,
                            struct backend *(*find)(void *ctx, const struct dp_split *key),
                            void *ctx)
{
    struct ingress *to = xnew(struct ingress);

    atomic_init(&to->refs, 1);
    to->key = xstrdup(in->key);
    to->hash = xstrdup(in->hash);
    to->rules = xcalloc(in->n_rules, sizeof(struct rule));
    to->n_rules = in->n_rules;
    for (size_t i = 0; i < in->n_rules; i++) {
        struct rule *r = &to->rules[i];
        r->visibility = in->rules[i].visibility;
        r->redirect_https = in->rules[i].redirect_https;
        r->n_paths = in->rules[i].n_paths;
        r->paths = xcalloc(r->n_paths, sizeof(struct path));
        for (size_t k = 0; k < r->n_paths; k++)
            make_path(&r->paths[k], &in->rules[i].paths[k], find, ctx);
        add_hosts(to, r, &in->rules[i]);
    }
    return to;
}

void ingress_unref(struct ingress *in)
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
