/* HTTP message parts shared by codec, server and client. Strings are slices owned by whoever fills
 * them. */
#ifndef NONAGON_HTTP_MESSAGE_H
#define NONAGON_HTTP_MESSAGE_H

#include <stdbool.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/limits.h"

struct http_header {
    struct str name, value;
};

struct http_headers {
    struct http_header h[LIMIT_HTTP_HEADERS];
    size_t n;
};

/* First field of that name (case-insensitive), or STR_NULL. */
struct str http_get(const struct http_headers *hs, const char *name);
size_t http_count(const struct http_headers *hs, const char *name);
/* Adds a field; -E2BIG when full. The slices must outlive the set. */
int http_add(struct http_headers *hs, struct str name, struct str value);
void http_remove(struct http_headers *hs, const char *name); /* all of that name */
int http_replace(struct http_headers *hs, struct str name, struct str value);
/* True if the comma-separated field contains the token (case-insensitive). */
bool http_has_token(const struct http_headers *hs, const char *name, const char *token);
const char *http_reason(int status);
/* Decodes %XX in place (and '+' to space if plus); false on a bad escape or an encoded NUL. */
bool http_unescape(char *s, size_t *n, bool plus);
/* The decoded value of a query parameter into a malloc'ed string, NULL when absent. */
char *http_query_get(struct str query, const char *name);

#endif
