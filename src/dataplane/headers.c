/*
 * Rewriting heads. Both directions copy what passes and leave out what belongs to one hop only;
 * towards the pod the forwarding fields are made anew. A field's fate is decided by its length
 * first, so most fields cost one switch. The parser has refused everything that could break a head,
 * so nothing is checked again here.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/coldtrace.h"
#include "dataplane/dp.h"

enum fate {
    PASS,
    DROP,
    FORWARDED_FOR,
    FORWARDED_HOST,
    FORWARDED_PROTO,
    FORWARDED,
};

static bool is(struct str s, const char *name)
{
    return str_ieq(s, (struct str){name, s.n});
}

static enum fate fate_of(struct str name, bool request)
{
    switch (name.n) {
    case 2:
        return is(name, "te") ? DROP : PASS;
    case 4:
        return request && is(name, "host") ? DROP : PASS;
    case 7:
        return is(name, "upgrade") || is(name, "trailer") ? DROP : PASS;
    case 9:
        return request && is(name, "forwarded") ? FORWARDED : PASS;
    case 10:
        return is(name, "connection") || is(name, "keep-alive") ? DROP : PASS;
    case 14:
        return request && is(name, "k-network-hash") ? DROP : PASS;
    case 15:
        if (request && is(name, "x-forwarded-for"))
            return FORWARDED_FOR;
        return request && is(name, "k-original-host") ? DROP : PASS;
    case 16:
        if (request && is(name, "x-forwarded-host"))
            return FORWARDED_HOST;
        return is(name, "proxy-connection") ? DROP : PASS;
    case 17:
        if (request && is(name, "x-forwarded-proto"))
            return FORWARDED_PROTO;
        return is(name, "transfer-encoding") ? DROP : PASS;
    case 18:
        return request && is(name, "proxy-authenticate") ? DROP : PASS;
    case 19:
        return request && is(name, "proxy-authorization") ? DROP : PASS;
    case 24:
        return request && is(name, "knative-serving-revision") ? DROP : PASS;
    case 25:
        return request && is(name, "knative-serving-namespace") ? DROP : PASS;
    }
    return PASS;
}

static void put(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

static char *copy(char *to, struct str s)
{
    if (s.n)
        memcpy(to, s.p, s.n);
    return to + s.n;
}

static void put_field(struct buf *b, struct str name, struct str value)
{
    size_t n = name.n + value.n + 4;

    if (buf_reserve(b, n) < 0)
        return;
    char *to = copy(b->p + b->n, name);
    to = copy(to, STR(": "));
    to = copy(to, value);
    copy(to, STR("\r\n"));
    b->n += n;
    b->p[b->n] = '\0';
}

/* Does Connection name this field? Most often it names none besides the usual. */
static struct str listed_fields(const struct http_headers *hs)
{
    struct str v = http_get(hs, "Connection");

    if (!v.n || str_ieq(v, STR("keep-alive")) || str_ieq(v, STR("close")) ||
        str_ieq(v, STR("upgrade")))
        return STR_NULL;
    return v;
}

static bool is_listed(struct str list, struct str name)
{
    struct str part;

    while (list.n && str_split(&list, ',', &part)) {
        if (str_ieq(str_trim(part), name))
            return true;
    }
    return false;
}

static bool is_set(const struct fields *fs, struct str name)
{
    for (size_t i = 0; i < fs->n; i++) {
        if (str_ieq(fs->f[i].name, name))
            return true;
    }
    return false;
}

/* ---- requests ---- */

struct forwarding {
    struct str host, proto; /* X-Forwarded-… as given */
    bool has_forwarded;
    char list[1024]; /* X-Forwarded-For with our peer added */
    size_t list_n;
};

static void list_add(struct forwarding *f, struct str s)
{
    size_t comma = f->list_n ? 2 : 0;

    if (f->list_n + comma + s.n > sizeof(f->list))
        return; /* a client that sends so much of it is not believed anyway */
    memcpy(f->list + f->list_n, ", ", comma);
    memcpy(f->list + f->list_n + comma, s.p, s.n);
    f->list_n += comma + s.n;
}

