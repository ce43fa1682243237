/* Finding the backend of a request, and the answers that need none. */
#ifndef NONAGON_DATAPLANE_ROUTING_H
#define NONAGON_DATAPLANE_ROUTING_H

#include "dataplane/dp.h"

/* Sets c->backend and c->up_head and counts the request in, or has answered it and returns -1. */
int routing_start(struct client *c, const struct h1_head *head);
void routing_refuse_full(struct client *c);

#endif
