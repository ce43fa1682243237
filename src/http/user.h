/*
 * Who asks: the identity that travels with a request, from whatever established it (a client
 * certificate, a token, the in-process caller) to whoever decides by it. The shape is that of
 * Kubernetes' user information: authentication.k8s.io/v1 UserInfo.
 *
 * All members are constant, so a known identity is written down as a static const structure; a copy
 * is one allocation and stands by itself.
 */
#ifndef NONAGON_HTTP_USER_H
#define NONAGON_HTTP_USER_H

#include <stdbool.h>
#include <stddef.h>

struct user_extra {
    const char *key;
    const char *const *values;
    size_t n;
};

struct user_info {
    const char *name; /* "" (or NULL) = nobody identified himself */
    const char *uid;  /* "" (or NULL) = none known */
    const char *const *groups;
    size_t n_groups;
    const struct user_extra *extra;
    size_t n_extra;
};

/* Nobody: every string empty, no groups. */
extern const struct user_info user_nobody;

/* NULL copies nobody. Missing strings become "". */
struct user_info *user_copy(const struct user_info *u);
void user_free(struct user_info *u);
bool user_in_group(const struct user_info *u, const char *group);
bool user_equal(const struct user_info *a, const struct user_info *b); /* order counts */

#endif
