/* An Ingress in the words of the data plane. Pure. */
#ifndef NONAGON_PLUGIN_INGRESS_GATEWAY_TRANSLATE_H
#define NONAGON_PLUGIN_INGRESS_GATEWAY_TRANSLATE_H

#include "base/arena.h"
#include "dataplane/dataplane.h"
#include "kube/object.h"
#include "plugin/ingress/gateway/source.h"

/* What a split's Service and port are to the data plane; ret->service outlives the translation. */
struct translate_names {
    struct backend_key (*find)(void *ctx, const char *ns, const char *service,
                               const yyjson_val *port);
    void *ctx;
};

/*
 * Everything in *ret lives in the arena or is borrowed from the object (and key, hash, names).
 * Defaults are applied here; the object is not changed. -EINVAL for a spec that routes nowhere.
 */
int ingress_translate(const struct kobj *ingress, const char *key, const char *hash,
                      const struct translate_names *names, struct arena *a, struct dp_ingress *ret,
                      struct err *e);

#endif
