/*
 * SQLite in WAL mode with synchronous=FULL: a commit that returned is on disk. The file is locked
 * for this process (locking_mode=EXCLUSIVE), which also keeps the WAL's index in memory: two
 * servers on one file would each believe in a state of their own.
 *
 * After a failed fsync the pages of that transaction count as never written, and the next
 * transaction writes the same place of the WAL again; so going on after a failure loses nothing
 * that was acknowledged.
 */
#include "cluster/store/rowlog.h"

#include <errno.h>
#include <sqlite3.h>

#include "base/mem.h"

#define APPLICATION_ID 0x4e6f6e61 /* "Nona" */
#define SCHEMA_VERSION 1

struct rowlog {
    sqlite3 *db;
    char *path, *folder;
    sqlite3_stmt *begin, *append, *remove, *commit, *rollback;
};

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

/* ---- errors ---- */

/* The system's reason for the last failure: SQLite keeps it per file, and mostly it is the WAL's.
 */
static int system_errno(struct rowlog *l)
{
    int n = sqlite3_system_errno(l->db);
    sqlite3_file *wal = NULL;

    if (n)
        return n;
    if (sqlite3_file_control(l->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK &&
        wal && wal->pMethods)
        wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &n);
    if (!n)
        sqlite3_file_control(l->db, "main", SQLITE_FCNTL_LAST_ERRNO, &n);
    return n;
}

/* Says why the last call failed, in words that tell what to do. */
static int write_error(struct rowlog *l, struct err *e)
{
    int rc = sqlite3_errcode(l->db) & 0xff, sys = system_errno(l);

    if (rc == SQLITE_FULL || sys == ENOSPC || sys == EDQUOT)
        return err_set(e, -ENOSPC, "disk full; free space on %s", l->folder);
    if (sys == EFBIG)
        return err_set(e, -EFBIG,
                       "%s may not grow beyond the file size limit of this process; raise it",
                       l->path);
    if (rc == SQLITE_READONLY)
        return err_set(e, -EROFS, "%s cannot be written; make it writable for this user", l->path);
    if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB)
        return err_set(e, -EIO, "the database %s is damaged (%s); restore a backup of it", l->path,
                       sqlite3_errmsg(l->db));
    if (sys)
        return err_sys(e, sys, "the disk of %s fails (%s)", l->path, sqlite3_errmsg(l->db));
    return err_set(e, -EIO, "%s: %s", l->path, sqlite3_errmsg(l->db));
}

static int open_error(struct rowlog *l, struct err *e)
{
    int rc = sqlite3_errcode(l->db) & 0xff, sys = sqlite3_system_errno(l->db);

    switch (rc) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(e, -EBUSY,
                       "cannot open the database %s: another process uses it; stop that one first",
                       l->path);
    case SQLITE_NOTADB:
        return err_set(e, -EINVAL,
                       "cannot open the database %s: it is not a database; move it away to start "
                       "with an empty one, "
                       "or restore a backup of it",
                       l->path);
    case SQLITE_CORRUPT:
        return err_set(e, -EIO,
                       "cannot open the database %s: it is damaged (%s); restore a backup of it, "
                       "or move it away to "
                       "start with an empty one",
                       l->path, sqlite3_errmsg(l->db));
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return err_set(e, sys ? -sys : -EACCES,
                       "cannot open the database %s: %s; make sure that %s exists and that this "
                       "user may write there",
                       l->path, sys ? strerror(sys) : sqlite3_errmsg(l->db), l->folder);
    default:
        write_error(l, e);
        return err_prefix(e, "cannot open the database %s", l->path);
    }
}

/* ---- opening ---- */

