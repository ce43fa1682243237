/*
 * The maxima that can be met from outside, in one place; those of a single file's inner working
 * stand in that file. Sizes in bytes unless the name says otherwise.
 */
#ifndef NONAGON_BASE_LIMITS_H
#define NONAGON_BASE_LIMITS_H

/* API objects and requests */
#define LIMIT_OBJECT       (1536 * 1024)     /* one stored object, as etcd's request limit */
#define LIMIT_API_BODY     (3 * 1024 * 1024) /* one request body */
#define LIMIT_API_RESPONSE (1024 * 1024 * 1024)
#define LIMIT_JSON_DEPTH   256
#define LIMIT_YAML_ALIASES 100 /* alias expansions in one document */
#define LIMIT_YAML_NODES   200000
#define LIMIT_PATCH_OPS    10000

/* Kubernetes client */
#define LIMIT_FIELD_NAMES      4096 /* object field names kept once per process */
#define LIMIT_SELECTOR_TERMS   1000
#define LIMIT_CACHE_TOMBSTONES 256  /* deletions that a cache remembers */
#define LIMIT_PLANS_IN_FLIGHT  16   /* keys of one controller with writes under way */
#define LIMIT_EVENTS_KNOWN     4096 /* event objects remembered for counting up */
#define LIMIT_EVENTS_BURST     25   /* events about one object before they are thinned out */

/* Images */
#define LIMIT_MANIFEST        (4 * 1024 * 1024)
#define LIMIT_LAYER_ENTRIES   2000000
#define LIMIT_LAYER_DIR_NAMES (256 * 1024 * 1024) /* of one layer while unpacking */
#define LIMIT_IMAGE_LAYERS    127 /* as in other engines; overlayfs itself allows 500 */
#define LIMIT_IMAGE_JOBS      3   /* downloads at a time; one thread of the pool stays free */
#define LIMIT_IMAGE_BYTES     (64LL * 1024 * 1024 * 1024)

/* Pods */
#define LIMIT_LOG_FILE        (10 * 1024 * 1024) /* per container; rotated once beyond it */
#define LIMIT_CONTAINER_PIDS  4096               /* processes and threads of one container */
#define LIMIT_CONTAINER_FILES 1048576            /* open files of one process, as Docker sets it */

#endif
