/* What everybody may ask without saying who he is: whether the server is well, and its version. */
#ifndef NONAGON_CLUSTER_APISERVER_HEALTH_H
#define NONAGON_CLUSTER_APISERVER_HEALTH_H

#include "cluster/apiserver/server.h"

/* /healthz, /livez, /readyz[/CHECK][?verbose][&exclude=CHECK] */
void health_reply(struct apiserver *a, struct api_request *r);
/* /version */
void version_reply(struct apiserver *a, struct api_request *r);

#endif
