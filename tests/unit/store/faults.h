/*
 * A disk that fails when told to: an SQLite VFS in front of the system's own. While `faults.on`,
 * every writing and syncing of a file fails with the given code.
 */
#ifndef TEST_STORE_FAULTS_H
#define TEST_STORE_FAULTS_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static struct {
    atomic_int on; /* 0 = none, else the code that fails */
    atomic_bool sync_only;
    sqlite3_vfs vfs, *real;
} faults;

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real; /* lies behind */
};

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((struct faulty_file *)f)->real;
}

static int faulty_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    int code = atomic_load(&faults.on);

    if (code && !atomic_load(&faults.sync_only))
        return code;
    return real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
}

static int faulty_sync(sqlite3_file *f, int flags)
{
    int code = atomic_load(&faults.on);

    return code ? code : real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int pass_close(sqlite3_file *f)
{
    int r = real_of(f)->pMethods->xClose(real_of(f));

    free(real_of(f));
    return r;
}

static int pass_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int pass_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    return real_of(f)->pMethods->xTruncate(real_of(f), n);
}

static int pass_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), ret);
}

static int pass_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int pass_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int pass_reserved(sqlite3_file *f, int *ret)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret);
}

static int pass_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int pass_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int pass_traits(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int faulty_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f, int flags,
                       int *ret_flags)
{
    static const sqlite3_io_methods methods = {
        .iVersion = 1, /* no shared memory: the store locks the file for itself */
        .xClose = pass_close,
        .xRead = pass_read,
        .xWrite = faulty_write,
        .xTruncate = pass_truncate,
        .xSync = faulty_sync,
        .xFileSize = pass_size,
        .xLock = pass_lock,
        .xUnlock = pass_unlock,
        .xCheckReservedLock = pass_reserved,
        .xFileControl = pass_control,
        .xSectorSize = pass_sector,
        .xDeviceCharacteristics = pass_traits,
    };
    struct faulty_file *ff = (struct faulty_file *)f;
    sqlite3_file *real = calloc(1, (size_t)faults.real->szOsFile);
    int r = faults.real->xOpen(faults.real, name, real, flags, ret_flags);

    *ff = (struct faulty_file){.real = real};
    if (r != SQLITE_OK) {
        free(real);
        return r;
    }
    ff->base.pMethods = &methods;
    return r;
}

static inline void faults_install(void)
{
    faults.real = sqlite3_vfs_find(NULL);
    faults.vfs = *faults.real;
    faults.vfs.zName = "faulty";
    faults.vfs.pNext = NULL;
    faults.vfs.szOsFile = (int)sizeof(struct faulty_file);
    faults.vfs.xOpen = faulty_open;
    sqlite3_vfs_register(&faults.vfs, 1);
}

static inline void faults_set(int code, bool sync_only)
{
    atomic_store(&faults.sync_only, sync_only);
    atomic_store(&faults.on, code);
}

#endif
