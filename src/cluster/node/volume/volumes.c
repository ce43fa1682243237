/*
 * File volumes look like this, as kubelet's do:
 *     DIR/..data -> ..GENERATION      one symbolic link, replaced by rename
 *     DIR/..GENERATION/a/b            the files
 *     DIR/a -> ..data/a               one link per top-level name
 * Reading a/b while ..data is swapped gives the old or the new content, never half of each.
 */
#include "cluster/node/volume/volumes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rand.h"
#include "cluster/node/runtime/files.h"

static int open_beneath(int dir, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

/* ---- file volumes ---- */
static int write_one(const char *dir, const struct volume_file *file, int64_t group, struct err *e)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", dir, file->path);
    for (char *slash = strchr(path + strlen(dir) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return err_sys(e, errno, "making %s", path);
        *slash = '/';
    }
    int mode = group >= 0 ? file->mode | 0440 : file->mode;
    int r = file_write(path, file->data, file->n, mode, e);
    if (r == 0 && group >= 0 && chown(path, (uid_t)-1, (gid_t)group) < 0)
        return err_sys(e, errno, "giving %s to group %lld", path, (long long)group);
    return r;
}

static int write_generation(const struct volume *v, const char *dir, int64_t group, struct err *e)
{
    if (mkdir(dir, 0755) < 0)
        return err_sys(e, errno, "making %s", dir);
    for (size_t i = 0; i < v->files.n; i++) {
        int r = write_one(dir, &v->files.p[i], group, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int link_names(const struct volume *v, const char *dir, struct err *e)
{
    for (size_t i = 0; i < v->files.n; i++) {
        size_t n = strcspn(v->files.p[i].path, "/");
        _cleanup_free_ char *at = xasprintf("%s/%.*s", dir, (int)n, v->files.p[i].path);
        _cleanup_free_ char *to = xasprintf("..data/%.*s", (int)n, v->files.p[i].path);
        if (symlink(to, at) < 0 && errno != EEXIST)
            return err_sys(e, errno, "linking %s", at);
    }
    return 0;
}

/* Links whose file is gone, and the generations before `current`. */
static void drop_old(const char *dir, const char *current)
{
    DIR *d = opendir(dir);
    for (struct dirent *de; d && (de = readdir(d));) {
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, de->d_name);
        struct stat st;
        bool generation = !strncmp(de->d_name, "..", 2) && de->d_name[2];
        if (de->d_type == DT_LNK && !generation && stat(path, &st) < 0 && errno == ENOENT)
            unlink(path);
        if (de->d_type == DT_DIR && generation && !streq(de->d_name, current))
            (void)file_remove_tree(AT_FDCWD, path, NULL); /* again at the next change */
    }
    if (d)
        closedir(d);
}

static int make_files(const struct volume *v, const char *dir, int64_t group, struct err *e)
{
    char id[9] = "", name[16];
    rand_suffix(id, sizeof id - 1);
    snprintf(name, sizeof name, "..%s", id);
    _cleanup_free_ char *generation = xasprintf("%s/%s", dir, name);
    _cleanup_free_ char *next = xasprintf("%s/..data_next", dir);
    _cleanup_free_ char *data = xasprintf("%s/..data", dir);
    int r = write_generation(v, generation, group, e);
    if (r < 0)
        return r;
    unlink(next);
    if (symlink(name, next) < 0 || rename(next, data) < 0)
        return err_sys(e, errno, "publishing %s", data);
    r = link_names(v, dir, e);
    drop_old(dir, name);
    return r;
}

/* ---- the kinds ---- */
static int make_empty(const char *dir, int64_t group, struct err *e)
{
    mode_t mode = group >= 0 ? 02777 : 0777;
    if (chmod(dir, mode) < 0 || (group >= 0 && chown(dir, (uid_t)-1, (gid_t)group) < 0))
        return err_sys(e, errno, "setting the access of %s", dir);
    return 0;
}

static bool is_mounted(const char *dir)
{
    struct stat here, up;
    _cleanup_free_ char *parent = xasprintf("%s/..", dir);
    return stat(dir, &here) == 0 && stat(parent, &up) == 0 && here.st_dev != up.st_dev;
}

static int make_memory(const struct volume *v, const char *dir, int64_t group, struct err *e)
{
    char options[64] = "mode=777";
    if (v->size_limit > 0)
        snprintf(options, sizeof options, "mode=777,size=%lld", (long long)v->size_limit);
    if (is_mounted(dir))
        return 0;
    if (mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        return err_sys(e, errno, "mounting a tmpfs for volume %s", v->name);
    return make_empty(dir, group, e);
}

static int check_host(const struct volume *v, struct err *e)
{
    struct stat st;
    if (streq(v->host_type, "DirectoryOrCreate"))
        files_mkdirs(v->host_path, 0755, NULL);
    if (stat(v->host_path, &st) < 0)
        return err_sys(e, errno, "hostPath %s of volume %s", v->host_path, v->name);
    bool want_dir = z_starts(v->host_type, "Directory");
    bool want_file = streq(v->host_type, "File");
    if ((want_dir && !S_ISDIR(st.st_mode)) || (want_file && !S_ISREG(st.st_mode)))
        return err_set(e, -EINVAL, "hostPath %s of volume %s is not a %s", v->host_path, v->name,
                       v->host_type);
    return 0;
}

static int make_volume(const struct volume *v, const char *dir, int64_t group, struct err *e)
{
    if (v->kind == VOLUME_HOST)
        return check_host(v, e);
    int r = files_mkdirs(dir, 0755, e);
    if (r < 0)
        return r;
    if (v->kind == VOLUME_FILES)
        return make_files(v, dir, group, e);
    return v->kind == VOLUME_MEMORY ? make_memory(v, dir, group, e) : make_empty(dir, group, e);
}

int volumes_make(const struct volumes *v, const char *dir, int64_t group, struct err *e)
{
    for (size_t i = 0; i < v->v.n; i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, v->v.p[i].name);
        int r = make_volume(&v->v.p[i], path, group, e);
        if (r < 0)
            return r;
    }
    return 0;
}

int volumes_refresh(const struct volumes *v, const char *dir, int64_t group, struct err *e)
{
    for (size_t i = 0; i < v->v.n; i++) {
        if (v->v.p[i].kind != VOLUME_FILES)
            continue;
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, v->v.p[i].name);
        int r = make_files(&v->v.p[i], path, group, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- mounts ---- */
static const struct volume *find_volume(const struct volumes *v, const char *name)
{
    for (size_t i = 0; i < v->v.n; i++)
        if (streq(v->v.p[i].name, name))
            return &v->v.p[i];
    return NULL;
}

/* Opens path beneath dir, making directories that are missing. */
static int open_sub_path(int dir, const char *path)
{
    int fd = open_beneath(dir, path, O_PATH);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    _cleanup_close_ int at = dup(dir);
    struct str rest = str_of(path), part;
    while (at >= 0 && str_split(&rest, '/', &part)) {
        _cleanup_free_ char *name = xstrndup(part.p, part.n);
        if (!*name)
            continue;
        mkdirat(at, name, 0777);
        int next = open_beneath(at, name, O_PATH | O_DIRECTORY);
        close(at);
        at = next;
    }
    return steal_fd(&at);
}

/* Binds the resolved thing at a path of ours, which is what the runtime is then told. */
static int bind_sub_path(const char *base, const char *sub, const char *target, struct err *e)
{
    _cleanup_close_ int dir = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int fd = dir < 0 ? -1 : open_sub_path(dir, sub);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, errno, "resolving subPath %s", sub);
    umount2(target, MNT_DETACH);
    int r =
        S_ISDIR(st.st_mode) ? files_mkdirs(target, 0755, e) : file_write(target, "", 0, 0644, e);
    if (r < 0)
        return r;
    char source[64];
    snprintf(source, sizeof source, "/proc/thread-self/fd/%d", fd);
    if (mount(source, target, NULL, MS_BIND, NULL) < 0)
        return err_sys(e, errno, "binding subPath %s", sub);
    return 0;
}

static int mount_source(const struct volume *v, const char *dir, const char *sub,
                        const char *sub_target, char **ret, struct err *e)
{
    _cleanup_free_ char *base =
        v->kind == VOLUME_HOST ? xstrdup(v->host_path) : xasprintf("%s/%s", dir, v->name);
    if (!sub || !*sub) {
        *ret = steal(&base);
        return 0;
    }
    int r = bind_sub_path(base, sub, sub_target, e);
    if (r == 0)
        *ret = xstrdup(sub_target);
    return r;
}

static int add_mount(const struct volumes *v, const char *dir, const char *sub_target,
                     const struct env *env, const yyjson_val *m, oci_mount_vec *out, struct err *e)
{
    const char *name = jget_str(m, "name"), *path = jget_str(m, "mountPath");
    const struct volume *vol = find_volume(v, name);
    if (!vol || !path)
        return err_set(e, -EINVAL, "volumeMount %s names no volume of the pod",
                       name ? name : "(without a name)");
    const char *expr = jget_str(m, "subPathExpr");
    _cleanup_free_ char *sub = expr ? env_expand(env, expr) : xstrdup(jget_str(m, "subPath"));
    _cleanup_free_ char *source = NULL;
    int r = mount_source(vol, dir, sub, sub_target, &source, e);
    if (r < 0)
        return err_prefix(e, "volume %s", name);
    bool read_only = jget_bool(m, false, "readOnly") || vol->kind == VOLUME_FILES;
    _cleanup_free_ char *full = *path == '/' ? xstrdup(path) : xasprintf("/%s", path);
    vec_push(out, ((struct oci_mount){steal(&full), steal(&source), read_only}));
    return 0;
}

int volumes_mounts(const struct volumes *v, const char *dir, const char *sub_dir,
                   const struct env *env, const yyjson_val *container, oci_mount_vec *out,
                   struct err *e)
{
    size_t i, max;
    yyjson_val *m;
    yyjson_arr_foreach(jget(container, "volumeMounts"), i, max, m)
    {
        _cleanup_free_ char *target = xasprintf("%s/%zu", sub_dir, i);
        int r = add_mount(v, dir, target, env, m, out, e);
        if (r < 0)
            return r;
    }
    return 0;
}

void oci_mounts_done(oci_mount_vec *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->p[i].destination);
        free(m->p[i].source);
    }
    vec_done(m);
}
