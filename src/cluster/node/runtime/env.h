/*
 * The environment of a container: image, envFrom, env with its sources, and $(NAME) expansion by
 * the rules of Kubernetes. Pure: ConfigMaps and Secrets come through a look-up function. Any
 * thread.
 */
#ifndef NONAGON_NODE_ENV_H
#define NONAGON_NODE_ENV_H

#include "base/vec.h"
#include "kube/object.h"

struct env_var {
    char *name, *value;
};
struct env {
    VEC(struct env_var) v; /* in the order of first setting */
};

void env_set(struct env *env, const char *name, const char *value); /* replaces or appends */
const char *env_get(const struct env *env, const char *name);       /* NULL when absent */
void env_done(struct env *env);

/* The object's root, or NULL when there is none. */
typedef yyjson_val *env_lookup_fn(void *ctx, const struct kube_resource *r, const char *ns,
                                  const char *name);
struct pod_facts { /* what is known of a pod besides its object */
    const struct kobj *pod;
    const char *node_name, *host_ip, *pod_ip;
    int64_t node_cpu_milli, node_memory; /* what an absent limit means */
    env_lookup_fn *lookup;
    void *ctx;
};

/*
 * Fills an empty `ret`. -ENOENT names the missing ConfigMap, Secret or key; -EINVAL a field that
 * cannot be referred to. On failure `ret` is left empty.
 */
int env_build(const struct pod_facts *f, const yyjson_val *container,
              const yyjson_val *image_config, struct env *ret, struct err *e);

/* The host name in a pod: spec.hostname, or its name, cut to what the kernel takes. */
#define POD_HOSTNAME_LEN 64
void env_hostname(const yyjson_val *pod, char ret[static POD_HOSTNAME_LEN]);

/* Replaces $(NAME) of known names; "$$" stands for "$". malloc'ed. */
char *env_expand(const struct env *env, const char *text);

/* Value of a downward API field ("metadata.labels['x']", "status.podIP"), malloc'ed. */
int env_field(const struct pod_facts *f, const char *path, char **ret, struct err *e);
/* Value of a resourceFieldRef of a container (containerName in the reference wins when set). */
int env_resource(const struct pod_facts *f, const yyjson_val *container, const yyjson_val *ref,
                 char **ret, struct err *e);

/* One key of a ConfigMap (data, binaryData) or Secret (data); malloc'ed bytes, terminated. NULL: no
 * such key. */
char *env_config_value(const yyjson_val *object, const char *key, size_t *ret_n);

#endif
