/* Paths are built from checked digests only. Durability: file, then rename, then the directory that
 * holds the name. */
#include "cluster/image/content.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/rand.h"
#include "cluster/image/tree.h"

struct content {
    char *dir, *names, *temp;
    int lock; /* of the temporary directory */
};

/* ---- opening ---- */

static int make_dirs(const char *path, struct err *e)
{
    _cleanup_free_ char *p = xstrdup(path);

    for (char *slash = strchr(p + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (mkdir(p, 0700) < 0 && errno != EEXIST)
            return err_sys(e, errno, "cannot make directory \"%s\" for images", p);
        if (!slash)
            return 0;
        *slash = '/';
    }
}

static int make_layout(struct content *c, struct err *e)
{
    static const char *const parts[] = {"blobs/sha256", "blobs/sha512", "layers", "images", "tmp"};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", c->dir, parts[i]);
        int rc = make_dirs(path, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int lock_dir(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
        closep(&fd);
    return fd;
}

/* A directory that can be locked has lost its owner. */
static void remove_garbage(int tmp)
{
    DIR *d = fdopendir(dup(tmp));

    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        _cleanup_close_ int fd = lock_dir(tmp, e->d_name);
        if (fd >= 0)
            tree_remove(tmp, e->d_name);
    }
    if (d)
        closedir(d);
}

/* Between making and locking, somebody's clean-up may have taken it: then once more. */
static int make_temp(struct content *c, int tmp, struct err *e)
{
    struct stat st;

    for (int i = 0; i < 100; i++) {
        char name[64], suffix[9];
        rand_suffix(suffix, 8);
        snprintf(name, sizeof(name), "%d-%s", (int)getpid(), suffix);
        if (mkdirat(tmp, name, 0700) < 0)
            return err_sys(e, errno, "cannot make a temporary directory in \"%s/tmp\"", c->dir);
        c->lock = lock_dir(tmp, name);
        if (c->lock >= 0 && fstat(c->lock, &st) == 0 && st.st_nlink > 0) {
            c->temp = xasprintf("%s/tmp/%s", c->dir, name);
            return 0;
        }
        closep(&c->lock);
    }
    return err_set(e, -EAGAIN,
                   "cannot keep a temporary directory in \"%s/tmp\"; is something removing it?",
                   c->dir);
}

struct content *content_open(const char *dir, struct err *e)
{
    _cleanup_(content_closep) struct content *c = xnew(struct content);
    _cleanup_free_ char *tmp_path = xasprintf("%s/tmp", dir);

    c->lock = -1;
    c->dir = xstrdup(dir);
    c->names = xasprintf("%s/images", dir);
    if (dir[0] != '/') {
        err_set(e, -EINVAL, "the images' directory \"%s\" must be an absolute path", dir);
        return NULL;
    }
    if (make_layout(c, e) < 0)
        return NULL;
    _cleanup_close_ int tmp = open(tmp_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tmp < 0) {
        err_sys(e, errno, "cannot open \"%s\"", tmp_path);
        return NULL;
    }
    remove_garbage(tmp);
    return make_temp(c, tmp, e) < 0 ? NULL : steal(&c);
}

void content_close(struct content *c)
{
    if (!c)
        return;
    if (c->temp)
        tree_remove(AT_FDCWD, c->temp);
    closep(&c->lock);
    free(c->temp);
    free(c->names);
    free(c->dir);
    free(c);
}

const char *content_names_dir(const struct content *c)
{
    return c->names;
}

char *content_temp(struct content *c)
{
    char suffix[17];

    rand_suffix(suffix, 16);
    return xasprintf("%s/%s", c->temp, suffix);
}

void content_drop(struct content *c, const char *temp)
{
    tree_remove(AT_FDCWD, temp);
}

/* ---- files ---- */

static int sync_dir_of(const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *parent = xstrndup(path, (size_t)(slash - path));
    _cleanup_close_ int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return err_sys(e, errno, "cannot bring directory \"%s\" to disk", parent);
    return 0;
}

static int write_all(const char *path, const void *p, size_t n, struct err *e)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_sys(e, errno, "cannot create \"%s\"", path);
    for (size_t at = 0; at < n;) {
        ssize_t done = write(fd, (const char *)p + at, n - at);
        if (done < 0 && errno != EINTR)
            return err_sys(e, errno, "cannot write \"%s\"", path);
        at += done > 0 ? (size_t)done : 0;
    }
    return fsync(fd) < 0 ? err_sys(e, errno, "cannot bring \"%s\" to disk", path) : 0;
}

static int put_file(struct content *c, const char *path, const void *p, size_t n, struct err *e)
{
    _cleanup_free_ char *temp = content_temp(c);
    int rc = write_all(temp, p, n, e);

    if (rc == 0 && rename(temp, path) < 0)
        rc = err_sys(e, errno, "cannot rename \"%s\" to \"%s\"", temp, path);
    if (rc < 0)
        unlink(temp);
    return rc < 0 ? rc : sync_dir_of(path, e);
}

static int get_file(const char *path, struct buf *ret, struct err *e)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return err_sys(e, errno, "cannot open \"%s\"", path);
    for (;;) {
        if (buf_reserve(ret, 16384) < 0)
            return err_set(e, -EFBIG, "\"%s\" is larger than it may be", path);
        n = read(fd, ret->p + ret->n, 16384);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return err_sys(e, errno, "cannot read \"%s\"", path);
        ret->n += n > 0 ? (size_t)n : 0;
    }
    ret->p[ret->n] = '\0';
    return 0;
}

