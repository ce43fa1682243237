/* The tables that tools/make-unicode writes when the tree is built. */
#ifndef NONAGON_CLUSTER_APISERVER_PATTERN_UNICODE_H
#define NONAGON_CLUSTER_APISERVER_PATTERN_UNICODE_H

#include "cluster/apiserver/pattern/charset.h"

struct unicode_category {
    const char *name; /* two letters */
    const struct char_range *ranges;
    size_t n;
};
extern const struct unicode_category unicode_categories[]; /* ended by a NULL name */

/* Cases of one letter form a circle. */
struct unicode_fold {
    uint32_t c, next;
};
extern const struct unicode_fold unicode_folds[]; /* sorted by c */
extern const size_t unicode_folds_len;

#endif
