/*
 * Where a request goes: immutable entries, one per Ingress, and each worker's table of hosts. host
 * (exact, case-insensitive) and listener visibility -> first path whose prefix and headers match ->
 * weighted split.
 */
#ifndef NONAGON_DATAPLANE_ROUTE_H
#define NONAGON_DATAPLANE_ROUTE_H

#include <stdatomic.h>

#include "base/vec.h"
#include "dataplane/base/config.h"
#include "dataplane/head/head.h"
#include "dataplane/up/up.h"

struct dp_fields {
    struct http_header *f;
    size_t n;
};
struct dp_route_split {
    struct dp_back *backend;
    unsigned percent;
    struct dp_fields set;
};
struct dp_route_path {
    struct str prefix;
    struct dp_fields match, set;
    struct str rewrite_host; /* n = 0: keep */
    struct dp_route_split *splits;
    size_t n_splits;
    unsigned total;
};
struct dp_route_rule {
    enum dp_visibility visibility;
    bool redirect_https;
    struct dp_route_path *paths;
    size_t n_paths;
};
struct dp_route_host { /* the rules of one ingress for one host */
    char *host;
    VEC(struct dp_route_rule *) rules;
};
struct dp_route_entry {
    atomic_uint refs;
    char *key, *hash;
    struct dp_route_rule *rules;
    size_t n_rules;
    VEC(struct dp_route_host) hosts;
};
/* find returns the backend with a reference. */
struct dp_route_entry *
dp_route_entry_new(const struct dp_ingress *in,
                   struct dp_back *(*find)(void *ctx, const struct dp_split *key), void *ctx);
struct dp_route_entry *dp_route_entry_ref(struct dp_route_entry *in);
void dp_route_entry_unref(struct dp_route_entry *in);

struct dp_table; /* worker: which ingress answers for which host */
struct dp_table *dp_table_new(void);
void dp_table_free(struct dp_table *t);
void dp_table_set(struct dp_table *t, struct dp_route_entry *in); /* takes a reference over */
void dp_table_remove(struct dp_table *t, const char *key);
/* The owner of a host (in lower case); NULL when nobody answers for it. */
const struct dp_route_host *dp_table_find(const struct dp_table *t, struct str host,
                                          const struct dp_route_entry **ret_owner);
/* path without query. */
const struct dp_route_path *dp_route_match(const struct dp_route_host *ih, bool local,
                                           struct str path, const struct dp_head *head,
                                           const struct dp_route_rule **ret_rule);
const struct dp_route_split *dp_route_choose(const struct dp_route_path *p);

#endif
