/*
 * Layout beneath the pod's directory:
 *     etc/{hosts,hostname,resolv.conf}   shared by its containers
 *     volumes/NAME/                      one per volume
 *     c/NAME/{upper,work,root,sub,config.json,pid,runtime.log,termination-log}
 * A container's directory serves all its attempts, one after the other.
 */
#include "cluster/node/container/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cluster/node/runtime/files.h"
#include "cluster/node/runtime/rootfs.h"

struct prepare *prepare_new(void)
{
    struct prepare *p = xnew(struct prepare);
    p->log_fd = -1;
    return p;
}

void prepare_free(struct prepare *p)
{
    if (!p)
        return;
    kobj_unref(p->pod);
    image_unref(p->image);
    env_done(&p->env);
    volumes_done(&p->volumes);
    free(p->pod_dir);
    free(p->dir);
    free(p->log_path);
    free(p->hosts);
    free(p->resolv_conf);
    free(p->netns);
    free(p->cgroup);
    closep(&p->log_fd);
    free(p);
}

static const yyjson_val *pod_spec(const struct prepare *p)
{
    return jget(kobj_root(p->pod), "spec");
}

static int64_t fs_group(const struct prepare *p)
{
    return jget_int(pod_spec(p), -1, "securityContext", "fsGroup");
}

static int write_etc(const struct prepare *p, const char *name, const char *text, struct err *e)
{
    _cleanup_free_ char *path = xasprintf("%s/etc/%s", p->pod_dir, name);
    return file_write(path, text, strlen(text), 0644, e);
}

/* Once per pod: what its containers share. */
static int make_shared(const struct prepare *p, struct err *e)
{
    _cleanup_free_ char *etc = xasprintf("%s/etc", p->pod_dir);
    _cleanup_free_ char *volumes = xasprintf("%s/volumes", p->pod_dir);
    char name[POD_HOSTNAME_LEN];
    env_hostname(kobj_root(p->pod), name);
    _cleanup_free_ char *hostname = xasprintf("%s\n", name);
    int r = files_mkdirs(etc, 0755, e);
    if (r == 0)
        r = write_etc(p, "hosts", p->hosts, e);
    if (r == 0)
        r = write_etc(p, "hostname", hostname, e);
    if (r == 0)
        r = write_etc(p, "resolv.conf", p->resolv_conf, e);
    return r == 0 ? volumes_make(&p->volumes, volumes, fs_group(p), e) : r;
}

static bool has_mount_at(const oci_mount_vec *m, const char *destination)
{
    for (size_t i = 0; i < m->n; i++)
        if (streq(m->p[i].destination, destination))
            return true;
    return false;
}

static void add_own(oci_mount_vec *m, const char *destination, char *source, bool read_only)
{
    if (has_mount_at(m, destination))
        free(source);
    else
        vec_push(m, ((struct oci_mount){xstrdup(destination), source, read_only}));
}

static int termination_log(const struct prepare *p, oci_mount_vec *m, struct err *e)
{
    const char *path = jget_str(p->container, "terminationMessagePath");
    _cleanup_free_ char *file = xasprintf("%s/termination-log", p->dir);
    int r = file_write(file, "", 0, 0666, e);
    if (r == 0)
        add_own(m, path ? path : "/dev/termination-log", steal(&file), false);
    return r;
}

static int collect_mounts(const struct prepare *p, oci_mount_vec *m, struct err *e)
{
    static const char *const etc[] = {"hosts", "hostname", "resolv.conf"};
    _cleanup_free_ char *volumes = xasprintf("%s/volumes", p->pod_dir);
    _cleanup_free_ char *sub = xasprintf("%s/sub", p->dir);
    bool read_only = jget_bool(p->container, false, "securityContext", "readOnlyRootFilesystem");
    int r = files_mkdirs(sub, 0755, e);
    if (r == 0)
        r = volumes_mounts(&p->volumes, volumes, sub, &p->env, p->container, m, e);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(etc); i++) {
        _cleanup_free_ char *destination = xasprintf("/etc/%s", etc[i]);
        add_own(m, destination, xasprintf("%s/etc/%s", p->pod_dir, etc[i]), read_only);
    }
    return r == 0 ? termination_log(p, m, e) : r;
}

static int resolve_user(const struct prepare *p, struct oci_user *ret, struct err *e)
{
    _cleanup_free_ char *passwd = rootfs_read(p->dir, "/etc/passwd");
    _cleanup_free_ char *group = rootfs_read(p->dir, "/etc/group");
    const char *user = jget_str(yyjson_doc_get_root(p->image->config), "config", "User");
    return oci_user_resolve(pod_spec(p), p->container, user, passwd, group, ret, e);
}

static int write_spec(const struct prepare *p, const struct oci_user *user,
                      const oci_mount_vec *mounts, struct err *e)
{
    _cleanup_free_ char *root = xasprintf("%s/root", p->dir);
    _cleanup_free_ char *path = xasprintf("%s/config.json", p->dir);
    struct oci_input in = {.pod = kobj_root(p->pod),
                           .container = p->container,
                           .image_config = yyjson_doc_get_root(p->image->config),
                           .env = &p->env,
                           .user = user,
                           .mounts = mounts->p,
                           .n_mounts = mounts->n,
                           .rootfs = root,
                           .netns = p->netns,
                           .cgroup = p->cgroup,
                           .node_memory = p->node_memory,
                           .max_files = p->max_files,
                           .may_protect = p->may_protect,
                           .cgroup_v2 = p->cgroup_v2};
    _cleanup_free_ char *text = oci_spec_build(&in, e);
    if (!text)
        return -EINVAL;
    return file_write(path, text, strlen(text), 0600, e);
}

static int make_spec(const struct prepare *p, struct err *e)
{
    struct oci_user user;
    oci_mount_vec mounts = {0};
    int r = resolve_user(p, &user, e);
    if (r < 0)
        return r;
    r = collect_mounts(p, &mounts, e);
    if (r == 0)
        r = write_spec(p, &user, &mounts, e);
    oci_mounts_done(&mounts);
    oci_user_done(&user);
    return r;
}

static int open_log(struct prepare *p, struct err *e)
{
    _cleanup_free_ char *folder = xstrdup(p->log_path);
    *strrchr(folder, '/') = 0;
    int r = files_mkdirs(folder, 0755, e);
    if (r < 0)
        return r;
    p->log_fd = open(p->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return p->log_fd < 0 ? err_sys(e, errno, "opening the log %s", p->log_path) : 0;
}

static int run(struct prepare *p, struct err *e)
{
    int r = files_mkdirs(p->dir, 0755, e);
    if (r == 0 && p->make_volumes)
        r = make_shared(p, e);
    if (r == 0)
        r = rootfs_mount(p->image->layers, p->image->n_layers, p->dir, e);
    if (r == 0)
        r = make_spec(p, e);
    return r == 0 ? open_log(p, e) : r;
}

void prepare_run(struct prepare *p)
{
    if (run(p, &p->err) < 0)
        rootfs_unmount(p->dir);
}
