/*
 * Forwarding between the pods and the rest, switched on for no more than that: the bridge, and the
 * interfaces by which pods reach other machines. Blocking; any thread, one at a time.
 */
#ifndef NONAGON_NODE_FORWARDING_H
#define NONAGON_NODE_FORWARDING_H

#include "base/err.h"
#include "base/vec.h"

/* Interfaces that forward because of us. */
typedef VEC(char *) forwarding_names;
void forwarding_names_done(forwarding_names *n);

/*
 * What is to forward besides the bridge: every interface with an IPv4 address that does not yet.
 * `ret` gets those and the ones that a process before switched on; it is empty where somebody made
 * the whole machine a router. It is written down here, before anything is switched, so that
 * forwarding_restore finds it after a crash.
 */
int forwarding_plan(const char *bridge, forwarding_names *ret, struct err *e);
/* Switches the bridge and these on. */
int forwarding_start(const char *bridge, const forwarding_names *names, struct err *e);
/* Puts back what was switched on for the bridge, unless the machine was made a router since. */
void forwarding_restore(const char *bridge);

#endif
