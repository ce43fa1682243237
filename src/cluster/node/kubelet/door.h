/*
 * What requests about pods hold on to instead of the node, which they may outlive: a way to run a
 * function on the node's loop, and to see that the node is gone.
 */
#ifndef NONAGON_NODE_DOOR_H
#define NONAGON_NODE_DOOR_H

#include "cluster/node/pod/pod.h"

struct kubelet_door;
struct kubelet_door *kubelet_door_open(struct loop *l, struct pod_table *pods);
/* On the node's loop, before the pods are freed: from then on there is no node. NULL: nothing. */
void kubelet_door_close(struct kubelet_door *d);
/* Any thread. */
struct kubelet_door *kubelet_door_ref(struct kubelet_door *d);
void kubelet_door_unref(struct kubelet_door *d);
/* Any thread: runs fn on the node's loop; false when there is none any more. */
bool kubelet_door_post(struct kubelet_door *d, void (*fn)(void *arg), void *arg);
/* Inside of such a function: the pods, or NULL once the node is gone. */
struct pod_table *kubelet_door_pods(struct kubelet_door *d);

#endif
