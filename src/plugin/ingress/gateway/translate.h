/* An Ingress in the words of the data plane. Pure. */
#ifndef NONAGON_PLUGIN_INGRESS_GATEWAY_TRANSLATE_H
#define NONAGON_PLUGIN_INGRESS_GATEWAY_TRANSLATE_H

#include "base/arena.h"
#include "dataplane/dataplane.h"
#include "kube/object.h"

/*
 * Everything in *ret lives in the arena or is borrowed from the object (and key, hash). Defaults
 * are applied here; the object is not changed. A split's Service is taken for the revision of that
 * name. -EINVAL for a spec that routes nowhere.
 */
int ingress_translate(const struct kobj *ingress, const char *key, const char *hash,
                      struct arena *a, struct dp_ingress *ret, struct err *e);

#endif
