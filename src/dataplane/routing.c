/* Host and path to backend; probes, redirects and refusals are answered here. */
#include "dataplane/routing.h"

#include <stdio.h>
#include <string.h>

#define HOST_MAX 256

struct target {
    struct str host; /* as given, with port */
    struct str path; /* origin form, with query */
};

/* "http://host/path" names both; otherwise Host and the target do. */
static struct target target_of(const struct h1_head *head)
{
    struct target t = {http_get(&head->headers, "Host"), head->target};
    size_t at;

    if (!str_starts(head->target, STR("http://")) && !str_starts(head->target, STR("https://")))
        return t;
    size_t skip = head->target.p[4] == 's' ? 8 : 7;
    struct str rest = {head->target.p + skip, head->target.n - skip};
    if (!str_find(rest, '/', &at)) {
        t.host = rest;
        t.path = STR("/");
    } else {
        t.host = (struct str){rest.p, at};
        t.path = (struct str){rest.p + at, rest.n - at};
    }
    return t;
}

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

static int answer(struct client *c, int status, const char *extra, const char *body)
{
    client_reply(c, status, extra, body);
    return -1;
}

/* The hash says which configuration is live here; "override" asks for ours, anything else is
 * echoed. */
static int answer_probe(struct client *c, const struct h1_head *head, const struct ingress *in)
{
    struct str asked = http_get(&head->headers, "K-Network-Hash");
    char field[400];

    if (asked.n == 0 || str_eq(asked, STR("override")))
        asked = str_of(in->hash);
    if (asked.n > 256)
        return answer(c, 400, NULL, "the K-Network-Hash is too long\n");
    snprintf(field, sizeof(field), "K-Network-Hash: " STR_FMT "\r\n", STR_ARG(asked));
    return answer(c, 200, field, "");
}

static int redirect(struct client *c, struct str host, struct str path)
{
    char field[900];

    if (host.n + path.n > 800)
        return answer(c, 414, NULL, "the address is too long to redirect\n");
    snprintf(field, sizeof(field), "Location: https://" STR_FMT STR_FMT "\r\n", STR_ARG(host),
             STR_ARG(path));
    return answer(c, 301, field, "");
}

static int not_found(struct client *c, struct str host)
{
    char body[512];

    snprintf(body, sizeof(body), "no route for host \"%.*s\"\n", host.n < 300 ? (int)host.n : 300,
             host.p ? host.p : "");
    return answer(c, 404, NULL, body);
}

/* Replies must fit the buffers of client_reply: only hosts and paths checked above go into fields.
 */
static int find_by_host(struct client *c, const struct h1_head *head, const struct target *t,
                        struct route *r)
{
    char mem[HOST_MAX];
    struct str host = plain_host(t->host, mem), path = t->path;
    const struct ingress *owner;
    const struct rule *rule;
    size_t at;

    const struct ingress_host *ih = table_find(c->worker->table, host, &owner);
    if (!ih)
        return not_found(c, host);
    if (str_eq(http_get(&head->headers, "K-Network-Probe"), STR("probe")))
        return answer_probe(c, head, owner);
    if (str_find(path, '?', &at))
        path.n = at;
    r->rule_path = ingress_match(ih, c->door->visibility == DP_LOCAL, path, &head->headers, &rule);
    if (!r->rule_path)
        return not_found(c, host);
    if (rule->redirect_https && c->door->visibility == DP_EXTERNAL && !conn_is_tls(c->conn))
        return redirect(c, host, t->path);
    r->split = path_choose(r->rule_path);
    c->backend = r->split->backend;
    return 0;
}

static int unknown_revision(struct client *c, struct str name)
{
    char body[512];

    snprintf(body, sizeof(body),
             "Error getting active endpoint: revision.serving.knative.dev \"%.*s\" not found",
             name.n < 300 ? (int)name.n : 300, name.p ? name.p : "");
    return answer(c, 404, NULL, body);
}

static int activator_probe(struct client *c, const struct h1_head *head, struct str probe)
{
    struct str hash = http_get(&head->headers, "K-Network-Hash");
    char text[400];

    if (str_eq(probe, STR("activator")))
        return answer(c, 200, NULL, "activator");
    if (!str_eq(probe, STR("probe"))) {
        snprintf(text, sizeof(text), "unexpected probe header value: \"%.*s\"\n",
                 probe.n < 300 ? (int)probe.n : 300, probe.p);
        return answer(c, 400, NULL, text);
    }
    if (hash.n == 0 || hash.n > 256)
        return answer(c, 400, NULL,
                      "a probe request must contain a non-empty \"K-Network-Hash\" header\n");
    snprintf(text, sizeof(text), "K-Network-Hash: " STR_FMT "\r\n", STR_ARG(hash));
    return answer(c, 200, text, "");
}

/* As an activator: the ingress before us has chosen the revision and says so in headers. */
static int find_by_headers(struct client *c, const struct h1_head *head)
{
    struct str ns = http_get(&head->headers, "Knative-Serving-Namespace");
    struct str rev = http_get(&head->headers, "Knative-Serving-Revision");
    struct str probe = http_get(&head->headers, "K-Network-Probe");

    if (probe.n)
        return activator_probe(c, head, probe);
    c->backend = ns.n && rev.n ? worker_find_backend(c->worker, ns, rev) : NULL;
    return c->backend ? 0 : unknown_revision(c, rev);
}

int routing_start(struct client *c, const struct h1_head *head)
{
    struct target t = target_of(head);
    struct route r = {.host = t.host, .path = t.path};

    if (str_eq(head->method, STR("CONNECT"))) {
        c->keep_alive = false;
        return answer(c, 405, NULL, "CONNECT is not served here\n");
    }
    int rc = c->door->activator ? find_by_headers(c, head) : find_by_host(c, head, &t, &r);
    if (rc < 0)
        return rc;
    struct backend *b = c->backend;
    c->backend = NULL;
    if (head_write_request(c, head, &r) < 0)
        return answer(c, 431, NULL, "the request head is too large to be forwarded\n");
    c->want_timing = str_eq(http_get(&head->headers, "X-Nonagon-Server-Timing"), STR("1"));
    c->backend = b;
    backend_enter(c->worker, b);
    return 0;
}

void routing_refuse_full(struct client *c)
{
    const struct settings *s = backend_settings(c->backend, c->worker);
    char body[700];

    if (s && !backend_revision(c->backend, c->worker)) {
        snprintf(body, sizeof(body), "no endpoint of the service %.200s/%.200s can be reached\n",
                 c->backend->ns, c->backend->service);
        client_reply(c, 503, "Retry-After: 1\r\n", body);
        return;
    }
    if (s && s->n_pods > 0 && s->concurrency > 0) {
        client_reply(c, 503, "Retry-After: 1\r\n", "pending request queue full\n");
        return;
    }
    snprintf(body, sizeof(body),
             "too many requests wait for %.200s/%.200s to start (at most %d); try again\n",
             c->backend->ns, c->backend->service, LIMIT_QUEUE_REQUESTS);
    client_reply(c, 503, "Retry-After: 1\r\n", body);
}
