/* What a backslash means in a pattern, and the code points of its text. Each moves *p on. */
#ifndef NONAGON_CLUSTER_APISERVER_PATTERN_ESCAPE_H
#define NONAGON_CLUSTER_APISERVER_PATTERN_ESCAPE_H

#include "base/err.h"
#include "cluster/apiserver/pattern/charset.h"

/* The next code point of UTF-8 text that is not at its end. */
int escape_rune(const char **p, uint32_t *ret, struct err *e);
/* \n, \x41, \., …: an escape that stands for one code point. */
int escape_char(const char **p, uint32_t *ret, struct err *e);
/* \d, \W, \pL, \P{Lu}, …: 1 with the class added, 0 when it is none of these, negative on an error.
 */
int escape_class(const char **p, bool fold, struct charset *s, struct err *e);

#endif
