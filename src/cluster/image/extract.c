/*
 * Each entry is split into a parent directory, resolved beneath the root, and one last name, which
 * is only ever used with calls that do not follow a link. So the worst a name can do is to land
 * elsewhere in the same layer.
 *
 * A later entry replaces an earlier one of the same name (a directory over a directory keeps its
 * content). A whiteout next to an entry of the same name in the same layer hides only what lies
 * below the layer: for a directory that is an opaque mark.
 */
#include "cluster/image/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/str.h"
#include "cluster/image/tree.h"

struct place { /* where an entry goes */
    char path[PATH_MAX];
    const char *name; /* last part, inside path */
    int dir;          /* of the parent; owned by the extract */
};

void extract_init(struct extract *x, int root, const struct layer_limits *limits)
{
    memset(x, 0, sizeof(*x));
    x->root = root;
    x->limits = limits;
    x->parent = -1;
}

static void forget_parent(struct extract *x)
{
    closep(&x->parent);
    x->parent_path[0] = '\0';
}

void extract_done(struct extract *x)
{
    forget_parent(x);
    for (size_t i = 0; i < x->dirs.n; i++)
        free(x->dirs.p[i].path);
    vec_done(&x->dirs);
}

static int fail(struct err *err, const struct place *p, int errnum, const char *what)
{
    return err_sys(err, errnum, "cannot %s \"%s\"", what, tree_show(p->path).text);
}

static int refuse(struct err *err, const char *path, const char *why)
{
    return err_set(err, -EBADMSG, "\"%s\": %s", tree_show(path).text, why);
}

/* Entries of one directory follow each other, so the last parent is kept open. */
static int find_parent(struct extract *x, struct place *p, struct err *err)
{
    size_t n = p->name > p->path ? (size_t)(p->name - p->path) - 1 : 0;
    char parent[PATH_MAX];

    memcpy(parent, p->path, n);
    parent[n] = '\0';
    if (x->parent < 0 || !streq(parent, x->parent_path)) {
        forget_parent(x);
        x->parent = tree_open_dir(x->root, parent, true, err);
        if (x->parent < 0)
            return x->parent;
        memcpy(x->parent_path, parent, n + 1);
    }
    p->dir = x->parent;
    return 0;
}

static int count_bytes(struct extract *x, int64_t n, const char *path, struct err *err)
{
    if (n < 0 || n > x->limits->max_bytes - x->bytes)
        return err_set(err, -EFBIG, "\"%s\": the layer unpacks to more than %lld bytes",
                       tree_show(path).text, (long long)x->limits->max_bytes);
    x->bytes += n;
    return 0;
}