static void put_node(struct buf *b, struct str ip)
{
    size_t at;
    bool v6 = str_find(ip, ':', &at);

    put(b, v6 ? STR("for=\"[") : STR("for="));
    put(b, ip);
    if (v6)
        put(b, STR("]\""));
}

/* RFC 7239 from the X-Forwarded fields: the first address carries host and proto, the others
 * follow. */
static void put_forwarded(struct buf *b, const struct forwarding *f)
{
    struct str rest = {f->list, f->list_n}, ip;
    bool first = true;

    put(b, STR("Forwarded: "));
    while (str_split(&rest, ',', &ip)) {
        if (!first)
            put(b, STR(", "));
        put_node(b, str_trim(ip));
        if (first) {
            put(b, STR(";host="));
            put(b, f->host);
            put(b, STR(";proto="));
            put(b, f->proto);
        }
        first = false;
    }
    put(b, STR("\r\n"));
}

static void put_forwarding(struct client *c, struct buf *b, struct forwarding *f, struct str host)
{
    list_add(f, str_of(c->peer_ip));
    if (!f->host.n)
        f->host = host;
    if (!f->proto.n)
        f->proto = conn_is_tls(c->conn) ? STR("https") : STR("http");
    put_field(b, STR("X-Forwarded-For"), (struct str){f->list, f->list_n});
    put_field(b, STR("X-Forwarded-Host"), f->host);
    put_field(b, STR("X-Forwarded-Proto"), f->proto);
    if (!f->has_forwarded)
        put_forwarded(b, f);
}

static void put_set(struct buf *b, const struct fields *fs)
{
    for (size_t i = 0; i < fs->n; i++)
        put_field(b, fs->f[i].name, fs->f[i].value);
}

static void put_framing(struct client *c, struct buf *b, const struct h1_head *head)
{
    if (c->chunked_up)
        put(b, STR("Transfer-Encoding: chunked\r\n"));
    if (c->upgrade) {
        put(b, STR("Connection: Upgrade\r\n"));
        put_field(b, STR("Upgrade"), http_get(&head->headers, "Upgrade"));
    }
    put(b, STR("\r\n"));
}

static void copy_request_fields(struct buf *b, const struct h1_head *head, const struct route *r,
                                struct forwarding *f)
{
    static const struct fields none = {NULL, 0};
    const struct fields *set1 = r->rule_path ? &r->rule_path->set : &none;
    const struct fields *set2 = r->split ? &r->split->set : &none;
    struct str listed = listed_fields(&head->headers);

    for (size_t i = 0; i < head->headers.n; i++) {
        struct str name = head->headers.h[i].name, value = head->headers.h[i].value;
        enum fate fate = fate_of(name, true);
        if (fate == FORWARDED_FOR)
            list_add(f, value);
        else if (fate == FORWARDED_HOST)
            f->host = value;
        else if (fate == FORWARDED_PROTO)
            f->proto = value;
        else if (fate == FORWARDED)
            f->has_forwarded = true;
        if ((fate == PASS || fate == FORWARDED) && !is_set(set1, name) && !is_set(set2, name) &&
            !is_listed(listed, name))
            put_field(b, name, value);
    }
    put_set(b, set1);
    put_set(b, set2);
}

