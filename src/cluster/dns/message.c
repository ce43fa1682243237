/*
 * Every read is checked against the end of the message, and a compression pointer only ever ends a
 * name: names of other resolvers' answers are skipped, never followed. An answer repeats the
 * question as it came, so its case is kept.
 */
#include "cluster/dns/message.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define FLAG_QR       0x8000
#define FLAG_AA       0x0400
#define FLAG_TC       0x0200
#define FLAG_RD       0x0100
#define FLAG_RA       0x0080
#define FLAG_CD       0x0010
#define OPCODE(flags) ((flags) >> 11 & 15)
#define OPT_BYTES     11
#define POINTER       0xc000

/* ---- reading ---- */

static char host_char(uint8_t c)
{
    return isalnum(c) || c == '-' || c == '_' || c == '*' ? (char)tolower(c) : '?';
}

/* An uncompressed name at `at`, as text; returns the offset behind it, 0 when it is malformed. */
static size_t read_name(const uint8_t *p, size_t n, size_t at, char ret[static DNS_NAME_TEXT])
{
    size_t out = 0;

    for (;;) {
        if (at >= n || p[at] > 63)
            return 0;
        size_t len = p[at++];
        if (len == 0)
            break;
        if (len > n - at || out + len + 1 >= DNS_NAME_TEXT)
            return 0;
        if (out)
            ret[out++] = '.';
        for (size_t i = 0; i < len; i++)
            ret[out++] = host_char(p[at++]);
    }
    ret[out] = '\0';
    return at;
}

/* Also past compressed ones. */
static size_t skip_name(const uint8_t *p, size_t n, size_t at)
{
    while (at < n && p[at] != 0) {
        if (p[at] >= 0xc0)
            return at + 2 <= n ? at + 2 : 0;
        if (p[at] > 63)
            return 0;
        at += 1u + p[at];
    }
    return at < n ? at + 1 : 0;
}

struct record {
    uint16_t type, class;
    uint32_t ttl;
    size_t data, data_n, end;
};

static bool read_record(const uint8_t *p, size_t n, size_t at, struct record *r)
{
    at = skip_name(p, n, at);
    if (at == 0 || n - at < 10)
        return false;
    r->type = dns_u16(p + at);
    r->class = dns_u16(p + at + 2);
    r->ttl = (uint32_t)dns_u16(p + at + 4) << 16 | dns_u16(p + at + 6);
    r->data_n = dns_u16(p + at + 8);
    r->data = at + 10;
    r->end = r->data + r->data_n;
    return r->end <= n;
}

static int read_edns(const uint8_t *p, size_t n, size_t at, unsigned records, struct dns_query *q)
{
    for (unsigned i = 0; i < records; i++) {
        struct record r;
        if (!read_record(p, n, at, &r))
            return DNS_FORMERR;
        at = r.end;
        if (r.type != DNS_OPT)
            continue;
        if (q->edns)
            return DNS_FORMERR;
        q->edns = true;
        q->edns_version = r.ttl >> 16 & 255;
        q->udp_size = r.class < 512 ? 512 : r.class;
    }
    return q->edns_version ? DNS_BADVERS : DNS_NOERROR;
}

int dns_query_read(const uint8_t *p, size_t n, struct dns_query *q)
{
    memset(q, 0, sizeof(*q));
    q->udp_size = 512;
    if (n < DNS_HEADER || n > DNS_MAX_MESSAGE || dns_u16(p + 2) & FLAG_QR)
        return -1;
    q->id = dns_u16(p);
    q->flags = dns_u16(p + 2);
    if (OPCODE(q->flags) != 0)
        return DNS_NOTIMP;
    if (dns_u16(p + 4) != 1 || dns_u16(p + 6) != 0 || dns_u16(p + 8) != 0)
        return DNS_FORMERR;
    size_t at = read_name(p, n, DNS_HEADER, q->name);
    if (at == 0 || n - at < 4)
        return DNS_FORMERR;
    q->type = dns_u16(p + at);
    q->class = dns_u16(p + at + 2);
    q->question = p + DNS_HEADER;
    q->question_n = at + 4 - DNS_HEADER;
    return read_edns(p, n, at + 4, dns_u16(p + 10), q);
}

