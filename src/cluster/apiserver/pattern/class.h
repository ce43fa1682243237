/* The classes of a pattern: [^a-z[:alpha:]\pL…]. */
#ifndef NONAGON_CLUSTER_APISERVER_PATTERN_CLASS_H
#define NONAGON_CLUSTER_APISERVER_PATTERN_CLASS_H

#include "base/err.h"
#include "cluster/apiserver/pattern/charset.h"

/* *p is at the bracket and is moved behind its end; `fold` is whether case does not matter. */
int class_parse(const char **p, bool fold, struct charset *s, struct err *e);

#endif
