/* The API server's own structure, for the files of this folder. Loop-thread only. */
#ifndef NONAGON_CLUSTER_APISERVER_SERVER_H
#define NONAGON_CLUSTER_APISERVER_SERVER_H

#include "cluster/apiserver/apiserver.h"
#include "cluster/apiserver/verbs/request.h"

struct boot;
struct crd_life;
struct apiserver {
    struct verb_env *env;
    char *version;
    const struct authenticator *authenticators;
    const struct authorizer *authorizer;
    struct boot *boot;
    struct crd_life *crds;
};

#endif
