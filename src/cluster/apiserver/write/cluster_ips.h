/*
 * The pool of Services' cluster IPs, 10.96.0.0/12. An address is taken at the last step before the
 * store accepts the write; the pool learns of freed ones from the store's watch, so an address is
 * free only once the deletion is on disk.
 */
#ifndef NONAGON_CLUSTER_APISERVER_WRITE_CLUSTER_IPS_H
#define NONAGON_CLUSTER_APISERVER_WRITE_CLUSTER_IPS_H

#include "cluster/apiserver/schema/fields.h"
#include "cluster/store/store.h"
#include "kube/object.h"

struct cluster_ips;
struct cluster_ips *cluster_ips_new(struct store *s, struct err *e);
/* No change is learnt any more; addresses of writes in flight can still be given back. */
void cluster_ips_stop(struct cluster_ips *p);
void cluster_ips_free(struct cluster_ips *p);

/* Gives the Service its address: the one it asks for, or a free one. -1 with errors, or without any
 * when none is left. */
int cluster_ips_claim(struct cluster_ips *p, struct kmut *o, const yyjson_val *old,
                      struct field_errors *errs);
/* The write that an address was claimed for did not happen. */
void cluster_ips_release(struct cluster_ips *p, const yyjson_mut_val *o, const yyjson_val *old);

#endif
