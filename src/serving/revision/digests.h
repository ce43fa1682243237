/*
 * The book of running digest look-ups: per Revision which images are asked for, what came back, and
 * when a failed one may be tried again. The reconciler asks; answers come later and enqueue the
 * Revision. On the manager's loop.
 */
#ifndef NONAGON_SERVING_REVISION_DIGESTS_H
#define NONAGON_SERVING_REVISION_DIGESTS_H

#include "serving/serving_internal.h"

struct digest_book;
struct digest_book *digests_new(struct serving *s);
void digests_free(struct digest_book *b); /* look-ups under way end without effect */

enum digest_state {
    DIGESTS_READY,   /* `image_digest` answers for every container */
    DIGESTS_WAITING, /* asked; the Revision is enqueued when it is known more */
    DIGESTS_FAILED,  /* said once per failure; afterwards WAITING until the next try */
};
struct digest_answer {
    enum digest_state state;
    struct kmut *statuses; /* READY: an object with containerStatuses and initContainerStatuses; the
                              caller frees */
    char *image;           /* FAILED: which; the caller frees */
    struct err why;
    int64_t retry_ns; /* FAILED and WAITING: ask again after this long; -1 = not needed */
};
/* Starts what is not yet started. */
void digests_ask(struct digest_book *b, const struct kobj *revision, int64_t mono_ns,
                 struct digest_answer *ret);
/* The Revision is gone or has its digests. */
void digests_forget(struct digest_book *b, const char *key);

#endif
