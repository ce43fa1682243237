/*
 * Gives memory back to the kernel after a flood. The C library keeps what was freed in the middle
 * of its heaps, and its thresholds grow with every large block that is freed: a process that once
 * held 160 MB of requests would hold them for ever. One trimmer serves the whole process.
 */
#ifndef NONAGON_NET_TRIMMER_H
#define NONAGON_NET_TRIMMER_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"

/* What is decided on; bytes. */
struct trim_state {
    int64_t idle; /* resident but not in use, as it was after the last trim */
};
/*
 * True when resident memory exceeds what is in use by so much more than the last trim could not
 * give back, that another one is worth its walk over the heaps.
 */
bool trim_wanted(struct trim_state *s, int64_t resident, int64_t in_use);
void trim_done(struct trim_state *s, int64_t resident, int64_t in_use);

struct trimmer;
/* Looks every ten seconds; the work is done on the thread pool. */
struct trimmer *trimmer_new(struct loop *l);
void trimmer_free(struct trimmer *t);

#endif
