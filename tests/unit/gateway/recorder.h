/* A data plane that only writes down what it is told, one line per call, and acknowledges when
 * asked to. */
#ifndef NONAGON_TESTS_UNIT_GATEWAY_RECORDER_H
#define NONAGON_TESTS_UNIT_GATEWAY_RECORDER_H

#include "dataplane/dataplane.h"

void recorder_reset(void);
/* The lines since the last call. */
const char *recorder_take(void);
/* Runs the oldest outstanding acknowledgement; false when there is none. */
bool recorder_apply(void);

#endif