/* ---- writing ---- */

void dns_answer_begin(struct dns_answer *a, uint8_t *p, size_t max, size_t limit,
                      const struct dns_query *q)
{
    *a = (struct dns_answer){.p = p, .max = max, .limit = limit < max ? limit : max};
    if (q->edns)
        a->limit -= OPT_BYTES;
    memset(p, 0, DNS_HEADER);
    if (q->question)
        memcpy(p + DNS_HEADER, q->question, q->question_n);
    a->n = DNS_HEADER + q->question_n;
}

/* Room for n bytes, or the answer is cut. */
static uint8_t *room(struct dns_answer *a, size_t n)
{
    if (a->truncated || a->n + n > a->limit) {
        a->truncated = true;
        return NULL;
    }
    a->n += n;
    return a->p + a->n - n;
}

static void put_u32(uint8_t *p, uint32_t v)
{
    dns_put_u16(p, v >> 16);
    dns_put_u16(p + 2, v & 0xffff);
}

/* The fixed part; the owner is always a pointer. */
static void put_record(uint8_t *p, size_t owner, unsigned type, uint32_t ttl, size_t data_n)
{
    dns_put_u16(p, POINTER | (unsigned)(owner ? owner : DNS_HEADER));
    dns_put_u16(p + 2, type);
    dns_put_u16(p + 4, 1);
    put_u32(p + 6, ttl);
    dns_put_u16(p + 10, (unsigned)data_n);
}

void dns_answer_a(struct dns_answer *a, size_t owner, uint32_t ttl, struct in_addr ip)
{
    uint8_t *p = room(a, 16);

    if (!p)
        return;
    put_record(p, owner, DNS_A, ttl, 4);
    memcpy(p + 12, &ip, 4);
    a->answers++;
}

/* Text to wire form; 0 when it is no name. */
static size_t put_name(uint8_t ret[static 256], const char *text)
{
    size_t n = 0;

    while (*text) {
        const char *dot = strchr(text, '.');
        size_t len = dot ? (size_t)(dot - text) : strlen(text);
        if (len == 0 || len > 63 || n + len + 2 > 255)
            return 0;
        ret[n++] = (uint8_t)len;
        memcpy(ret + n, text, len);
        n += len;
        text += len + (dot ? 1 : 0);
    }
    ret[n++] = 0;
    return n;
}

size_t dns_answer_cname(struct dns_answer *a, size_t owner, uint32_t ttl, const char *target)
{
    uint8_t name[256];
    size_t n = put_name(name, target);
    /* A pointer reaches only the first 16 KiB. */
    uint8_t *p = n && a->n < 0x3f00 ? room(a, 12 + n) : NULL;

    if (!p)
        return 0;
    put_record(p, owner, DNS_CNAME, ttl, n);
    memcpy(p + 12, name, n);
    a->answers++;
    return (size_t)(p - a->p) + 12;
}

void dns_answer_soa(struct dns_answer *a, const char *domain, uint32_t ttl, bool authority)
{
    static const char mname[] = "\2ns\3dns", rname[] = "\12hostmaster";
    uint8_t zone[256];
    size_t zone_n = put_name(zone, domain);
    size_t data_n = sizeof(mname) - 1 + sizeof(rname) - 1 + 2 * zone_n + 20;
    uint8_t *p = zone_n ? room(a, zone_n + 10 + data_n) : NULL;

    if (!p)
        return;
    memcpy(p, zone, zone_n);
    p += zone_n;
    dns_put_u16(p, DNS_SOA);
    dns_put_u16(p + 2, 1);
    put_u32(p + 4, ttl);
    dns_put_u16(p + 8, (unsigned)data_n);
    p += 10;
    memcpy(p, mname, sizeof(mname) - 1);
    memcpy(p += sizeof(mname) - 1, zone, zone_n);
    memcpy(p += zone_n, rname, sizeof(rname) - 1);
    memcpy(p += sizeof(rname) - 1, zone, zone_n);
    p += zone_n;
    static const uint32_t numbers[] = {1, 7200, 1800, 86400}; /* serial, refresh, retry, expire */
    for (int i = 0; i < 4; i++, p += 4)
        put_u32(p, numbers[i]);
    put_u32(p, ttl); /* how long "there is none" may be remembered */
    if (authority)
        a->authorities++;
    else
        a->answers++;
}

