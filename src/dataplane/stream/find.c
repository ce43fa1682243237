/* Host and path to backend; probes, redirects and refusals are answered here. */
#include <stdio.h>

#include "dataplane/stream/impl.h"

#define HOST_MAX 256

/* Lower case, without port and without the dot of an absolute name. */
static struct str plain_host(struct str host, char *mem)
{
    size_t n = host.n < HOST_MAX ? host.n : 0;

    for (size_t i = 0; i < n; i++) {
        char ch = host.p[i];
        mem[i] = ch >= 'A' && ch <= 'Z' ? (char)(ch + 32) : ch;
    }
    size_t digits = n;
    while (digits > 0 && mem[digits - 1] >= '0' && mem[digits - 1] <= '9')
        digits--;
    if (digits > 0 && mem[digits - 1] == ':' && (mem[0] != '[' || mem[digits - 2] == ']'))
        n = digits - 1;
    if (n > 0 && mem[n - 1] == '.')
        n--;
    return (struct str){mem, n};
}

static int answer(struct dp_stream *s, int status, struct http_header extra, const char *text)
{
    dp_stream_reply(s, &(struct dp_reply){.status = status, .extra = extra, .text = text});
    return -1;
}

static const struct http_header nothing = {{NULL, 0}, {NULL, 0}};

/* The hash says which configuration is live here; "override" asks for ours, anything else is
 * echoed. */
static int answer_probe(struct dp_stream *s, const struct dp_route_entry *in)
{
    struct str asked = dp_head_get(&s->head, "K-Network-Hash");

    if (asked.n == 0 || str_eq(asked, STR("override")))
        asked = str_of(in->hash);
    if (asked.n > 256)
        return answer(s, 400, nothing, "the K-Network-Hash is too long\n");
    return answer(s, 200, (struct http_header){STR("K-Network-Hash"), asked}, "");
}

static int redirect(struct dp_stream *s, struct str host)
{
    struct str path = s->head.path;
    const char *slash = path.n == 0 || path.p[0] == '?' ? "/" : "";

    if (path.n > 8000)
        return answer(s, 414, nothing, "the address is too long to redirect\n");
    char *to = arena_printf(&s->arena, "https://" STR_FMT "%s" STR_FMT, STR_ARG(host), slash,
                            STR_ARG(path));

    return answer(s, 301, (struct http_header){STR("Location"), str_of(to)}, "");
}

static int not_found(struct dp_stream *s, struct str host)
{
    char text[512];

    snprintf(text, sizeof(text), "no route for host \"%.*s\"\n", host.n < 300 ? (int)host.n : 300,
             host.p ? host.p : "");
    return answer(s, 404, nothing, text);
}

static int find_by_host(struct dp_stream *s)
{
    char mem[HOST_MAX];
    struct str host = plain_host(s->head.authority, mem), path = s->head.path;
    const struct dp_route_entry *owner;
    const struct dp_route_rule *rule;
    size_t at;

    const struct dp_route_host *ih = dp_table_find(s->w->table, host, &owner);
    if (!ih)
        return not_found(s, host);
    if (str_eq(dp_head_get(&s->head, "K-Network-Probe"), STR("probe")))
        return answer_probe(s, owner);
    if (str_find(path, '?', &at))
        path.n = at;
    if (path.n == 0)
        path = STR("/");
    s->path = dp_route_match(ih, s->client->visibility == DP_LOCAL, path, &s->head, &rule);
    if (!s->path)
        return not_found(s, host);
    if (rule->redirect_https && s->client->visibility == DP_EXTERNAL && !s->client->tls)
        return redirect(s, host);
    s->split = dp_route_choose(s->path);
    s->back = s->split->backend;
    return 0;
}

static int unknown_revision(struct dp_stream *s, struct str name)
{
    char text[512];

    snprintf(text, sizeof(text),
             "Error getting active endpoint: revision.serving.knative.dev \"%.*s\" not found",
             name.n < 300 ? (int)name.n : 300, name.p ? name.p : "");
    return answer(s, 404, nothing, text);
}

static int activator_probe(struct dp_stream *s, struct str probe)
{
    struct str hash = dp_head_get(&s->head, "K-Network-Hash");
    char text[400];

    if (str_eq(probe, STR("activator")))
        return answer(s, 200, nothing, "activator");
    if (!str_eq(probe, STR("probe"))) {
        snprintf(text, sizeof(text), "unexpected probe header value: \"%.*s\"\n",
                 probe.n < 300 ? (int)probe.n : 300, probe.p);
        return answer(s, 400, nothing, text);
    }
    if (hash.n == 0 || hash.n > 256)
        return answer(s, 400, nothing,
                      "a probe request must contain a non-empty \"K-Network-Hash\" header\n");
    return answer(s, 200, (struct http_header){STR("K-Network-Hash"), hash}, "");
}

/* As an activator: the ingress before us has chosen the revision and says so in headers. */
static int find_by_headers(struct dp_stream *s)
{
    struct str ns = dp_head_get(&s->head, "Knative-Serving-Namespace");
    struct str rev = dp_head_get(&s->head, "Knative-Serving-Revision");
    struct str probe = dp_head_get(&s->head, "K-Network-Probe");

    if (probe.n)
        return activator_probe(s, probe);
    s->back = ns.n && rev.n ? dp_back_find(s->w->up, ns, rev) : NULL;
    return s->back ? 0 : unknown_revision(s, rev);
}

int dp_stream_find(struct dp_stream *s)
{
    if (str_eq(s->head.method, STR("CONNECT")))
        return answer(s, 405, nothing, "CONNECT is not served here\n");
    return s->client->activator ? find_by_headers(s) : find_by_host(s);
}
