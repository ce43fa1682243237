/* Modes are narrowed only where the directory is plainly this program's: a path given by mistake
 * may be one that others need. */
#include "cmd/env/data_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define LOCK_WAIT_NS  (5 * NS_PER_SEC)
#define LOCK_RETRY_NS (20 * NS_PER_MS)

int data_dir_make(const char *path, struct err *e)
{
    _cleanup_free_ char *p = xstrdup(path);

    for (char *at = p + 1;; at++) {
        if (*at && *at != '/')
            continue;
        char was = *at;
        *at = '\0';
        if (mkdir(p, 0700) < 0 && errno != EEXIST)
            return err_sys(e, errno,
                           "cannot make the directory %s (choose another with --data-dir)", p);
        *at = was;
        if (!was)
            return 0;
    }
}

/* Nothing is in it, or what this program puts there. */
static bool is_own(int fd)
{
    _cleanup_close_ int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    bool empty = true, marked = false;

    if (!d)
        return false;
    copy = -1;
    for (struct dirent *ent; (ent = readdir(d));) {
        bool dots = streq(ent->d_name, ".") || streq(ent->d_name, "..");
        empty = empty && dots;
        marked = marked || streq(ent->d_name, "state.db") || streq(ent->d_name, "pki");
    }
    closedir(d);
    return empty || marked;
}

static int make_private(int fd, const char *dir, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(e, errno, "cannot look at the data directory %s", dir);
    if (!(st.st_mode & 077))
        return 0;
    if ((st.st_mode & S_ISVTX) || st.st_uid != geteuid() || !is_own(fd))
        return err_set(e, -EPERM,
                       "others can look into the data directory %s (mode %04o), which will hold "
                       "Secrets and keys; make it private with chmod 700, or choose another with "
                       "--data-dir",
                       dir, st.st_mode & 07777);
    if (fchmod(fd, st.st_mode & 0700) < 0)
        return err_sys(e, errno, "cannot make the data directory %s private", dir);
    log_warn("up",
             "others could look into the data directory %s (mode %04o), which holds Secrets "
             "and keys: its mode is now 0700",
             dir, st.st_mode & 07777);
    return 0;
}

static int take_lock(int fd)
{
    int64_t end = clock_mono_ns() + LOCK_WAIT_NS;
    struct timespec pause = {.tv_nsec = LOCK_RETRY_NS};

    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (clock_mono_ns() >= end)
            return -1;
        nanosleep(&pause, NULL);
    }
    return 0;
}

static int lock(int dir_fd, const char *dir, struct err *e)
{
    int fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_sys(e, errno,
                       "cannot write to the data directory %s (choose another with --data-dir)",
                       dir);
    if (take_lock(fd) == 0)
        return fd;
    close(fd);
    return err_set(e, -EBUSY,
                   "the data directory %s is in use by another nonagon; stop that one, or choose "
                   "another with --data-dir",
                   dir);
}

int data_dir_take(const char *dir, struct err *e)
{
    int r = data_dir_make(dir, e);

    if (r < 0)
        return r;
    _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "cannot open the data directory %s", dir);
    r = make_private(fd, dir, e);
    return r < 0 ? r : lock(fd, dir, e);
}

bool data_dir_had_pods(const char *dir)
{
    _cleanup_free_ char *path = xasprintf("%s/node/pods", dir);
    DIR *d = opendir(path);
    bool any = false;

    for (struct dirent *ent; d && (ent = readdir(d));)
        any = any || ent->d_name[0] != '.';
    if (d)
        closedir(d);
    return any;
}