/* ---- blobs ---- */

static char *blob_path(struct content *c, const char *digest)
{
    return xasprintf("%s/blobs/%.6s/%s", c->dir, digest, digest_hex(digest));
}

int content_put_blob(struct content *c, const char *digest, const void *p, size_t n, struct err *e)
{
    _cleanup_free_ char *path = blob_path(c, digest);
    struct stat st;

    if (stat(path, &st) == 0 && st.st_size == (off_t)n)
        return 0;
    return put_file(c, path, p, n, e);
}

int content_get_blob(struct content *c, const char *digest, struct buf *ret, struct err *e)
{
    _cleanup_free_ char *path = blob_path(c, digest);
    char is[DIGEST_MAX];

    buf_clear(ret);
    int rc = get_file(path, ret, e);
    if (rc < 0)
        return rc;
    digest_of(ret->p, ret->n, digest, is);
    if (!streq(is, digest))
        return err_set(e, -EBADMSG,
                       "\"%s\" is damaged: its digest is %s; remove it and pull the image again",
                       path, is);
    return 0;
}

/* ---- layers ---- */

static char *layer_path(struct content *c, const char *diff_id)
{
    return xasprintf("%s/layers/%s", c->dir, digest_hex(diff_id));
}

bool content_has_layer(struct content *c, const char *diff_id)
{
    _cleanup_free_ char *path = layer_path(c, diff_id);

    return access(path, F_OK) == 0;
}

static int note_size(struct content *c, const char *path, int64_t bytes, struct err *e)
{
    _cleanup_free_ char *file = xasprintf("%s.bytes", path);
    char text[32];
    int n = snprintf(text, sizeof(text), "%lld\n", (long long)bytes);

    return put_file(c, file, text, (size_t)n, e);
}

static int64_t size_of(const char *path)
{
    _cleanup_free_ char *file = xasprintf("%s.bytes", path);
    _cleanup_buf_ struct buf b = BUF_INIT(32768);

    return get_file(file, &b, NULL) == 0 ? strtoll(buf_z(&b), NULL, 10) : 0;
}

static int move_layer(struct content *c, const char *temp, const char *diff_id, int64_t bytes,
                      struct err *e)
{
    _cleanup_free_ char *path = layer_path(c, diff_id);
    int rc = note_size(c, path, bytes, e);

    if (rc < 0)
        return rc;
    if (rename(temp, path) < 0 && errno != EEXIST && errno != ENOTEMPTY)
        return err_sys(e, errno, "cannot rename \"%s\" to \"%s\"", temp, path);
    return sync_dir_of(path, e);
}

int content_add_layer(struct content *c, const char *tar_path, const char *diff_id, struct err *e)
{
    static const struct layer_limits lim = {LIMIT_IMAGE_BYTES, LIMIT_LAYER_ENTRIES};
    _cleanup_free_ char *temp = content_temp(c);
    char is[72];
    int64_t bytes = 0;

    if (mkdir(temp, 0755) < 0)
        return err_sys(e, errno, "cannot make directory \"%s\"", temp);
    int rc = layer_unpack(tar_path, temp, &lim, is, &bytes, e);
    if (rc == 0 && !streq(is, diff_id))
        rc =
            err_set(e, -EBADMSG, "the unpacked layer is %s, not %s as the image configuration says",
                    is, diff_id);
    if (rc == 0)
        rc = move_layer(c, temp, diff_id, bytes, e);
    content_drop(c, temp);
    return rc;
}

/* ---- names ---- */

static char *name_path(struct content *c, const char *name)
{
    char digest[DIGEST_MAX];

    digest_of(name, strlen(name), NULL, digest);
    return xasprintf("%s/%s", c->names, digest_hex(digest));
}

