/*
 * Merge keys of built-in kinds for strategic merge patches, by the last field of the path and,
 * where that is not enough, the one before. Lists that are not named are replaced as a whole.
 */
#include "cluster/apiserver/core.h"

static const struct {
    const char *parent; /* NULL = any */
    const char *field, *key;
} table[] = {
    {NULL, "containers", "name"},
    {NULL, "initContainers", "name"},
    {NULL, "ephemeralContainers", "name"},
    {"containers", "ports", "containerPort"},
    {"initContainers", "ports", "containerPort"},
    {"spec", "ports", "port"},
    {NULL, "env", "name"},
    {NULL, "volumeMounts", "mountPath"},
    {NULL, "volumeDevices", "devicePath"},
    {NULL, "volumes", "name"},
    {NULL, "imagePullSecrets", "name"},
    {NULL, "hostAliases", "ip"},
    {NULL, "topologySpreadConstraints", "topologyKey"},
    {NULL, "ownerReferences", "uid"},
    {"metadata", "finalizers", ""},
    {"status", "conditions", "type"},
    {"status", "podIPs", "ip"},
    {"status", "addresses", "type"},
    {"spec", "taints", "key"},
    {"", "secrets", "name"},
};

static struct str last_of(const char *path, size_t n)
{
    size_t at = n;

    while (at > 0 && path[at - 1] != '.')
        at--;
    return (struct str){path + at, n - at};
}

const char *merge_key_of(void *ctx, const char *path)
{
    struct str field = last_of(path, strlen(path));
    size_t before = (size_t)(field.p - path);
    struct str parent = before ? last_of(path, before - 1) : STR("");

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (str_eq(field, str_of(table[i].field)) &&
            (!table[i].parent || str_eq(parent, str_of(table[i].parent))))
            return table[i].key;
    return NULL;
}
