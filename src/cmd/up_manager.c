/* A manager with its own in-process client, and the wait for its caches to be full. */
#include <stdio.h>

#include "base/mem.h"
#include "cmd/up.h"

void up_manager_open(struct up_manager *um, struct up_api *a, struct loop *l, const char *component)
{
    _cleanup_free_ char *user = xasprintf("system:nonagon:%s", component);

    sem_init(&um->synced, 0, 0);
    um->client = up_api_client(a, l, user);
    um->m = manager_new(l, um->client, component);
}

static void on_synced(void *ctx)
{
    struct up_manager *um = ctx;

    sem_post(&um->synced);
}

void up_manager_run(struct up_manager *um)
{
    manager_on_synced(um->m, on_synced, um);
    manager_start(um->m);
}

void up_manager_close(struct up_manager *um)
{
    if (um->m)
        manager_free(um->m);
    if (um->client)
        kube_client_free(um->client);
    um->m = NULL;
    um->client = NULL;
}
