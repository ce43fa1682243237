/*
 * The tables, and how an older version's database becomes one of this version: its rows get
 * checksums for what they hold now, so what cannot be read by then is put into quarantine first.
 * All in the one transaction of opening.
 */
#include <errno.h>

#include "base/rand.h"
#include "cluster/store/rowlog_impl.h"

#define APPLICATION_ID 1315925601 /* "Nona" */
#define SCHEMA_VERSION 2

#define SIDE_TABLES                                                                                \
    "CREATE TABLE gaps (first INTEGER PRIMARY KEY, last INTEGER NOT NULL,"                         \
    " before INTEGER NOT NULL, sum INTEGER NOT NULL, own INTEGER NOT NULL);"                       \
    "CREATE TABLE compacted (head TEXT PRIMARY KEY, rev INTEGER NOT NULL, own INTEGER NOT NULL);"  \
    "CREATE TABLE quarantine (rev INTEGER PRIMARY KEY, key, deleted, prev, before, sum, value,"    \
    " why TEXT NOT NULL, settled INTEGER NOT NULL DEFAULT 0);"                                     \
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL);"                              \
    "PRAGMA user_version = 2;"

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

/* ---- the database's identity ---- */

static int make_id(struct rowlog *l, struct err *e)
{
    sqlite3_stmt *st = NULL;

    l->is_new = true;
    rand_bytes(l->mark.db, MARK_ID);
    if (sqlite3_prepare_v2(l->db, "INSERT INTO meta (name, value) VALUES ('id', ?1)", -1, &st,
                           NULL) != SQLITE_OK)
        return rowlog_open_error(l, e);
    sqlite3_bind_blob(st, 1, l->mark.db, MARK_ID, SQLITE_STATIC);
    int r = rowlog_step(l, st, e);
    sqlite3_finalize(st);
    return r;
}

static int read_id(struct rowlog *l, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool found = false;

    if (sqlite3_prepare_v2(l->db, "SELECT value FROM meta WHERE name = 'id'", -1, &st, NULL) !=
        SQLITE_OK)
        return rowlog_open_error(l, e);
    if (sqlite3_step(st) == SQLITE_ROW) {
        struct str id = rowlog_column(st, 0);
        found = id.n == MARK_ID;
        if (found)
            memcpy(l->mark.db, id.p, MARK_ID);
    }
    sqlite3_finalize(st);
    if (found)
        return 0;
    return err_set(e, -EIO,
                   "cannot open the database %s: it is damaged (its identity is missing); restore "
                   "a backup of it, or move it and the files beside it away to start with an empty "
                   "one",
                   l->path);
}

/* ---- a new one ---- */

/* Nothing is in the file. Whether there ever was, others know. */
static int check_new(struct rowlog *l, const struct rowlog_opts *o, struct err *e)
{
    struct mark was;
    enum mark_state state = marker_found(l->marker, &was);
    bool marked = state == MARK_DAMAGED || (state != MARK_NONE && (was.rev || was.floor));

    if (o->accept_loss || (!marked && !o->expect_data))
        return 0;
    if (was.rev)
        return err_set(e, -EUCLEAN,
                       "the database %s is gone or empty, but writes up to revision %llu were "
                       "acknowledged in it; restore a backup of it, or accept the loss",
                       l->path, (unsigned long long)was.rev);
    return err_set(e, -EUCLEAN,
                   "the database %s is gone or empty, but what lies around it shows that there was "
                   "data in it; restore a backup of it, or accept the loss",
                   l->path);
}

static int make_tables(struct rowlog *l, struct err *e)
{
    if (rowlog_run(l, "CREATE TABLE log (rev INTEGER PRIMARY KEY, key TEXT NOT NULL,"
                      " deleted INTEGER NOT NULL, prev INTEGER, before INTEGER NOT NULL,"
                      " sum INTEGER NOT NULL, value BLOB NOT NULL);"
                      "PRAGMA application_id = 1315925601;" SIDE_TABLES) < 0)
        return rowlog_open_error(l, e);
    return make_id(l, e);
}

/* ---- one of version 1 ---- */

struct upgrade {
    struct rowlog *log;
    bool (*readable)(struct str bytes);
    sqlite3_stmt *next, *seal, *keep, *drop;
    uint64_t rev;
    uint32_t sum;
};

/* The row gets its place in the chain. */
static int seal_row(struct upgrade *u, const struct row *row, struct err *e)
{
    uint32_t before = u->sum;

    u->sum = rowlog_row_sum(row, before);
    sqlite3_bind_int64(u->seal, 1, before);
    sqlite3_bind_int64(u->seal, 2, u->sum);
    sqlite3_bind_int64(u->seal, 3, (sqlite3_int64)row->rev);
    return rowlog_step(u->log, u->seal, e);
}

