/*
 * Who asks: a chain of authenticators, each of which knows one kind of proof. The first that knows
 * the proof decides; a request without any is nobody's.
 */
#ifndef NONAGON_CLUSTER_APISERVER_AUTH_AUTHN_H
#define NONAGON_CLUSTER_APISERVER_AUTH_AUTHN_H

#include "cluster/apiserver/request/status.h"
#include "http/exchange.h"

#define GROUP_AUTHENTICATED "system:authenticated"

enum authn { AUTHN_UNKNOWN, AUTHN_KNOWN, AUTHN_REFUSED };
struct authenticator {
    const char *name;
    /* KNOWN: *ret_user is the caller's to free. REFUSED: the proof is there and is wrong. */
    enum authn (*authenticate)(void *ctx, const struct http_exchange *x,
                               struct user_info **ret_user);
    void *ctx;
};
/* Ended by one without a name. What the transport vouches for: a client certificate that was
 * verified, or the caller in this process. */
extern const struct authenticator authenticators_default[];

/* The user, with the group of all who are known; NULL with the status (401). */
struct user_info *authenticate(const struct authenticator *chain, const struct http_exchange *x,
                               struct api_status *st);

/* -1 with the status when the request wants to act as somebody else (Impersonate-User, -Uid,
 * -Group, -Extra-…): nobody may, and a request that went on as oneself would answer a question that
 * was not asked. */
int impersonation_refuse(const struct http_exchange *x, const struct user_info *u,
                         struct api_status *st);

#endif
