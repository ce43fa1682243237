/* Steps of SQL, the checksums of what is stored, and what SQLite and the system say about failures,
 * as a person can use it. */
#include <errno.h>

#include "cluster/store/rowlog_impl.h"
#include "cluster/store/sum.h"

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

int rowlog_write_error(struct rowlog *l, struct err *e)
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

int rowlog_open_error(struct rowlog *l, struct err *e)
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
                       "cannot open the database %s: it is not a database; restore a backup of it, "
                       "or move it and the files beside it away to start with an empty one",
                       l->path);
    case SQLITE_CORRUPT:
        return err_set(e, -EIO,
                       "cannot open the database %s: it is damaged (%s); restore a backup of it, "
                       "or move it and the files beside it away to start with an empty one",
                       l->path, sqlite3_errmsg(l->db));
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return err_set(e, sys ? -sys : -EACCES,
                       "cannot open the database %s: %s; make sure that %s exists and that this "
                       "user may write there",
                       l->path, sys ? strerror(sys) : sqlite3_errmsg(l->db), l->folder);
    default:
        rowlog_write_error(l, e);
        return err_prefix(e, "cannot open the database %s", l->path);
    }
}

/* ---- steps ---- */

int rowlog_run(struct rowlog *l, const char *sql)
{
    return sqlite3_exec(l->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;
}

int rowlog_step(struct rowlog *l, sqlite3_stmt *st, struct err *e)
{
    int rc = sqlite3_step(st);
    int r = rc == SQLITE_DONE ? 0 : rowlog_write_error(l, e);

    sqlite3_reset(st);
    return r;
}

struct str rowlog_column(sqlite3_stmt *st, int i)
{
    const char *p = sqlite3_column_blob(st, i);

    return (struct str){p ? p : "", (size_t)sqlite3_column_bytes(st, i)};
}

/* ---- checksums ---- */

uint32_t rowlog_row_sum(const struct row *row, uint32_t before)
{
    struct sum s = {0};

    sum_u64(&s, before);
    sum_u64(&s, row->rev);
    sum_u64(&s, row->prev);
    sum_u64(&s, row->deleted);
    sum_str(&s, str_of(row->key));
    sum_str(&s, row->bytes);
    return s.value;
}

uint32_t rowlog_gap_sum(const struct gap *g)
{
    struct sum s = {0};

    sum_u64(&s, g->first);
    sum_u64(&s, g->last);
    sum_u64(&s, g->before);
    sum_u64(&s, g->sum);
    return s.value;
}
