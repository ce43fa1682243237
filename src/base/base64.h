/* Standard base64 with padding (RFC 4648), as Secrets and kubeconfigs carry bytes. Pure. */
#ifndef NONAGON_BASE_BASE64_H
#define NONAGON_BASE_BASE64_H

#include <stdbool.h>

#include "base/buf.h"

int base64_add(struct buf *out, const void *p, size_t n); /* -E2BIG beyond the buffer's maximum */
bool base64_valid(const char *s);
/* The bytes of n letters, malloc'ed and with a NUL behind them; NULL when base64_valid would not
 * hold. ret_n may be NULL. */
char *base64_decode(const char *s, size_t n, size_t *ret_n);

#endif
