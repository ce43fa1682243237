/*
 * A slot is eight little-endian words: magic, sequence, the database's id (2), rev, floor, the
 * row's sum, and the slot's own checksum. The slot with the higher sequence counts. The file has
 * its size from the start, so that writing changes no metadata.
 */
#include "cluster/store/marker.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cluster/store/sum.h"

#define MAGIC     0x31304b52414d4e4eull /* "NNMARK01" */
#define FILE_SIZE 4096
#define SLOT_SIZE 512 /* a sector each */
#define WORDS     8

enum { W_MAGIC, W_SEQ, W_DB, W_REV = W_DB + 2, W_FLOOR, W_ROW, W_OWN };

struct marker {
    char *path;
    int fd;
    uint64_t seq; /* of the newest slot */
    bool unsynced;
    bool heal; /* a slot was damaged: the next mark goes to both */
    enum mark_state found;
    struct mark was;
};

struct slot {
    bool written, whole;
    uint64_t seq;
    struct mark mark;
};

static uint64_t get_word(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static void put_word(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t own_sum(const uint8_t *bytes)
{
    struct sum s = {0};

    sum_str(&s, (struct str){(const char *)bytes, 8 * W_OWN});
    return s.value;
}

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

static struct slot decode(const uint8_t *p)
{
    struct slot s = {.written = !all_zero(p, 8 * WORDS)};

    s.whole = get_word(p + 8 * W_MAGIC) == MAGIC && get_word(p + 8 * W_OWN) == own_sum(p);
    s.seq = get_word(p + 8 * W_SEQ);
    memcpy(s.mark.db, p + 8 * W_DB, MARK_ID);
    s.mark.rev = get_word(p + 8 * W_REV);
    s.mark.floor = get_word(p + 8 * W_FLOOR);
    s.mark.sum = (uint32_t)get_word(p + 8 * W_ROW);
    return s;
}

static void encode(uint8_t *p, uint64_t seq, const struct mark *mark)
{
    put_word(p + 8 * W_MAGIC, MAGIC);
    put_word(p + 8 * W_SEQ, seq);
    memcpy(p + 8 * W_DB, mark->db, MARK_ID);
    put_word(p + 8 * W_REV, mark->rev);
    put_word(p + 8 * W_FLOOR, mark->floor);
    put_word(p + 8 * W_ROW, mark->sum);
    put_word(p + 8 * W_OWN, own_sum(p));
}

static void take(struct marker *m, const uint8_t *file)
{
    struct slot s[2] = {decode(file), decode(file + SLOT_SIZE)};
    const struct slot *best = NULL;

    m->found = MARK_NONE;
    for (int i = 0; i < 2; i++) {
        if (s[i].whole && (!best || s[i].seq > best->seq))
            best = &s[i];
        if (s[i].written && m->found == MARK_NONE)
            m->found = MARK_WHOLE;
        if (s[i].written && !s[i].whole)
            m->found = MARK_TORN;
    }
    if (m->found != MARK_NONE && !best)
        m->found = MARK_DAMAGED;
    m->heal = m->found == MARK_TORN || m->found == MARK_DAMAGED;
    if (best) {
        m->was = best->mark;
        m->seq = best->seq;
    }
}

static int load(struct marker *m, struct err *e)
{
    uint8_t file[FILE_SIZE] = {0};
    ssize_t n = pread(m->fd, file, sizeof(file), 0);

    if (n < 0)
        return err_sys(e, errno, "cannot read %s", m->path);
    take(m, file);
    if (n < FILE_SIZE && posix_fallocate(m->fd, 0, FILE_SIZE) != 0 &&
        ftruncate(m->fd, FILE_SIZE) < 0)
        return err_sys(e, errno, "cannot make room for %s", m->path);
    return 0;
}

struct marker *marker_open(const char *path, struct err *e)
{
    _cleanup_(marker_freep) struct marker *m = xnew(struct marker);

    m->path = xstrdup(path);
    m->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (m->fd < 0 || fchmod(m->fd, 0600) < 0) {
        err_sys(e, errno, "cannot open %s", path);
        return NULL;
    }
    return load(m, e) < 0 ? NULL : steal(&m);
}

void marker_free(struct marker *m)
{
    if (!m)
        return;
    closep(&m->fd);
    free(m->path);
    free(m);
}

enum mark_state marker_found(const struct marker *m, struct mark *ret)
{
    *ret = m->was;
    return m->found;
}

static int put_next(struct marker *m, const struct mark *mark, struct err *e)
{
    uint8_t bytes[8 * WORDS];
    uint64_t seq = m->seq + 1;

    encode(bytes, seq, mark);
    ssize_t n = pwrite(m->fd, bytes, sizeof(bytes), (off_t)(seq % 2 * SLOT_SIZE));
    if (n != (ssize_t)sizeof(bytes))
        return err_sys(e, n < 0 ? errno : EIO, "cannot write %s", m->path);
    m->seq = seq;
    m->unsynced = true;
    return 0;
}

int marker_put(struct marker *m, const struct mark *mark, struct err *e)
{
    int r = put_next(m, mark, e);

    if (r == 0 && m->heal)
        r = put_next(m, mark, e);
    m->heal = m->heal && r < 0;
    return r;
}

bool marker_unsynced(const struct marker *m)
{
    return m->unsynced;
}

int marker_sync(struct marker *m, struct err *e)
{
    if (m->unsynced && fdatasync(m->fd) < 0)
        return err_sys(e, errno, "cannot bring %s to disk", m->path);
    m->unsynced = false;
    return 0;
}
