/*
 * Regular expressions of CRDs: Go's syntax (RE2: https://github.com/google/re2/wiki/Syntax),
 * matched in time linear in program × text, whatever the pattern and whatever the text. There are
 * no back references and no look-around. Unicode classes are general categories (\pL, \p{Lu});
 * scripts are refused. A compiled pattern is immutable: any thread may match with it. Pure.
 */
#ifndef NONAGON_CLUSTER_APISERVER_PATTERN_PATTERN_H
#define NONAGON_CLUSTER_APISERVER_PATTERN_PATTERN_H

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define PATTERN_MAX_REPEAT 1000 /* {n,m}, and the product of nested ones: as in Go */
#define PATTERN_MAX_DEPTH  1000 /* nested groups: as in Go */

struct pattern;
/*
 * `room` is how many instructions (8 bytes each) may still be used; what this pattern takes is
 * subtracted, so that a caller with many patterns bounds them together. NULL with an error in Go's
 * words: -EINVAL for what Go refuses too, -ENOTSUP for what is not known here, -E2BIG for a pattern
 * that needs more room.
 */
struct pattern *pattern_compile(const char *text, size_t *room, struct err *e);
void pattern_free(struct pattern *p);
DEFINE_CLEANUP(struct pattern *, pattern_free)

enum pattern_result {
    PATTERN_NO,
    PATTERN_YES,
    PATTERN_TOO_COSTLY, /* the budget was not enough: neither yes nor no */
};
/*
 * Whether the pattern matches anywhere in the text (UTF-8). The work done is taken from the budget:
 * at most (code points + 1) × pattern_size steps, of which a core makes some hundred million in a
 * second.
 */
enum pattern_result pattern_search(const struct pattern *p, struct str text, uint64_t *budget);
size_t pattern_size(const struct pattern *p); /* instructions */

#endif