static int set_aside(struct upgrade *u, uint64_t rev, struct err *e)
{
    sqlite3_bind_int64(u->keep, 1, (sqlite3_int64)rev);
    int r = rowlog_step(u->log, u->keep, e);
    if (r < 0)
        return r;
    sqlite3_bind_int64(u->drop, 1, (sqlite3_int64)rev);
    return rowlog_step(u->log, u->drop, e);
}

/* One row; 0 when there is no further one. */
static int upgrade_row(struct upgrade *u, struct err *e)
{
    sqlite3_bind_int64(u->next, 1, (sqlite3_int64)u->rev);
    int rc = sqlite3_step(u->next), r;

    if (rc != SQLITE_ROW) {
        r = rc == SQLITE_DONE ? 0 : rowlog_open_error(u->log, e);
        sqlite3_reset(u->next);
        return r;
    }
    const char *key = (const char *)sqlite3_column_text(u->next, 1);
    struct row row = {.rev = (uint64_t)sqlite3_column_int64(u->next, 0),
                      .key = key ? key : "",
                      .deleted = sqlite3_column_int(u->next, 2) != 0,
                      .bytes = rowlog_column(u->next, 3),
                      .prev = ROW_PREV_UNKNOWN};
    bool good = row.deleted || (row.bytes.n > 0 && (!u->readable || u->readable(row.bytes)));
    u->rev = row.rev;
    r = good ? seal_row(u, &row, e) : set_aside(u, row.rev, e);
    sqlite3_reset(u->next);
    return r < 0 ? r : 1;
}

static int upgrade_rows(struct upgrade *u, struct err *e)
{
    sqlite3 *db = u->log->db;
    int r;

    if (sqlite3_prepare_v2(db,
                           "SELECT rev, key, deleted, value FROM log WHERE rev > ?1 ORDER BY rev "
                           "LIMIT 1",
                           -1, &u->next, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "UPDATE log SET before = ?1, sum = ?2 WHERE rev = ?3", -1, &u->seal,
                           NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db,
                           "INSERT INTO quarantine (rev, key, deleted, value, why) SELECT rev, "
                           "key, deleted, value, 'it cannot be read' FROM log WHERE rev = ?1",
                           -1, &u->keep, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "DELETE FROM log WHERE rev = ?1", -1, &u->drop, NULL) != SQLITE_OK)
        return rowlog_open_error(u->log, e);
    while ((r = upgrade_row(u, e)) > 0)
        ;
    return r;
}

static int upgrade_1(struct rowlog *l, const struct rowlog_opts *o, struct err *e)
{
    struct upgrade u = {.log = l, .readable = o->readable};

    if (rowlog_run(l, "ALTER TABLE log ADD COLUMN prev INTEGER;"
                      "ALTER TABLE log ADD COLUMN before INTEGER NOT NULL DEFAULT 0;"
                      "ALTER TABLE log ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;" SIDE_TABLES) < 0)
        return rowlog_open_error(l, e);
    int r = upgrade_rows(&u, e);
    sqlite3_finalize(u.next);
    sqlite3_finalize(u.seal);
    sqlite3_finalize(u.keep);
    sqlite3_finalize(u.drop);
    return r < 0 ? r : make_id(l, e);
}

/* ---- */

int rowlog_schema(struct rowlog *l, const struct rowlog_opts *o, struct err *e)
{
    int64_t tables = number(l, "SELECT count(*) FROM sqlite_master");
    int64_t app = number(l, "PRAGMA application_id"), version = number(l, "PRAGMA user_version");

    if (tables < 0 || app < 0 || version < 0)
        return rowlog_open_error(l, e);
    if (tables == 0 && app == 0) {
        int r = check_new(l, o, e);
        return r < 0 ? r : make_tables(l, e);
    }
    if (app != APPLICATION_ID)
        return err_set(e, -EINVAL,
                       "cannot open the database %s: it belongs to another program; name another "
                       "file, or move this one away",
                       l->path);
    if (version == 1)
        return upgrade_1(l, o, e);
    if (version != SCHEMA_VERSION)
        return err_set(e, -EINVAL,
                       "cannot open the database %s: its schema has version %lld and this program "
                       "knows %d; run the version of the program that wrote it",
                       l->path, (long long)version, SCHEMA_VERSION);
    return read_id(l, e);
}
