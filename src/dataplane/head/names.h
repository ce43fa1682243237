/* What a field's name means to a proxy. */
#ifndef NONAGON_DATAPLANE_HEAD_NAMES_H
#define NONAGON_DATAPLANE_HEAD_NAMES_H

#include "dataplane/head/head.h"

enum dp_name {
    DP_NAME_PLAIN, /* passes */
    DP_NAME_HOP,   /* of one connection */
    DP_NAME_CONNECTION,
    DP_NAME_UPGRADE,
    DP_NAME_TE,
    DP_NAME_TRAILER,
    DP_NAME_PROXY_AUTH,
    DP_NAME_HOST,
    DP_NAME_FRAMING,
    DP_NAME_FORWARDED, /* Forwarded and every X-Forwarded-… */
    DP_NAME_KNATIVE,   /* K-… and Knative-Serving-… */
    DP_NAME_ROUTING,   /* names a revision to an activator */
};
enum dp_name dp_name_of(struct str name);

#endif
