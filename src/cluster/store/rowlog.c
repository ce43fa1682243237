/*
 * SQLite in WAL mode with synchronous=FULL: a commit that returned is on disk. The file is locked
 * for this process (locking_mode=EXCLUSIVE), which also keeps the WAL's index in memory: two
 * servers on one file would each believe in a state of their own.
 *
 * After a failed fsync the pages of that transaction count as never written, and the next
 * transaction writes the same place of the WAL again; so going on after a failure loses nothing
 * that was acknowledged. If the process ends before that next one, pages that did get to the disk
 * may count after all: a write that was answered with an error can then be there. The chain holds
 * either way, since what is not committed leaves it as it was.
 */
#include "cluster/store/rowlog.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cluster/store/rowlog_impl.h"
#include "cluster/store/sum.h"

static const char *const sql[RL_N] = {
    [RL_BEGIN] = "BEGIN IMMEDIATE",
    [RL_COMMIT] = "COMMIT",
    [RL_ROLLBACK] = "ROLLBACK",
    [RL_APPEND] = "INSERT INTO log (rev, key, deleted, prev, before, sum, value)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [RL_REMOVE] = "DELETE FROM log WHERE rev = ?1",
    [RL_CHAIN_OF] = "SELECT before, sum FROM log WHERE rev = ?1",
    [RL_NEXT_ROW] = "SELECT rev FROM log WHERE rev > ?1 ORDER BY rev LIMIT 1",
    [RL_GAP_AFTER] = "SELECT first, last, before, sum, own FROM gaps WHERE first > ?1"
                     " ORDER BY first LIMIT 1",
    [RL_GAP_BEFORE] = "SELECT first, last, before, sum, own FROM gaps WHERE first < ?1"
                      " ORDER BY first DESC LIMIT 1",
    [RL_PUT_GAP] = "INSERT OR REPLACE INTO gaps (first, last, before, sum, own)"
                   " VALUES (?1, ?2, ?3, ?4, ?5)",
    [RL_DROP_GAPS] = "DELETE FROM gaps WHERE first BETWEEN ?1 AND ?2",
    [RL_COMPACTED] = "INSERT OR REPLACE INTO compacted (head, rev, own) VALUES (?1, ?2, ?3)",
    [RL_QUARANTINE] = "INSERT OR REPLACE INTO quarantine"
                      " (rev, key, deleted, prev, before, sum, value, why)"
                      " SELECT rev, key, deleted, prev, before, sum, value, ?2 FROM log"
                      " WHERE rev = ?1",
    [RL_SETTLE] = "UPDATE quarantine SET settled = 1 WHERE rev = ?1",
};

/* ---- opening ---- */

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

/* All Secrets are in these files. SQLite gives its log the database's mode, but a log that is there
 * already keeps its own. No lock is held yet, which closing a descriptor would take away. */
static int make_private(const struct rowlog *l, struct err *e)
{
    _cleanup_free_ char *wal = xasprintf("%s-wal", l->path);
    _cleanup_close_ int fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_set(e, -errno,
                       "cannot open the database %s: %s; make sure that %s exists and that this "
                       "user may write there",
                       l->path, strerror(errno), l->folder);
    if (fchmod(fd, 0600) < 0 || (chmod(wal, 0600) < 0 && errno != ENOENT))
        return err_sys(e, errno, "cannot make the database %s readable for its owner only",
                       l->path);
    return 0;
}

static int prepare(struct rowlog *l, struct err *e)
{
    for (size_t i = 0; i < RL_N; i++)
        if (sqlite3_prepare_v3(l->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &l->st[i], NULL) !=
            SQLITE_OK)
            return rowlog_open_error(l, e);
    return 0;
}

static int set_up(struct rowlog *l, const struct rowlog_opts *o, struct err *e)
{
    _cleanup_free_ char *mark = xasprintf("%s-acked", l->path);

    sqlite3_extended_result_codes(l->db, 1);
    if (rowlog_run(l, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                      "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 4194304;"
                      "PRAGMA cache_size = -256; PRAGMA temp_store = MEMORY;"
                      "PRAGMA cell_size_check = ON; BEGIN IMMEDIATE") < 0)
        return rowlog_open_error(l, e);
    l->marker = marker_open(mark, e);
    if (!l->marker)
        return -EIO;
    int r = rowlog_schema(l, o, e);
    if (r < 0)
        return r;
    return rowlog_run(l, "COMMIT") < 0 ? rowlog_open_error(l, e) : prepare(l, e);
}

struct rowlog *rowlog_open(const struct rowlog_opts *o, struct err *e)
{
    struct rowlog *l = xnew(struct rowlog);

