/* The story of a start from zero, told to the trace sink. */
#ifndef NONAGON_DATAPLANE_UP_COLD_H
#define NONAGON_DATAPLANE_UP_COLD_H

#include "dataplane/up/up.h"

void dp_cold_began(struct dp_up *u, const struct dp_back *b); /* a request waits, no pod is there */
void dp_cold_served(struct dp_up *u, const struct dp_back *b); /* it goes to one */
/* The value of a Server-Timing field; "" when nothing is known. */
void dp_cold_timing(struct dp_up *u, const struct dp_back *b, char *ret, size_t n);

#endif
