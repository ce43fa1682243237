/*
 * The nothing class: an Image is an intention that nobody carries out. Its promise is empty, so it
 * always holds: an Image of this class (by annotation, or without any, since this is the default
 * class) is Ready as soon as it is seen, with reason NothingToDo, so that whoever waits for Images
 * never waits for this class. Whether the image exists is not looked at. The class keeps no
 * finalizer and touches nothing but the status.
 *
 * On the manager's loop; made before manager_start, freed when its loop runs no more.
 */
#ifndef NONAGON_PLUGIN_IMAGECACHE_NOTHING_H
#define NONAGON_PLUGIN_IMAGECACHE_NOTHING_H

#include "kube/controller.h"

struct nothing;
struct nothing *nothing_new(struct manager *m);
void nothing_free(struct nothing *n);

/* reconcile_fn of Images of the class; ctx is not used. For table tests. */
void nothing_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p);

#endif