int content_set_name(struct content *c, const char *name, const char *digest, struct err *e)
{
    _cleanup_free_ char *path = name_path(c, name);
    /* Neither a reference nor a digest has a character that JSON escapes. */
    _cleanup_free_ char *text = xasprintf("{\"name\":\"%s\",\"digest\":\"%s\"}\n", name, digest);

    return put_file(c, path, text, strlen(text), e);
}

static int read_name_file(const char *path, char **ret_name, char ret_digest[static DIGEST_MAX],
                          struct err *e)
{
    _cleanup_buf_ struct buf b = BUF_INIT(32768);
    int rc = get_file(path, &b, e);

    if (rc < 0)
        return rc;
    _cleanup_jdoc_ yyjson_doc *doc = json_parse(buf_z(&b), b.n, NULL);
    const char *name = jget_str(yyjson_doc_get_root(doc), "name");
    const char *digest = jget_str(yyjson_doc_get_root(doc), "digest");
    if (!name || !digest_valid_z(digest))
        return err_set(e, -EBADMSG, "\"%s\" does not name an image", path);
    memcpy(ret_digest, digest, strlen(digest) + 1);
    if (ret_name)
        *ret_name = xstrdup(name);
    return 0;
}

int content_get_name(struct content *c, const char *name, char ret_digest[static DIGEST_MAX],
                     struct err *e)
{
    _cleanup_free_ char *path = name_path(c, name);

    return read_name_file(path, NULL, ret_digest, e);
}

int content_read_name(struct content *c, const char *file, char **ret_name,
                      char ret_digest[static DIGEST_MAX], struct err *e)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", c->names, file);

    return read_name_file(path, ret_name, ret_digest, e);
}

int content_each_name(struct content *c,
                      void (*fn)(void *ctx, const char *name, const char *digest), void *ctx,
                      struct err *e)
{
    DIR *d = opendir(c->names);

    if (!d)
        return err_sys(e, errno, "cannot read directory \"%s\"", c->names);
    for (struct dirent *f; (f = readdir(d));) {
        _cleanup_free_ char *name = NULL;
        char digest[DIGEST_MAX];
        if (f->d_name[0] != '.' && content_read_name(c, f->d_name, &name, digest, NULL) == 0)
            fn(ctx, name, digest);
    }
    closedir(d);
    return 0;
}

/* ---- whole images ---- */

struct image_data *image_data_ref(struct image_data *d)
{
    atomic_fetch_add(&d->refs, 1);
    return d;
}

void image_data_unref(struct image_data *d)
{
    if (!d || atomic_fetch_sub(&d->refs, 1) != 1)
        return;
    for (size_t i = 0; i < d->n_layers; i++)
        free((char *)d->layers[i]);
    free(d->layers);
    free(d->digest);
    yyjson_doc_free(d->config);
    free(d);
}
DEFINE_CLEANUP(struct image_data *, image_data_unref)

static yyjson_doc *load_json(struct content *c, const char *digest, struct err *e)
{
    _cleanup_buf_ struct buf b = BUF_INIT(LIMIT_MANIFEST + 16384);

    return content_get_blob(c, digest, &b, e) < 0 ? NULL : json_parse(buf_z(&b), b.n, e);
}

static int load_layers(struct content *c, struct image_data *d, const char *const *ids, size_t n,
                       struct err *e)
{
    d->layers = xcalloc(n ? n : 1, sizeof(*d->layers));
    for (; d->n_layers < n; d->n_layers++) {
        const char *id = ids[d->n_layers];
        if (!content_has_layer(c, id))
            return err_set(e, -ENOENT, "layer %s of the image is not here", id);
        char *path = layer_path(c, id);
        d->layers[d->n_layers] = path;
        d->bytes += size_of(path);
    }
    return 0;
}

int content_load(struct content *c, const char *digest, struct image_data **ret, struct err *e)
{
    _cleanup_(image_data_unrefp) struct image_data *d = xnew(struct image_data);
    _cleanup_jdoc_ yyjson_doc *doc = load_json(c, digest, e);
    _cleanup_free_ struct manifest *m = xnew(struct manifest);
    const char *ids[LIMIT_IMAGE_LAYERS];
    int rc;

    d->refs = 1;
    d->digest = xstrdup(digest);
    if (!doc)
        return -ENOENT;
    if ((rc = manifest_read(yyjson_doc_get_root(doc), m, e)) < 0)
        return rc;
    d->config = load_json(c, m->config.digest, e);
    if (!d->config)
        return -ENOENT;
    if ((rc = manifest_diff_ids(yyjson_doc_get_root(d->config), m->n_layers, ids, e)) < 0 ||
        (rc = load_layers(c, d, ids, m->n_layers, e)) < 0)
        return rc;
    *ret = steal(&d);
    return 0;
}
