/*
 * How much of the server is in use, and by whom: requests under way with the bytes of their bodies,
 * and watches. A user may have half of what nobody else has taken, so that one who floods the
 * server leaves room for the others. Pure; loop-thread only.
 */
#ifndef NONAGON_CLUSTER_APISERVER_AUTH_SHARES_H
#define NONAGON_CLUSTER_APISERVER_AUTH_SHARES_H

#include <stddef.h>
#include <stdint.h>

#include "cluster/apiserver/request/status.h"

enum share_kind { SHARE_REQUEST, SHARE_WATCH, SHARE_MAX };

struct shares_limits {
    size_t most[SHARE_MAX]; /* at a time */
    int64_t bytes;          /* of all together */
};
struct shares;
struct shares *shares_new(const struct shares_limits *limits);
/* Shares that were taken may be given back later; the last one frees. */
void shares_free(struct shares *s);

/* What one request holds; all zero: nothing. */
struct share {
    struct shares *of;
    struct account *account;
    enum share_kind kind;
    int64_t bytes;
};
/* -1 with the status (429, with Retry-After) when there is no room. */
int share_take(struct shares *s, const char *user, enum share_kind kind, int64_t bytes,
               struct share *ret, struct api_status *st);
void share_give_back(struct share *h);

#endif
