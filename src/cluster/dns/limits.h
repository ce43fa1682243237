/* The maxima of the pods' DNS. */
#ifndef NONAGON_CLUSTER_DNS_LIMITS_H
#define NONAGON_CLUSTER_DNS_LIMITS_H

#define LIMIT_DNS_PENDING        1000 /* queries waiting for another resolver */
#define LIMIT_DNS_PENDING_OF_ONE 100  /* of them, those of one address */
#define LIMIT_DNS_CLIENTS        100  /* TCP connections */

#endif