/* Takes away what an earlier entry left under the name. */
static int make_room(const struct place *p, struct err *err)
{
    struct stat st;

    if (fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : fail(err, p, errno, "look at");
    int rc = tree_remove(p->dir, p->name);
    return rc < 0 ? fail(err, p, -rc, "replace") : 0;
}

/* ---- attributes ---- */

static bool attribute_kept(const char *name)
{
    return streq(name, "security.capability") ||
           (z_starts(name, "user.") && !z_starts(name, "user.overlay."));
}

static int set_attributes(int fd, const struct place *p, struct archive_entry *e, struct err *err)
{
    const char *name;
    const void *value;
    size_t n;

    archive_entry_xattr_reset(e);
    while (archive_entry_xattr_next(e, &name, &value, &n) == ARCHIVE_OK)
        if (name && attribute_kept(name) && fsetxattr(fd, name, value, n, 0) < 0 &&
            errno != ENOTSUP)
            return fail(err, p, errno, "set an extended attribute of");
    return 0;
}

static struct timespec mtime_of(struct archive_entry *e)
{
    return (struct timespec){archive_entry_mtime(e), archive_entry_mtime_nsec(e)};
}

static int owner_of(struct archive_entry *e, const struct place *p, uid_t *ret_uid, gid_t *ret_gid,
                    struct err *err)
{
    int64_t uid = archive_entry_uid(e), gid = archive_entry_gid(e);

    if (uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
        return refuse(err, p->path, "the owner is out of range");
    *ret_uid = (uid_t)uid;
    *ret_gid = (gid_t)gid;
    return 0;
}

/* Owner first: a change of owner clears setuid bits and capabilities. */
static int set_metadata(int fd, const struct place *p, struct archive_entry *e, struct err *err)
{
    uid_t uid = 0;
    gid_t gid = 0;

    if (owner_of(e, p, &uid, &gid, err) < 0)
        return -EBADMSG;
    if (fchown(fd, uid, gid) < 0)
        return fail(err, p, errno, "set the owner of");
    if (fchmod(fd, archive_entry_perm(e)) < 0)
        return fail(err, p, errno, "set the mode of");
    return set_attributes(fd, p, e, err);
}

static int set_metadata_nofollow(const struct place *p, struct archive_entry *e, struct err *err)
{
    struct timespec times[2] = {mtime_of(e), mtime_of(e)};
    uid_t uid = 0;
    gid_t gid = 0;

    if (owner_of(e, p, &uid, &gid, err) < 0)
        return -EBADMSG;
    if (fchownat(p->dir, p->name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(err, p, errno, "set the owner of");
    if (utimensat(p->dir, p->name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(err, p, errno, "set the time of");
    return 0;
}

/* ---- kinds of entries ---- */

static int write_block(int fd, const struct place *p, const char *data, size_t n, int64_t at,
                       struct err *err)
{
    while (n) {
        ssize_t done = pwrite(fd, data, n, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fail(err, p, errno, "write");
        data += done;
        n -= (size_t)done;
        at += done;
    }
    return 0;
}

static int write_data(int fd, const struct place *p, struct archive *a, int64_t size,
                      struct err *err)
{
    const void *data;
    int64_t at;
    size_t n;
    int rc;

    while ((rc = archive_read_data_block(a, &data, &n, &at)) == ARCHIVE_OK) {
        if (at < 0 || at > size || (int64_t)n > size - at)
            return refuse(err, p->path, "more content than announced");
        int written = write_block(fd, p, data, n, at, err);
        if (written < 0)
            return written;
    }
    if (rc != ARCHIVE_EOF)
        return err_set(err, -EBADMSG, "\"%s\": cannot read the content: %s",
                       tree_show(p->path).text, archive_error_string(a));
    /* A sparse file may end in a hole. */
    return ftruncate(fd, size) < 0 ? fail(err, p, errno, "set the size of") : 0;
}

static int make_file(struct extract *x, struct place *p, struct archive *a, struct archive_entry *e,
                     struct err *err)
{
    struct timespec times[2] = {mtime_of(e), mtime_of(e)};
    int64_t size = archive_entry_size(e);
    int rc;

    if ((rc = count_bytes(x, size, p->path, err)) < 0 || (rc = make_room(p, err)) < 0)
        return rc;
    _cleanup_close_ int fd =
        openat(p->dir, p->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(err, p, errno, "create");
    if ((rc = write_data(fd, p, a, size, err)) < 0 || (rc = set_metadata(fd, p, e, err)) < 0)
        return rc;
    return futimens(fd, times) < 0 ? fail(err, p, errno, "set the time of") : 0;
}

static int remember_dir(struct extract *x, const char *path, struct archive_entry *e,
                        struct err *err)
{
    struct extract_dir d = {.mtime = mtime_of(e)};

    x->dir_names += (int64_t)strlen(path) + 64;
    if (x->dir_names > LIMIT_LAYER_DIR_NAMES)
        return refuse(err, path, "the layer has too many directories");
    d.path = xstrdup(path);
    vec_push(&x->dirs, d);
    return 0;
}

static int open_new_dir(const struct place *p, struct err *err)
{
    bool hides = tree_is_whiteout(p->dir, p->name);
    int fd = openat(p->dir, p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0)
        return fd;
    int rc = make_room(p, err);
    if (rc < 0)
        return rc;
    if (mkdirat(p->dir, p->name, 0700) < 0)
        return fail(err, p, errno, "make directory");
    fd = openat(p->dir, p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail(err, p, errno, "open directory");
    rc = hides ? tree_opaque(fd) : 0;
    if (rc < 0) {
        close(fd);
        return fail(err, p, -rc, "mark as opaque");
    }
    return fd;
}

static int make_dir(struct extract *x, struct place *p, struct archive_entry *e, struct err *err)
{
    _cleanup_close_ int fd = open_new_dir(p, err);
    int rc;

    if (fd < 0)
        return fd;
    if ((rc = set_metadata(fd, p, e, err)) < 0)
        return rc;
    return remember_dir(x, p->path, e, err);
}

static int make_symlink(struct place *p, struct archive_entry *e, struct err *err)
{
    const char *target = archive_entry_symlink(e);
    int rc;

    if (!target || !*target || strlen(target) >= PATH_MAX)
        return refuse(err, p->path, "a symbolic link with an empty or too long target");
    if ((rc = make_room(p, err)) < 0)
        return rc;
    if (symlinkat(target, p->dir, p->name) < 0)
        return fail(err, p, errno, "make symbolic link");
    return set_metadata_nofollow(p, e, err);
}

static int make_fifo(struct place *p, struct archive_entry *e, struct err *err)
{
    int rc = make_room(p, err);

    if (rc < 0)
        return rc;
    if (mknodat(p->dir, p->name, S_IFIFO | 0600, 0) < 0)
        return fail(err, p, errno, "make FIFO");
    if ((rc = set_metadata_nofollow(p, e, err)) < 0)
        return rc;
    /* The name was made by this call just now and has no other writer: it cannot be a link. */
    return fchmodat(p->dir, p->name, archive_entry_perm(e), 0) < 0
               ? fail(err, p, errno, "set the mode of")
               : 0;
}

/* Opens the parent of a hard link's target, and checks that the target is something that may be
 * linked to. */
static int open_target(struct extract *x, const struct place *p, const char *target,
                       const char **ret_name, struct stat *ret_st, struct err *err)
{
    const char *slash = strrchr(target, '/');
    _cleanup_free_ char *parent = xstrndup(target, slash ? (size_t)(slash - target) : 0);
    int fd = tree_open_dir(x->root, parent, false, NULL);

    *ret_name = slash ? slash + 1 : target;
    if (fd >= 0 && fstatat(fd, *ret_name, ret_st, AT_SYMLINK_NOFOLLOW) == 0 &&
        (S_ISREG(ret_st->st_mode) || S_ISLNK(ret_st->st_mode) || S_ISFIFO(ret_st->st_mode)))
        return fd;
    closep(&fd);
    return refuse(err, p->path, "a hard link to something that is not a file of the same layer");
}

static int make_hardlink(struct extract *x, struct place *p, struct archive_entry *e,
                         struct err *err)
{
    char target[PATH_MAX];
    const char *name;
    struct stat st, here;
    int rc;

    if ((rc = tree_clean(archive_entry_hardlink(e), target, err)) < 0)
        return err_prefix(err, "hard link \"%s\"", tree_show(p->path).text);
    if (!*target)
        return refuse(err, p->path, "a hard link to the root directory");
    _cleanup_close_ int dir = open_target(x, p, target, &name, &st, err);
    if (dir < 0)
        return dir;
    if (fstatat(p->dir, p->name, &here, AT_SYMLINK_NOFOLLOW) == 0 && here.st_ino == st.st_ino)
        return 0;
    if ((rc = make_room(p, err)) < 0)
        return rc;
    return linkat(dir, name, p->dir, p->name, 0) < 0 ? fail(err, p, errno, "make hard link") : 0;
}

static int make_whiteout(const struct place *p, struct err *err)
{
    struct place hidden = *p;
    struct stat st;
    int rc;

    hidden.name = p->name + 4;
    if (!*hidden.name || streq(hidden.name, ".") || streq(hidden.name, ".."))
        return refuse(err, p->path, "a whiteout of no name");
    if (fstatat(p->dir, hidden.name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (!S_ISDIR(st.st_mode))
            return 0; /* this layer's own file hides the lower one already */
        _cleanup_close_ int fd =
            openat(p->dir, hidden.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        rc = fd < 0 ? -errno : tree_opaque(fd);
    } else
        rc = tree_whiteout(p->dir, hidden.name);
    return rc < 0 ? fail(err, p, -rc, "make whiteout") : 0;
}

static int make_opaque(const struct place *p, struct err *err)
{
    int rc = tree_opaque(p->dir);

    return rc < 0 ? fail(err, p, -rc, "mark as opaque the directory of") : 0;
}

/* ---- one entry ---- */

static int set_root(struct extract *x, struct place *p, struct archive_entry *e, struct err *err)
{
    int rc;

    if (archive_entry_filetype(e) != AE_IFDIR || archive_entry_hardlink(e))
        return refuse(err, "/", "something other than a directory in place of the root");
    if ((rc = set_metadata(x->root, p, e, err)) < 0)
        return rc;
    return remember_dir(x, "", e, err);
}

/* The private records of aufs; they mean nothing to others. */
static bool is_aufs_record(const char *path)
{
    return (z_starts(path, ".wh..wh.") || strstr(path, "/.wh..wh.")) &&
           !z_ends(path, ".wh..wh..opq");
}

static bool has_whiteout_parent(const struct place *p)
{
    const char *at = z_starts(p->path, ".wh.") ? p->path : strstr(p->path, "/.wh.");

    return at && (*at == '/' ? at + 1 : at) != p->name;
}

static int apply(struct extract *x, struct place *p, struct archive *a, struct archive_entry *e,
                 struct err *err)
{
    if (streq(p->name, ".wh..wh..opq"))
        return make_opaque(p, err);
    if (z_starts(p->name, ".wh."))
        return make_whiteout(p, err);
    if (archive_entry_hardlink(e))
        return make_hardlink(x, p, e, err);
    switch (archive_entry_filetype(e)) {
    case AE_IFREG:
        return make_file(x, p, a, e, err);
    case AE_IFDIR:
        return make_dir(x, p, e, err);
    case AE_IFLNK:
        return make_symlink(p, e, err);
    case AE_IFIFO:
        return make_fifo(p, e, err);
    case AE_IFCHR:
    case AE_IFBLK:
    case AE_IFSOCK:
        return 0;
    default:
        return refuse(err, p->path, "an entry of unknown type");
    }
}

int extract_entry(struct extract *x, struct archive *a, struct archive_entry *e, struct err *err)
{
    const char *name = archive_entry_pathname(e);
    struct place p;
    int rc;

    if (++x->entries > x->limits->max_entries)
        return err_set(err, -EFBIG, "the layer has more than %lld entries",
                       (long long)x->limits->max_entries);
    if (!name || !*name)
        return err_set(err, -EBADMSG, "an entry has no readable name");
    if ((rc = tree_clean(name, p.path, err)) < 0)
        return rc;
    char *slash = strrchr(p.path, '/');
    p.name = slash ? slash + 1 : p.path;
    if (!*p.path)
        return set_root(x, &p, e, err);
    if (is_aufs_record(p.path))
        return 0;
    if (has_whiteout_parent(&p))
        return refuse(err, p.path, "a whiteout name used as a directory");
    if ((rc = find_parent(x, &p, err)) < 0)
        return rc;
    return apply(x, &p, a, e, err);
}

/* Times of directories come last, since making an entry changes its directory's. */
int extract_finish(struct extract *x, struct err *err)
{
    for (size_t i = 0; i < x->dirs.n; i++) {
        struct timespec times[2] = {x->dirs.p[i].mtime, x->dirs.p[i].mtime};
        _cleanup_close_ int fd = tree_open_dir(x->root, x->dirs.p[i].path, false, NULL);
        if (fd < 0)
            continue; /* replaced by a later entry */
        if (futimens(fd, times) < 0)
            return err_sys(err, errno, "cannot set the time of \"%s\"",
                           tree_show(x->dirs.p[i].path).text);
    }
    return 0;
}
