/* Reading a Revision's spec (also a template's spec): the values that controllers act on. Pure. */
#ifndef NONAGON_CONTRACT_REVISION_H
#define NONAGON_CONTRACT_REVISION_H

#include "kube/object.h"

#define SERVING_PORT_DEFAULT 8080

/* The container that has ports, or the first; NULL when there is none. `ret_index` may be NULL. */
yyjson_val *revision_serving_container(const yyjson_val *spec, size_t *ret_index);
int64_t revision_serving_port(const yyjson_val *spec);
const char *revision_protocol(const yyjson_val *spec);   /* "http1" or "h2c" */
int64_t revision_concurrency(const yyjson_val *spec);    /* 0 = no limit */
int64_t revision_timeout(const yyjson_val *spec);        /* seconds, 0 when unset */
size_t revision_container_count(const yyjson_val *spec); /* with init containers */

/* ---- routing state, an enum over a label ---- */
enum routing_state { ROUTING_UNSET, ROUTING_PENDING, ROUTING_ACTIVE, ROUTING_RESERVE };
enum routing_state revision_routing_state(const struct kobj *revision);
const char *routing_state_name(enum routing_state s); /* "" for unset */

#endif
