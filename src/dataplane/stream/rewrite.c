/*
 * The head as it goes to the pod. What clients say of themselves is overwritten: X-Forwarded-* and
 * Forwarded are made anew from what is known of the connection. Only a trusted proxy's word is
 * kept, and then the address of that proxy is put behind it, whatever does or does not fit.
 */
#include <assert.h>

#include "dataplane/head/names.h"
#include "dataplane/stream/impl.h"

struct forwarding {
    struct str host, proto; /* X-Forwarded-… of a trusted proxy */
    struct str given;       /* its Forwarded fields as one list */
    struct str list;        /* X-Forwarded-For of it */
};

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.n > 0;
}

/* Text that is made in the arena, of a length that is known to suffice. */
struct text {
    char *p;
    size_t n;
};

static void put(struct text *t, struct str s)
{
    if (s.n)
        memcpy(t->p + t->n, s.p, s.n);
    t->n += s.n;
}

/* RFC 7239 section 4: a value is a token or a quoted string. */
static void put_value(struct text *t, struct str s)
{
    if (is_token(s)) {
        put(t, s);
        return;
    }
    t->p[t->n++] = '"';
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            t->p[t->n++] = '\\';
        t->p[t->n++] = s.p[i];
    }
    t->p[t->n++] = '"';
}

/* RFC 7239 section 6: IPv6 addresses stand in brackets, and so in quotes. */
static void put_node(struct text *t, struct str node)
{
    size_t colon, rest;
    bool v6 = str_find(node, ':', &colon) && node.p[0] != '[' &&
              str_find((struct str){node.p + colon + 1, node.n - colon - 1}, ':', &rest);

    put(t, STR("for="));
    if (!v6) {
        put_value(t, node);
        return;
    }
    put(t, STR("\"["));
    for (size_t i = 0; i < node.n; i++) {
        if (node.p[i] != '"' && node.p[i] != '\\')
            t->p[t->n++] = node.p[i];
    }
    put(t, STR("]\""));
}

static void put_host_and_proto(struct text *t, const struct forwarding *f)
{
    put(t, STR(";host="));
    put_value(t, f->host);
    put(t, STR(";proto="));
    put_value(t, f->proto);
}

/* From the X-Forwarded fields: the first address carries host and proto, the others follow. */
static struct str make_forwarded(struct dp_stream *s, const struct forwarding *f, struct str list)
{
    struct str rest = list, ip;
    bool first = true;
    /* An address may be one byte and a comma, and becomes at most for="[…]" and a comma. */
    size_t most = f->given.n + 12 * list.n + 2 * (f->host.n + f->proto.n) + 64;
    struct text t = {arena_alloc(&s->arena, most), 0};

    if (f->given.n) { /* our own element follows theirs */
        put(&t, f->given);
        put(&t, STR(", "));
        rest = str_of(s->client->ip);
    }
    while (str_split(&rest, ',', &ip)) {
        if (!first)
            put(&t, STR(", "));
        put_node(&t, str_trim(ip));
        if (first && !f->given.n)
            put_host_and_proto(&t, f);
        first = false;
    }
    assert(t.n <= most);
    return (struct str){t.p, t.n};
}

/* One list more, unless that becomes too long: then what was there stays. */
static struct str join(struct dp_stream *s, struct str list, struct str more)
{
    if (more.n == 0 || list.n + more.n + 2 > LIMIT_DP_FORWARDED)
        return list;
    if (list.n == 0)
        return more;
    return str_of(arena_printf(&s->arena, STR_FMT ", " STR_FMT, STR_ARG(list), STR_ARG(more)));
}

/* Believes a trusted proxy. */
static void believe(struct dp_stream *s, struct forwarding *f, const struct http_header *h)
{
    if (str_ieq(h->name, STR("X-Forwarded-For")))
        f->list = join(s, f->list, h->value);
    else if (str_ieq(h->name, STR("X-Forwarded-Host")))
        f->host = h->value;
    else if (str_ieq(h->name, STR("X-Forwarded-Proto")))
        f->proto = h->value;
    else if (str_ieq(h->name, STR("Forwarded")))
        f->given = join(s, f->given, h->value);
}

