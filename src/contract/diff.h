/* The differences of two documents as text for error messages: path, old value, new value. Pure. */
#ifndef NONAGON_CONTRACT_DIFF_H
#define NONAGON_CONTRACT_DIFF_H

#include "json/json.h"

/* One entry per differing leaf, at most `max` of them; malloc'ed, "" when equal. `title` begins
 * each path. */
char *json_diff(const char *title, const yyjson_val *before, const yyjson_val *after, size_t max);

#endif