int head_write_request(struct client *c, const struct h1_head *head, const struct route *r)
{
    struct forwarding f = {.list_n = 0};
    struct str host = r->host, original = http_get(&head->headers, "K-Original-Host");
    struct buf *b = &c->up_head;
    bool rewrite = r->rule_path && r->rule_path->rewrite_host.n > 0;

    buf_clear(b);
    if (buf_reserve(b, head->target.n + 512) < 0)
        return -1;
    put(b, head->method);
    put(b, STR(" "));
    put(b, r->path);
    put(b, STR(" HTTP/1.1\r\n"));
    if (rewrite)
        host = r->rule_path->rewrite_host;
    else if (c->door->activator && original.n)
        host = original; /* an ingress before us had moved it there */
    put_field(b, STR("Host"), host);
    copy_request_fields(b, head, r, &f);
    put_forwarding(c, b, &f, r->host);
    if (rewrite && !is_set(&r->rule_path->set, STR("K-Original-Host")))
        put_field(b, STR("K-Original-Host"), r->host);
    put_framing(c, b, head);
    return str_ends(buf_str(b), STR("\r\n\r\n")) ? 0 : -1; /* -1: beyond the buffer's maximum */
}

/* ---- answers ---- */

static double ms_between(int64_t from, int64_t to)
{
    return from > 0 && to > from ? (double)(to - from) / (double)NS_PER_MS : 0;
}

static void put_server_timing(struct client *c, struct buf *b)
{
    int64_t t[COLD_STAGE_MAX];

    if (!c->backend || !backend_revision(c->backend, c->worker) ||
        !coldtrace_get(c->backend->ns, c->backend->revision, t))
        return;
    buf_addf(
        b,
        "Server-Timing: queue;dur=%.1f, decide;dur=%.1f, create;dur=%.1f, start;dur=%.1f, "
        "ready;dur=%.1f\r\n",
        ms_between(t[COLD_QUEUED], t[COLD_SERVED]), ms_between(t[COLD_QUEUED], t[COLD_DECIDED]),
        ms_between(t[COLD_DECIDED], t[COLD_CREATED]), ms_between(t[COLD_CREATED], t[COLD_STARTED]),
        ms_between(t[COLD_STARTED], t[COLD_READY]));
}

static void put_status(struct buf *b, const struct h1_head *head)
{
    char line[] = "HTTP/1.1 000 ";

    line[9] = (char)('0' + head->status / 100 % 10);
    line[10] = (char)('0' + head->status / 10 % 10);
    line[11] = (char)('0' + head->status % 10);
    buf_add(b, line, sizeof(line) - 1);
    put(b, head->reason);
    put(b, STR("\r\n"));
}

static void put_answer_framing(struct client *c, struct buf *b, const struct h1_head *head)
{
    if (head->status == 101) {
        put(b, STR("Connection: Upgrade\r\n"));
        put_field(b, STR("Upgrade"), http_get(&head->headers, "Upgrade"));
    } else if (head->status >= 200) {
        if (c->chunked_down)
            put(b, STR("Transfer-Encoding: chunked\r\n"));
        if (!c->keep_alive)
            put(b, STR("Connection: close\r\n"));
        else if (c->old)
            put(b, STR("Connection: keep-alive\r\n"));
        if (c->waited && c->want_timing)
            put_server_timing(c, b);
    }
    put(b, STR("\r\n"));
}

int head_write_response(struct client *c, const struct h1_head *head, struct buf *b)
{
    struct str listed = listed_fields(&head->headers);

    put_status(b, head);
    for (size_t i = 0; i < head->headers.n; i++) {
        struct str name = head->headers.h[i].name;
        if (fate_of(name, false) == PASS && !is_listed(listed, name))
            put_field(b, name, head->headers.h[i].value);
    }
    put_answer_framing(c, b, head);
    return str_ends(buf_str(b), STR("\r\n\r\n")) ? 0 : -1;
}

/* ---- bodies ---- */

bool output_body(struct output *o, const char *p, size_t n, bool chunked)
{
    if (o->n + 3 > (int)ARRAY_LEN(o->iov) - 2 || o->n_sizes == (int)ARRAY_LEN(o->sizes))
        return false;
    if (!chunked) {
        output_add(o, p, n);
        return true;
    }
    char *line = o->sizes[o->n_sizes++];
    output_add(o, line, (size_t)snprintf(line, sizeof(o->sizes[0]), "%zx\r\n", n));
    output_add(o, p, n);
    output_add(o, "\r\n", 2);
    return true;
}