    l->path = xstrdup(o->path);
    l->folder = folder_of(o->path);
    int r = make_private(l, e);
    if (r == 0 && sqlite3_open_v2(o->path, &l->db,
                                  SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                                  NULL) != SQLITE_OK)
        r = rowlog_open_error(l, e);
    if (r == 0)
        r = set_up(l, o, e);
    if (r == 0)
        return l;
    rowlog_close(l);
    return NULL;
}

void rowlog_close(struct rowlog *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < RL_N; i++)
        sqlite3_finalize(l->st[i]);
    sqlite3_close(l->db);
    if (l->marker)
        (void)marker_sync(l->marker, NULL); /* it is in the file; a failure only delays it */
    marker_free(l->marker);
    free(l->path);
    free(l->folder);
    free(l);
}

const char *rowlog_path(const struct rowlog *l)
{
    return l->path;
}

bool rowlog_is_new(const struct rowlog *l)
{
    return l->is_new;
}

/* ---- reading ---- */

static bool fits_32(int64_t v)
{
    return v == (int64_t)(uint32_t)v;
}

/* Columns: rev, key, deleted, prev, before, sum, value. */
static struct row read_row(sqlite3_stmt *st)
{
    const char *key = (const char *)sqlite3_column_text(st, 1);
    size_t key_n = (size_t)sqlite3_column_bytes(st, 1);
    int64_t deleted = sqlite3_column_int64(st, 2), before = sqlite3_column_int64(st, 4),
            sum = sqlite3_column_int64(st, 5);
    struct row row = {
        .rev = (uint64_t)sqlite3_column_int64(st, 0),
        .key = key ? key : "",
        .deleted = deleted != 0,
        .bytes = rowlog_column(st, 6),
        .prev = sqlite3_column_type(st, 3) == SQLITE_NULL ? ROW_PREV_UNKNOWN
                                                          : (uint64_t)sqlite3_column_int64(st, 3),
        .before = (uint32_t)before,
        .sum = (uint32_t)sum,
    };

    row.whole = (deleted == 0 || deleted == 1) && fits_32(before) && fits_32(sum) &&
                strlen(row.key) == key_n && rowlog_row_sum(&row, row.before) == row.sum;
    return row;
}

int rowlog_each(struct rowlog *l, uint64_t after, size_t max_rows, size_t max_bytes,
                int (*fn)(void *ctx, const struct row *row, struct err *e), void *ctx,
                struct err *e)
{
    sqlite3_stmt *st = NULL;
    size_t rows = 0, bytes = 0;
    int rc = SQLITE_ROW, r = 0;

    if (sqlite3_prepare_v2(l->db,
                           "SELECT rev, key, deleted, prev, before, sum, value FROM log"
                           " WHERE rev > ?1 ORDER BY rev",
                           -1, &st, NULL) != SQLITE_OK)
        return rowlog_open_error(l, e);
    sqlite3_bind_int64(st, 1, (sqlite3_int64)after);
    while (r == 0 && rows < max_rows && bytes < max_bytes &&
           (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct row row = read_row(st);
        rows++;
        bytes += row.bytes.n + 1;
        r = fn(ctx, &row, e);
    }
    if (r == 0 && rc == SQLITE_ROW)
        r = 1;
    else if (r == 0 && rc != SQLITE_DONE)
        r = rowlog_open_error(l, e);
    sqlite3_finalize(st);
    return r;
}

void rowlog_forget_pages(struct rowlog *l)
{
    sqlite3_db_release_memory(l->db);
}

void rowlog_continue(struct rowlog *l, uint64_t rev, uint32_t sum)
{
    l->rev = l->committed_rev = rev;
    l->sum = l->committed_sum = sum;
}

static uint32_t compacted_sum(const char *head, uint64_t rev)
{
    struct sum s = {0};

    sum_str(&s, str_of(head));
    sum_u64(&s, rev);
    return s.value;
}

int rowlog_each_compacted(struct rowlog *l, void (*fn)(void *ctx, const char *head, uint64_t rev),
                          void *ctx, bool *ret_whole, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc;

    *ret_whole = true;
    if (sqlite3_prepare_v2(l->db, "SELECT head, rev, own FROM compacted", -1, &st, NULL) !=
        SQLITE_OK)
        return rowlog_open_error(l, e);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *head = (const char *)sqlite3_column_text(st, 0);
        uint64_t rev = (uint64_t)sqlite3_column_int64(st, 1);
        if (head && sqlite3_column_int64(st, 2) == compacted_sum(head, rev))
            fn(ctx, head, rev);
        else
            *ret_whole = false;
    }
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? 0 : rowlog_open_error(l, e);
}

