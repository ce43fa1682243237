/* The API server's maxima. Those that clients of it share are in base/limits.h. */
#ifndef NONAGON_CLUSTER_APISERVER_REQUEST_LIMITS_H
#define NONAGON_CLUSTER_APISERVER_REQUEST_LIMITS_H

#include "base/limits.h"

#define LIMIT_API_KINDS   4096              /* built in and from CRDs */
#define LIMIT_WATCH_QUEUE (8 * 1024 * 1024) /* unsent bytes before a watcher is dropped */

/* Of a client's spans of time: a hundred years. As nanoseconds they can be added to any clock. */
#define LIMIT_API_SECONDS (100LL * 365 * 86400)

/* ---- lists that are continued ---- */
#define LIMIT_SNAPSHOTS        64            /* at a time */
#define LIMIT_SNAPSHOT_BYTES   (256LL << 20) /* of the objects that they hold */
#define LIMIT_SNAPSHOT_SECONDS 300           /* from the first page on */

/* ---- requests under way: their answers wait for the disk, for a hook, for a slow reader ---- */
#define LIMIT_API_REQUESTS      8000
#define LIMIT_API_REQUEST_BYTES (256LL << 20) /* of their bodies */
#define LIMIT_API_WATCHES       20000
#define LIMIT_API_USERS         1024 /* told apart; what comes beyond shares one account */

#define LIMIT_BULK_IN_FLIGHT 256 /* writes of one bulk */
#define LIMIT_COLLECTION_ANSWER                                                                    \
    (64 << 20)                        /* of the deleted objects; beyond it they are not told       \
                                       */
#define LIMIT_LIST_STALL_MS 60000     /* that such a client may take nothing at all */
#define LIMIT_LIST_UNREAD   (1 << 20) /* bytes of a streamed list that a client leaves */

#endif
