/*
 * DIR/pods/UID/state.json says which processes are a pod's, so that the next start of this program
 * can take them over. A process is known by its id and its start time in clock ticks, and only
 * within the same boot.
 */
#include <dirent.h>
#include <stdio.h>

#include "base/limits.h"
#include "cluster/node/pod/pod_impl.h"
#include "cluster/node/runtime/files.h"

const char *state_file_boot(void)
{
    static char id[40];
    if (!id[0]) {
        _cleanup_free_ char *text = file_read("/proc/sys/kernel/random/boot_id", 36, NULL);
        snprintf(id, sizeof id, "%s", text ? text : "unknown");
    }
    return id;
}

yyjson_doc *state_file_load(const char *data_dir, const char *uid)
{
    _cleanup_free_ char *path = xasprintf("%s/pods/%s/state.json", data_dir, uid);
    size_t size;
    _cleanup_free_ char *text = file_read(path, LIMIT_OBJECT, &size);
    return text ? json_parse(text, size, NULL) : NULL;
}

bool state_file_runs(const yyjson_val *root, const yyjson_val *container)
{
    pid_t pid = (pid_t)jget_int(container, 0, "pid");
    uint64_t start = (uint64_t)jget_int(container, 0, "pidStart");
    return pid > 1 && start && streq(jget_str(root, "boot"), state_file_boot()) &&
           runtime_process_start(pid) == start;
}

void state_file_each(const char *data_dir, const char *folder,
                     void (*fn)(void *ctx, const char *name), void *ctx)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", data_dir, folder);
    DIR *d = opendir(path);
    for (struct dirent *de; d && (de = readdir(d));)
        if (de->d_name[0] != '.')
            fn(ctx, de->d_name);
    if (d)
        closedir(d);
}
