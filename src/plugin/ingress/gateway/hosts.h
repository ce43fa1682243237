/* Which Ingress has which host: two may not answer for the same. One thread. */
#ifndef NONAGON_PLUGIN_INGRESS_GATEWAY_HOSTS_H
#define NONAGON_PLUGIN_INGRESS_GATEWAY_HOSTS_H

#include "dataplane/dataplane.h"

struct host_table;
struct host_table *host_table_new(void);
void host_table_free(struct host_table *t);

/*
 * Gives the Ingress in->key the hosts of its rules and takes the others that it had. Fails,
 * changing nothing, if one of them belongs to another Ingress.
 */
int host_table_claim(struct host_table *t, const struct dp_ingress *in, struct err *e);
/* Takes all; true if it had any. */
bool host_table_release(struct host_table *t, const char *key);

#endif