static int run(struct rowlog *l, const char *sql)
{
    return sqlite3_exec(l->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;
}

static int64_t number(struct rowlog *l, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t n = -1;

    if (sqlite3_prepare_v2(l->db, sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return n;
}

/* A new file gets the schema; an old one must have ours. */
static int check_schema(struct rowlog *l, struct err *e)
{
    int64_t tables = number(l, "SELECT count(*) FROM sqlite_master");
    int64_t app = number(l, "PRAGMA application_id"), version = number(l, "PRAGMA user_version");

    if (tables < 0 || app < 0 || version < 0)
        return open_error(l, e);
    if (tables == 0 && app == 0)
        return run(l, "CREATE TABLE log (rev INTEGER PRIMARY KEY, key TEXT NOT NULL, deleted "
                      "INTEGER NOT NULL,"
                      " value BLOB NOT NULL);"
                      "PRAGMA application_id = 1315925601; PRAGMA user_version = 1") < 0
                   ? open_error(l, e)
                   : 0;
    if (app != APPLICATION_ID)
        return err_set(e, -EINVAL,
                       "cannot open the database %s: it belongs to another program; name another "
                       "file, or move this one "
                       "away",
                       l->path);
    if (version != SCHEMA_VERSION)
        return err_set(e, -EINVAL,
                       "cannot open the database %s: its schema has version %lld and this program "
                       "knows %d; run the "
                       "version of the program that wrote it",
                       l->path, (long long)version, SCHEMA_VERSION);
    return 0;
}

static int prepare(struct rowlog *l, sqlite3_stmt **st, const char *sql, struct err *e)
{
    if (sqlite3_prepare_v3(l->db, sql, -1, SQLITE_PREPARE_PERSISTENT, st, NULL) == SQLITE_OK)
        return 0;
    return open_error(l, e);
}

static int set_up(struct rowlog *l, struct err *e)
{
    _Static_assert(APPLICATION_ID == 1315925601 && SCHEMA_VERSION == 1,
                   "the schema's text names them");

    sqlite3_extended_result_codes(l->db, 1);
    if (run(l,
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "PRAGMA journal_size_limit = 4194304; PRAGMA cache_size = -256; PRAGMA temp_store = "
            "MEMORY;"
            "BEGIN IMMEDIATE") < 0)
        return open_error(l, e);
    int r = check_schema(l, e);
    if (r < 0)
        return r;
    if (run(l, "COMMIT") < 0)
        return open_error(l, e);
    if (prepare(l, &l->begin, "BEGIN IMMEDIATE", e) < 0 ||
        prepare(l, &l->commit, "COMMIT", e) < 0 || prepare(l, &l->rollback, "ROLLBACK", e) < 0 ||
        prepare(l, &l->append, "INSERT INTO log (rev, key, deleted, value) VALUES (?1, ?2, ?3, ?4)",
                e) < 0 ||
        prepare(l, &l->remove, "DELETE FROM log WHERE rev = ?1", e) < 0)
        return -EIO;
    return 0;
}

struct rowlog *rowlog_open(const char *path, struct err *e)
{
    struct rowlog *l = xnew(struct rowlog);

    l->path = xstrdup(path);
    l->folder = folder_of(path);
    int rc = sqlite3_open_v2(
        path, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    int r = rc == SQLITE_OK ? set_up(l, e) : open_error(l, e);
    if (r == 0)
        return l;
    rowlog_close(l);
    return NULL;
}

void rowlog_close(struct rowlog *l)
{
    if (!l)
        return;
    sqlite3_finalize(l->begin);
    sqlite3_finalize(l->append);
    sqlite3_finalize(l->remove);
    sqlite3_finalize(l->commit);
    sqlite3_finalize(l->rollback);
    sqlite3_close(l->db);
    free(l->path);
    free(l->folder);
    free(l);
}

/* ---- reading ---- */

static struct str column(sqlite3_stmt *st, int i)
{
    const char *p = sqlite3_column_blob(st, i);

    return (struct str){p ? p : "", (size_t)sqlite3_column_bytes(st, i)};
}

int rowlog_each(struct rowlog *l, int (*fn)(void *ctx, const struct row *row, struct err *e),
                void *ctx, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc, r = 0;

    if (sqlite3_prepare_v2(l->db, "SELECT rev, key, deleted, value FROM log ORDER BY rev", -1, &st,
                           NULL) != SQLITE_OK)
        return open_error(l, e);
    while (r == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(st, 1);
        struct row row = {(uint64_t)sqlite3_column_int64(st, 0), key ? key : "",
                          sqlite3_column_int(st, 2) != 0, column(st, 3)};
        r = fn(ctx, &row, e);
    }
    if (r == 0 && rc != SQLITE_DONE)
        r = open_error(l, e);
    sqlite3_finalize(st);
    return r;
}

/* ---- writing ---- */

static int step(struct rowlog *l, sqlite3_stmt *st, struct err *e)
{
    int rc = sqlite3_step(st);
    int r = rc == SQLITE_DONE ? 0 : write_error(l, e);

    sqlite3_reset(st);
    return r;
}

int rowlog_begin(struct rowlog *l, struct err *e)
{
    return step(l, l->begin, e);
}

int rowlog_append(struct rowlog *l, const struct row *row, struct err *e)
{
    sqlite3_bind_int64(l->append, 1, (sqlite3_int64)row->rev);
    sqlite3_bind_text(l->append, 2, row->key, -1, SQLITE_STATIC);
    sqlite3_bind_int(l->append, 3, row->deleted);
    sqlite3_bind_blob(l->append, 4, row->bytes.n ? row->bytes.p : "", (int)row->bytes.n,
                      SQLITE_STATIC);
    return step(l, l->append, e);
}

int rowlog_remove(struct rowlog *l, uint64_t rev, struct err *e)
{
    sqlite3_bind_int64(l->remove, 1, (sqlite3_int64)rev);
    return step(l, l->remove, e);
}

int rowlog_commit(struct rowlog *l, struct err *e)
{
    return step(l, l->commit, e);
}

void rowlog_rollback(struct rowlog *l)
{
    /* Some failures end the transaction by themselves. */
    if (!sqlite3_get_autocommit(l->db))
        step(l, l->rollback, NULL);
}