int rowlog_each_quarantined(struct rowlog *l,
                            void (*fn)(void *ctx, const struct row *row, const char *why),
                            void *ctx, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc;

    if (sqlite3_prepare_v2(l->db,
                           "SELECT rev, CAST(key AS TEXT), prev, why FROM quarantine"
                           " WHERE settled = 0 ORDER BY rev",
                           -1, &st, NULL) != SQLITE_OK)
        return rowlog_open_error(l, e);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(st, 1);
        const char *why = (const char *)sqlite3_column_text(st, 3);
        struct row row = {.rev = (uint64_t)sqlite3_column_int64(st, 0),
                          .key = key ? key : "",
                          .prev = (uint64_t)sqlite3_column_int64(st, 2)};
        fn(ctx, &row, why ? why : "");
    }
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? 0 : rowlog_open_error(l, e);
}

/* ---- writing ---- */

int rowlog_begin(struct rowlog *l, struct err *e)
{
    return rowlog_step(l, l->st[RL_BEGIN], e);
}

int rowlog_append(struct rowlog *l, const struct row *row, struct err *e)
{
    sqlite3_stmt *st = l->st[RL_APPEND];
    uint32_t sum = rowlog_row_sum(row, l->sum);

    sqlite3_bind_int64(st, 1, (sqlite3_int64)row->rev);
    sqlite3_bind_text(st, 2, row->key, -1, SQLITE_STATIC);
    sqlite3_bind_int(st, 3, row->deleted);
    if (row->prev == ROW_PREV_UNKNOWN)
        sqlite3_bind_null(st, 4);
    else
        sqlite3_bind_int64(st, 4, (sqlite3_int64)row->prev);
    sqlite3_bind_int64(st, 5, l->sum);
    sqlite3_bind_int64(st, 6, sum);
    sqlite3_bind_blob(st, 7, row->bytes.n ? row->bytes.p : "", (int)row->bytes.n, SQLITE_STATIC);
    int r = rowlog_step(l, st, e);
    if (r == 0) {
        l->rev = row->rev;
        l->sum = sum;
    }
    return r;
}

int rowlog_note_compacted(struct rowlog *l, const char *head, uint64_t rev, struct err *e)
{
    sqlite3_stmt *st = l->st[RL_COMPACTED];

    sqlite3_bind_text(st, 1, head, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)rev);
    sqlite3_bind_int64(st, 3, compacted_sum(head, rev));
    return rowlog_step(l, st, e);
}

int rowlog_quarantine(struct rowlog *l, uint64_t rev, const char *why, struct err *e)
{
    sqlite3_bind_int64(l->st[RL_QUARANTINE], 1, (sqlite3_int64)rev);
    sqlite3_bind_text(l->st[RL_QUARANTINE], 2, why, -1, SQLITE_STATIC);
    int r = rowlog_step(l, l->st[RL_QUARANTINE], e);
    if (r < 0)
        return r;
    sqlite3_bind_int64(l->st[RL_REMOVE], 1, (sqlite3_int64)rev);
    return rowlog_step(l, l->st[RL_REMOVE], e);
}

int rowlog_settle(struct rowlog *l, uint64_t rev, struct err *e)
{
    sqlite3_bind_int64(l->st[RL_SETTLE], 1, (sqlite3_int64)rev);
    return rowlog_step(l, l->st[RL_SETTLE], e);
}

int rowlog_commit(struct rowlog *l, struct err *e)
{
    int r = rowlog_step(l, l->st[RL_COMMIT], e);
    bool grown = l->rev != l->committed_rev;

    if (r < 0)
        return r;
    l->committed_rev = l->rev;
    l->committed_sum = l->sum;
    if (grown)
        (void)rowlog_write_mark(l, NULL); /* tried again by rowlog_sync_mark, which tells */
    return 0;
}

void rowlog_rollback(struct rowlog *l)
{
    /* Some failures end the transaction by themselves. */
    if (!sqlite3_get_autocommit(l->db))
        rowlog_step(l, l->st[RL_ROLLBACK], NULL);
    l->rev = l->committed_rev;
    l->sum = l->committed_sum;
}

/* ---- the marker ---- */

enum mark_state rowlog_mark(const struct rowlog *l, struct mark *ret)
{
    return marker_found(l->marker, ret);
}

struct mark rowlog_own_mark(const struct rowlog *l)
{
    return l->mark;
}

void rowlog_set_floor(struct rowlog *l, uint64_t rev)
{
    l->mark.floor = rev;
}

int rowlog_write_mark(struct rowlog *l, struct err *e)
{
    l->mark.rev = l->committed_rev;
    l->mark.sum = l->committed_sum;
    int r = marker_put(l->marker, &l->mark, e);
    l->mark_behind = r < 0;
    return r;
}

bool rowlog_mark_unsynced(const struct rowlog *l)
{
    return l->mark_behind || marker_unsynced(l->marker);
}

int rowlog_sync_mark(struct rowlog *l, struct err *e)
{
    int r = l->mark_behind ? rowlog_write_mark(l, e) : 0;

    return r < 0 ? r : marker_sync(l->marker, e);
}
