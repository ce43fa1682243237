/* The maxima of the data plane that can be met from outside. Sizes in bytes unless the name says
 * otherwise. */
#ifndef NONAGON_DATAPLANE_BASE_LIMITS_H
#define NONAGON_DATAPLANE_BASE_LIMITS_H

/* Heads, both ways; dp_opts may say otherwise. */
#define LIMIT_DP_HEAD        (128 * 1024)
#define LIMIT_DP_HEAD_FIELDS 1000
#define LIMIT_DP_CONNECTION  16 /* names that the Connection fields of one head may list */

/* Waiting */
#define LIMIT_DP_QUEUE            10000 /* of one revision with a containerConcurrency */
#define LIMIT_DP_QUEUE_BYTES      (64 * 1024 * 1024) /* of all waiting requests of one worker */
#define LIMIT_DP_QUEUE_BODY       (64 * 1024) /* of a waiting one before its reading is paused */
#define LIMIT_DP_QUEUE_PEER       7500        /* of one revision's queue from one client address */
#define LIMIT_DP_QUEUE_PEER_BYTES (48 * 1024 * 1024) /* of them, on one worker */

#define LIMIT_DP_REPLAY    (64 * 1024) /* body kept to send an idempotent request once more */
#define LIMIT_DP_PIPELINED (64 * 1024) /* read ahead of the request being answered */
#define LIMIT_DP_POD_IDLE  256         /* idle connections to one pod that one worker keeps */
#define LIMIT_DP_FORWARDED 4096        /* of a trusted proxy's list of addresses */

#endif
