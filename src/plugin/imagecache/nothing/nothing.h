/* The nothing class: an Image is an intention that nobody carries out; says so in its status. */
#ifndef NONAGON_PLUGIN_IMAGECACHE_NOTHING_H
#define NONAGON_PLUGIN_IMAGECACHE_NOTHING_H

#include "kube/controller.h"

struct nothing;
struct nothing *nothing_new(struct manager *m);
void nothing_free(struct nothing *n);

#endif