size_t dns_answer_end(struct dns_answer *a, const struct dns_query *q, int rcode,
                      bool authoritative)
{
    uint8_t *p = a->p;
    unsigned flags =
        FLAG_QR | FLAG_RA | (q->flags & (FLAG_RD | FLAG_CD | 0x7800)) | ((unsigned)rcode & 15);

    if (authoritative)
        flags |= FLAG_AA;
    if (a->truncated)
        flags |= FLAG_TC;
    dns_put_u16(p, q->id);
    dns_put_u16(p + 2, flags);
    dns_put_u16(p + 4, q->question ? 1 : 0);
    dns_put_u16(p + 6, a->answers);
    dns_put_u16(p + 8, a->authorities);
    dns_put_u16(p + 10, q->edns ? 1 : 0);
    if (q->edns) {
        uint8_t *opt = p + a->n;
        memset(opt, 0, OPT_BYTES);
        dns_put_u16(opt + 1, DNS_OPT);
        dns_put_u16(opt + 3, 1232);
        opt[5] = (uint8_t)(rcode >> 4);
        a->n += OPT_BYTES;
    }
    return a->n;
}

size_t dns_refuse(uint8_t *p, size_t max, const struct dns_query *q, int rcode)
{
    struct dns_answer a;

    dns_answer_begin(&a, p, max, max, q);
    return dns_answer_end(&a, q, rcode, false);
}

/* ---- other resolvers ---- */

size_t dns_query_write(uint8_t *p, size_t max, uint16_t id, const char *name)
{
    uint8_t wire[256];
    size_t n = put_name(wire, name);

    if (n == 0 || DNS_HEADER + n + 4 > max)
        return 0;
    memset(p, 0, DNS_HEADER);
    dns_put_u16(p, id);
    dns_put_u16(p + 2, FLAG_RD);
    dns_put_u16(p + 4, 1);
    memcpy(p + DNS_HEADER, wire, n);
    dns_put_u16(p + DNS_HEADER + n, DNS_A);
    dns_put_u16(p + DNS_HEADER + n + 2, 1);
    return DNS_HEADER + n + 4;
}

bool dns_is_answer_to(const uint8_t *p, size_t n, uint16_t id, const uint8_t *question,
                      size_t question_n)
{
    return n >= DNS_HEADER + question_n && dns_u16(p) == id && dns_u16(p + 2) & FLAG_QR &&
           dns_u16(p + 4) == 1 && memcmp(p + DNS_HEADER, question, question_n) == 0;
}

int dns_rcode_of(const uint8_t *p, size_t n)
{
    return n >= DNS_HEADER ? p[3] & 15 : DNS_SERVFAIL;
}

int dns_addresses(const uint8_t *p, size_t n, struct in_addr *ret, int max)
{
    int found = 0;

    if (n < DNS_HEADER)
        return -1;
    size_t at = DNS_HEADER;
    for (unsigned i = 0; i < dns_u16(p + 4); i++) {
        at = skip_name(p, n, at);
        if (at == 0 || n - at < 4)
            return -1;
        at += 4;
    }
    for (unsigned i = 0; i < dns_u16(p + 6) && found < max; i++) {
        struct record r;
        if (!read_record(p, n, at, &r))
            return -1;
        if (r.type == DNS_A && r.class == 1 && r.data_n == 4)
            memcpy(&ret[found++], p + r.data, 4);
        at = r.end;
    }
    return found;
}