static void add(struct dp_head *h, struct str name, struct str value)
{
    h->f[h->n++] = (struct http_header){name, value};
}

static void add_forwarding(struct dp_stream *s, struct dp_head *to, struct forwarding *f,
                           struct str host)
{
    struct str list = str_of(s->client->ip);

    if (f->list.n)
        list = str_of(arena_printf(&s->arena, STR_FMT ", %s", STR_ARG(f->list), s->client->ip));
    if (!f->host.n)
        f->host = host;
    if (!f->proto.n)
        f->proto = s->client->tls ? STR("https") : STR("http");
    add(to, STR("X-Forwarded-For"), list);
    add(to, STR("X-Forwarded-Host"), f->host);
    add(to, STR("X-Forwarded-Proto"), f->proto);
    add(to, STR("Forwarded"), make_forwarded(s, f, list));
}

static bool is_set(const struct dp_fields *fs, struct str name)
{
    for (size_t i = 0; fs && i < fs->n; i++) {
        if (str_ieq(fs->f[i].name, name))
            return true;
    }
    return false;
}

/* Of the proxies between here and there, not for the pod. */
static bool stops_here(struct str name)
{
    return str_ieq(name, STR("K-Network-Hash")) || str_ieq(name, STR("K-Original-Host"));
}

static void copy_fields(struct dp_stream *s, struct dp_head *to, struct forwarding *f,
                        const struct dp_fields *set1, const struct dp_fields *set2)
{
    bool trusted = dp_trust_has(s->w->trust, s->client->ip);

    for (size_t i = 0; i < s->head.n; i++) {
        const struct http_header *h = &s->head.f[i];
        enum dp_name name = dp_name_of(h->name);
        if (name == DP_NAME_FORWARDED && trusted)
            believe(s, f, h);
        if (name == DP_NAME_FORWARDED || name == DP_NAME_ROUTING)
            continue;
        if (name == DP_NAME_KNATIVE && stops_here(h->name))
            continue;
        if (!is_set(set1, h->name) && !is_set(set2, h->name))
            to->f[to->n++] = *h;
    }
}

static void add_all(struct dp_head *to, const struct dp_fields *fs)
{
    for (size_t i = 0; fs && i < fs->n; i++)
        to->f[to->n++] = fs->f[i];
}

static struct str host_for(struct dp_stream *s)
{
    if (s->path && s->path->rewrite_host.n)
        return s->path->rewrite_host;
    /* An ingress before an activator had moved it there. */
    struct str original =
        s->client->activator ? dp_head_get(&s->head, "K-Original-Host") : STR_NULL;
    return original.n ? original : s->head.authority;
}

void dp_stream_rewrite(struct dp_stream *s)
{
    const struct dp_fields *set1 = s->path ? &s->path->set : NULL;
    const struct dp_fields *set2 = s->split ? &s->split->set : NULL;
    size_t most = s->head.n + (set1 ? set1->n : 0) + (set2 ? set2->n : 0) + 5;
    struct dp_head to = s->head;
    struct forwarding f = {.list = STR_NULL};
    struct str host = s->head.authority;

    s->want_timing = str_eq(dp_head_get(&s->head, "X-Nonagon-Server-Timing"), STR("1"));
    to.f = arena_alloc(&s->arena, most * sizeof(*to.f));
    to.n = 0;
    to.authority = host_for(s);
    copy_fields(s, &to, &f, set1, set2);
    add_all(&to, set1);
    add_all(&to, set2);
    add_forwarding(s, &to, &f, host);
    if (s->path && s->path->rewrite_host.n && !is_set(set1, STR("K-Original-Host")))
        add(&to, STR("K-Original-Host"), host);
    s->head = to;
}
