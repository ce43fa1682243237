/* Reading and bounding what containers wrote. */
#ifndef NONAGON_NODE_LOGS_H
#define NONAGON_NODE_LOGS_H

#include "cluster/node/kubelet/door.h"
#include "http/exchange.h"

/* Answers a request for a pod's log, on the exchange's loop. */
void kubelet_pod_log(struct kubelet_door *door, struct http_exchange *x, const char *ns,
                     const char *pod);
void kubelet_logs_rotate(struct pod_table *pods); /* bounds every running container's file */

#endif
