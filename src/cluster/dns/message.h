/*
 * DNS messages (RFC 1035, EDNS of RFC 6891): reading a query, writing an answer to it, and finding
 * addresses in an answer from elsewhere. Pure and fuzzed.
 */
#ifndef NONAGON_CLUSTER_DNS_MESSAGE_H
#define NONAGON_CLUSTER_DNS_MESSAGE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_MAX_MESSAGE 65535
#define DNS_HEADER      12
#define DNS_NAME_TEXT   256 /* of a name as text, with its end */

enum dns_type {
    DNS_A = 1,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_AAAA = 28,
    DNS_OPT = 41,
    DNS_IXFR = 251,
    DNS_AXFR = 252,
    DNS_ANY = 255,
};
enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
    DNS_BADVERS = 16,
};

struct dns_query {
    uint16_t id, flags, type, class;
    char name[DNS_NAME_TEXT]; /* lower case, no dot at the end; bytes that are no host name's are
                                 '?' */
    const uint8_t *question;  /* as asked, in the message; n bytes */
    size_t question_n;
    bool edns;
    uint8_t edns_version;
    uint16_t udp_size; /* that the asker can take: 512 without EDNS */
};
/*
 * Returns DNS_NOERROR, or the code with which the query is to be refused (id and flags are set
 * then). Negative: not a query at all, to be dropped. The result points into the message.
 */
int dns_query_read(const uint8_t *p, size_t n, struct dns_query *ret);

/* ---- answers ---- */
struct dns_answer {
    uint8_t *p;
    size_t n, max;
    size_t limit; /* n must not exceed this; what does not fit sets the truncation bit */
    uint16_t answers, authorities;
    bool truncated;
};
/* Begins in the max bytes at p. limit: what the asker can take, at most max. */
void dns_answer_begin(struct dns_answer *a, uint8_t *p, size_t max, size_t limit,
                      const struct dns_query *q);
/* owner: 0 for the question's name, else the offset that dns_answer_cname returned. */
void dns_answer_a(struct dns_answer *a, size_t owner, uint32_t ttl, struct in_addr ip);
/* Returns the offset of the target, for records about it; 0 when it did not fit or is no name. */
size_t dns_answer_cname(struct dns_answer *a, size_t owner, uint32_t ttl, const char *target);
/* authority: for "no such name" and "no such record"; else as an answer. */
void dns_answer_soa(struct dns_answer *a, const char *domain, uint32_t ttl, bool authority);
/* Completes it; returns the length. */
size_t dns_answer_end(struct dns_answer *a, const struct dns_query *q, int rcode,
                      bool authoritative);
/* A whole answer without records. */
size_t dns_refuse(uint8_t *p, size_t max, const struct dns_query *q, int rcode);

/* ---- messages from and to other resolvers ---- */
/* A query of our own for the A records of name. Returns the length, 0 if it is no name. */
size_t dns_query_write(uint8_t *p, size_t max, uint16_t id, const char *name);
/* Is it the answer to this query: same id, same question to the letter? */
bool dns_is_answer_to(const uint8_t *p, size_t n, uint16_t id, const uint8_t *question,
                      size_t question_n);
/* The addresses in the answer section; returns how many, -1 when the message is malformed. */
int dns_addresses(const uint8_t *p, size_t n, struct in_addr *ret, int max);
int dns_rcode_of(const uint8_t *p, size_t n);

static inline uint16_t dns_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline void dns_put_u16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

#endif
