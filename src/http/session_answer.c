/* The answering half of a session: what an exchange's calls become on the wire. */
#include <errno.h>
#include <stdio.h>

#include "http/limits.h"
#include "http/session.h"

static void add_field(struct http_headers *hs, const char *name, const char *value)
{
    http_replace(hs, str_of(name), str_of(value));
}

/* Whether the rest of a request that is answered early is worth reading for the next one's sake. */
static bool may_drain(const struct http_session *k)
{
    if (k->state != SESSION_ASKED || !k->head->has_body)
        return true;
    return !k->awaits_continue && k->head->content_length <= LIMIT_HTTP_DRAIN;
}

static bool is_stranger(const struct user_info *u)
{
    return !u->name[0] || user_in_group(u, "system:unauthenticated");
}

static void write_head(struct http_session *k, int status, const struct http_headers *given)
{
    struct http_headers hs = *given;

    k->keep_alive &= !k->server->stopping && !k->eof && may_drain(k);
    k->known |= !is_stranger(http_user(k->exchange));
    add_field(&hs, "Date", http_server_date(k->server));
    if (k->chunked)
        add_field(&hs, "Transfer-Encoding", "chunked");
    if (!k->keep_alive)
        add_field(&hs, "Connection", "close");
    else if (k->old_client)
        add_field(&hs, "Connection", "keep-alive");
    if (h1_write_response(&k->out, status, &hs) < 0) {
        static const struct http_headers none = {.n = 0};
        k->keep_alive = false;
        h1_write_response(&k->out, 500, &none);
    }
}

static void start(void *t, int status, const struct http_headers *hs, bool streamed)
{
    struct http_session *k = t;

    k->streamed = streamed;
    k->no_body |= status < 200 || status == 204 || status == 304;
    k->chunked = streamed && !k->no_body && !k->old_client;
    if (streamed && !k->no_body && k->old_client)
        k->keep_alive = false; /* the end of the connection is the end of the body */
    write_head(k, status, hs);
    if (streamed) {
        conn_write1(k->conn, k->out.p, k->out.n);
        buf_clear(&k->out);
    }
}

static ssize_t chunk(void *t, const void *p, size_t n)
{
    struct http_session *k = t;
    char size[24];

    if (k->no_body || n == 0)
        return (ssize_t)conn_unsent(k->conn);
    if (!k->streamed) {
        struct iovec whole[2] = {{k->out.p, k->out.n}, {(void *)p, n}};
        ssize_t r = conn_write(k->conn, whole, 2);
        buf_clear(&k->out);
        return r;
    }
    if (!k->chunked)
        return conn_write1(k->conn, p, n);
    int size_n = snprintf(size, sizeof(size), "%zx\r\n", n);
    struct iovec iov[3] = {{size, (size_t)size_n}, {(void *)p, n}, {(char[]){"\r\n"}, 2}};
    return conn_write(k->conn, iov, 3);
}

static void end(void *t)
{
    struct http_session *k = t;

    k->exchange = NULL;
    if (k->chunked)
        buf_addz(&k->out, "0\r\n\r\n");
    if (k->out.n > 0)
        conn_write1(k->conn, k->out.p, k->out.n);
    buf_done(&k->out);
    session_answered(k);
}

static void cut(void *t)
{
    struct http_session *k = t;

    k->exchange = NULL;
    session_end(k, conn_close);
}

static void read_body(void *t)
{
    session_read_body(t);
}

static struct conn *upgrade(void *t, const struct http_headers *hs, struct err *e)
{
    struct http_session *k = t;

    if (k->state != SESSION_ANSWER || k->old_client || k->eof) {
        err_set(e, -EPROTO, "this request cannot be upgraded");
        return NULL;
    }
    if (h1_write_response(&k->out, 101, hs) < 0) {
        buf_clear(&k->out);
        err_set(e, -EINVAL, "a field of the answer contains a line break");
        return NULL;
    }
    conn_write1(k->conn, k->out.p, k->out.n);
    return session_hand_over(k);
}

const struct http_exchange_ops session_answer_ops = {
    .start = start,
    .chunk = chunk,
    .end = end,
    .abort = cut,
    .drains = true,
    .read_body = read_body,
    .upgrade = upgrade,
};
