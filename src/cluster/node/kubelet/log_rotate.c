/* The files that containers write to are bounded by a look at them now and then. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "cluster/node/kubelet/logs.h"

static void rotate_work(void *arg)
{
    char *path = arg;
    _cleanup_free_ char *old = xasprintf("%s.1", path);
    _cleanup_close_ int from = open(path, O_RDWR | O_CLOEXEC);
    _cleanup_close_ int to = open(old, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct stat st;
    if (from < 0 || to < 0 || fstat(from, &st) < 0)
        return;
    /* Of a file that grew far beyond the limit only its end is kept. */
    off_t at = st.st_size > LIMIT_LOG_FILE ? st.st_size - LIMIT_LOG_FILE : 0;
    while (at < st.st_size && copy_file_range(from, &at, to, NULL, LIMIT_LOG_FILE, 0) > 0)
        continue;
    if (ftruncate(from, 0) < 0)
        return;
}

static void rotate_if_large(struct container *c)
{
    char *path = container_log(c, c->attempt);
    struct stat st;
    if (stat(path, &st) == 0 && st.st_size > LIMIT_LOG_FILE)
        runtime_worker_do(runtime_get_worker(c->box->env->runtime), rotate_work, free, path);
    else
        free(path);
}

static void rotate_pod(void *ctx, struct pod *p)
{
    size_t n;
    struct container *c = pod_containers(p, &n);
    for (size_t i = 0; i < n; i++)
        if (c[i].state == CT_RUNNING)
            rotate_if_large(&c[i]);
}

void kubelet_logs_rotate(struct pod_table *pods)
{
    pod_table_each(pods, rotate_pod, NULL);
}
