/*
 * A small HTTP server for demonstrations, tests and benchmarks: one static program, one thread, one
 * epoll.
 *
 *   /            "Hello TARGET!" (TARGET from the environment, "World" by default)
 *   /sleep?ms=N  answers after N milliseconds; X-Concurrency says how many slept when it began
 *   /bytes?n=N   N bytes
 *   /env         the environment, one variable a line
 *   /headers     the request head as received
 *   /echo        the request body, streamed back
 *   /exit?code=N answers, then ends with that code
 *
 * Every answer carries "K-Revision" when K_REVISION is set. PORT is the port, 8080 by default.
 *
 * Input is read into one fixed buffer per connection, output is collected so that pipelined
 * requests cost one write. A connection is read only while it has little unsent output, so memory
 * per connection is bounded. On SIGTERM the server stops accepting, ends what it has begun, and
 * exits.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IN_MAX    16384 /* also the longest request head */
#define OUT_MAX   65536 /* unsent bytes above which a connection is not read */
#define MAX_EVENT 256

extern char **environ;

enum body { BODY_NONE, BODY_LENGTH, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER };

struct client {
    int fd;
    uint32_t events; /* what epoll watches now */
    size_t in_n;     /* bytes in `in` */
    char *out;       /* unsent output: out[out_at .. out_n) */
    size_t out_at, out_n, out_cap;
    uint64_t fill;  /* bytes of /bytes still to be sent after `out` */
    enum body body; /* of the request being read */
    uint64_t left;  /* of the body or chunk */
    bool echo, echo_chunked, head_only, close, eof;
    int exit_code;              /* >= 0: end the program once everything is sent */
    int64_t wake_ms;            /* > 0: sleeping until then */
    unsigned company;           /* sleepers when this one began, itself included */
    struct client *next, *prev; /* of the sleepers, earliest first */
    struct client *all_next, *all_prev;
    char in[IN_MAX];
};

struct request {
    const char *method, *path, *query, *head;
    size_t method_n, path_n, query_n, head_n;
    bool http10;
};

static int epfd, listen_fd;
static struct client *sleepers, *clients, *dead;
static unsigned sleeping;
static char hello[1024], revision[512];
static size_t hello_n, hello_body_n;
static char block[65536];
static volatile sig_atomic_t terminating;

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- output ---- */

static void out_add(struct client *c, const void *p, size_t n)
{
    if (c->out_at == c->out_n)
        c->out_at = c->out_n = 0;
    if (c->out_n + n > c->out_cap) {
        size_t cap = c->out_cap ? c->out_cap : 1024;
        while (cap < c->out_n + n)
            cap *= 2;
        char *grown = realloc(c->out, cap);
        if (!grown) {
            perror("hello: out of memory");
            exit(1);
        }
        c->out = grown;
        c->out_cap = cap;
    }
    memcpy(c->out + c->out_n, p, n);
    c->out_n += n;
}

static void out_head(struct client *c, const char *status, const char *type, const char *framing)
{
    char head[1024];
    int n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Type: %s\r\n%s%s%s\r\n", status,
                     type, revision, framing, c->close ? "Connection: close\r\n" : "");
    out_add(c, head, (size_t)n);
}

static void respond(struct client *c, const char *status, const void *body, size_t n)
{
    char framing[64];

    snprintf(framing, sizeof(framing), "Content-Length: %zu\r\n", n);
    out_head(c, status, "text/plain; charset=utf-8", framing);
    if (!c->head_only)
        out_add(c, body, n);
}

static void refuse(struct client *c, const char *status)
{
    c->close = true;
    c->body = BODY_NONE;
    c->in_n = 0;
    respond(c, status, status, strlen(status));
}

/* Sends what the socket takes. False when the connection is lost. */
static bool flush(struct client *c)
{
    while (c->out_at < c->out_n || c->fill) {
        bool own = c->out_at < c->out_n;
        const char *p = own ? c->out + c->out_at : block;
        size_t n = own ? c->out_n - c->out_at : c->fill < sizeof(block) ? c->fill : sizeof(block);
        ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        if (own)
            c->out_at += (size_t)sent;
        else
            c->fill -= (uint64_t)sent;
    }
    if (c->out_cap > OUT_MAX) {
        free(c->out);
        c->out = NULL;
        c->out_cap = 0;
    }
    c->out_at = c->out_n = 0;
    return true;
}

/* ---- requests ---- */

static bool span_is(const char *p, size_t n, const char *z)
{
    return n == strlen(z) && strncasecmp(p, z, n) == 0;
}

static uint64_t query_number(const struct request *r, const char *key, uint64_t def, uint64_t max)
{
    size_t key_n = strlen(key);
    const char *at = r->query, *end = r->query + r->query_n;

    while (at < end) {
        const char *amp = memchr(at, '&', (size_t)(end - at));
        const char *stop = amp ? amp : end;
        if ((size_t)(stop - at) > key_n && strncmp(at, key, key_n) == 0 && at[key_n] == '=') {
            uint64_t v = 0;
            for (at += key_n + 1; at < stop && *at >= '0' && *at <= '9' && v <= max; at++)
                v = v * 10 + (uint64_t)(*at - '0');
            return v < max ? v : max;
        }
        at = stop + 1;
    }
    return def;
}

static void sleep_until(struct client *c, int64_t when)
{
    struct client **at = &sleepers, *last = NULL;

    c->wake_ms = when;
    c->company = ++sleeping;
    while (*at && (*at)->wake_ms <= when) {
        last = *at;
        at = &last->next;
    }
    c->next = *at;
    c->prev = last;
    if (c->next)
        c->next->prev = c;
    *at = c;
}

static void sleep_end(struct client *c)
{
    if (!c->wake_ms)
        return;
    if (c->prev)
        c->prev->next = c->next;
    else
        sleepers = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->next = c->prev = NULL;
    c->wake_ms = 0;
    sleeping--;
}

static void answer_slept(struct client *c)
{
    char framing[96];

    snprintf(framing, sizeof(framing), "X-Concurrency: %u\r\nContent-Length: 6\r\n", c->company);
    out_head(c, "200 OK", "text/plain; charset=utf-8", framing);
    if (!c->head_only)
        out_add(c, "slept\n", 6);
}

static void answer_hello(struct client *c)
{
    if (!c->close && !c->head_only)
        out_add(c, hello, hello_n);
    else
        respond(c, "200 OK", hello + hello_n - hello_body_n, hello_body_n);
}

static void answer_env(struct client *c)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    for (char **e = environ; f && *e; e++)
        fprintf(f, "%s\n", *e);
    if (f)
        fclose(f);
    respond(c, "200 OK", text ? text : "", n);
    free(text);
}

static void answer_bytes(struct client *c, uint64_t n)
{
    char framing[64];

    snprintf(framing, sizeof(framing), "Content-Length: %" PRIu64 "\r\n", n);
    out_head(c, "200 OK", "application/octet-stream", framing);
    if (!c->head_only)
        c->fill = n;
}

/* The echo is framed as the request was, so it can start before the body is complete. */
static void answer_echo(struct client *c, const struct request *r)
{
    char framing[64];

    if (c->body == CHUNK_SIZE && r->http10) {
        refuse(c, "400 Bad Request");
        return;
    }
    if (c->body == CHUNK_SIZE)
        snprintf(framing, sizeof(framing), "Transfer-Encoding: chunked\r\n");
    else
        snprintf(framing, sizeof(framing), "Content-Length: %" PRIu64 "\r\n", c->left);
    out_head(c, "200 OK", "application/octet-stream", framing);
    c->echo = !c->head_only;
    c->echo_chunked = c->body == CHUNK_SIZE;
}

static void answer(struct client *c, const struct request *r)
{
    if (span_is(r->path, r->path_n, "/"))
        answer_hello(c);
    else if (span_is(r->path, r->path_n, "/sleep"))
        sleep_until(c, now_ms() + (int64_t)query_number(r, "ms", 1000, 3600000));
    else if (span_is(r->path, r->path_n, "/bytes"))
        answer_bytes(c, query_number(r, "n", 1024, UINT64_C(1) << 40));
    else if (span_is(r->path, r->path_n, "/env"))
        answer_env(c);
    else if (span_is(r->path, r->path_n, "/headers"))
        respond(c, "200 OK", r->head, r->head_n);
    else if (span_is(r->path, r->path_n, "/echo"))
        answer_echo(c, r);
    else if (span_is(r->path, r->path_n, "/exit")) {
        c->exit_code = (int)query_number(r, "code", 0, 255);
        c->close = true;
        respond(c, "200 OK", "bye\n", 4);
    } else
        respond(c, "404 Not Found", "not found\n", 10);
}

static bool parse_length(const char *p, size_t n, uint64_t *ret)
{
    uint64_t v = 0;

    if (n == 0 || n > 18)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(p[i] - '0');
    }
    *ret = v;
    return true;
}

static bool apply_field(struct client *c, const char *name, size_t name_n, const char *v, size_t n)
{
    uint64_t length;

    if (span_is(name, name_n, "content-length")) {
        if (!parse_length(v, n, &length) || c->body != BODY_NONE)
            return false;
        c->left = length;
        c->body = BODY_LENGTH;
    } else if (span_is(name, name_n, "transfer-encoding")) {
        if (!span_is(v, n, "chunked") || c->body != BODY_NONE)
            return false;
        c->body = CHUNK_SIZE;
    } else if (span_is(name, name_n, "connection")) {
        if (span_is(v, n, "close"))
            c->close = true;
        else if (span_is(v, n, "keep-alive") && !terminating)
            c->close = false;
    } else if (span_is(name, name_n, "expect") && span_is(v, n, "100-continue"))
        out_add(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    return true;
}

static bool parse_fields(struct client *c, const char *at, const char *end)
{
    while (at < end) {
        const char *eol = memchr(at, '\r', (size_t)(end - at));
        const char *stop = eol ? eol : end;
        const char *colon = memchr(at, ':', (size_t)(stop - at));
        if (!colon || colon == at)
            return false;
        const char *v = colon + 1, *v_end = stop;
        while (v < v_end && (*v == ' ' || *v == '\t'))
            v++;
        while (v_end > v && (v_end[-1] == ' ' || v_end[-1] == '\t'))
            v_end--;
        if (!apply_field(c, at, (size_t)(colon - at), v, (size_t)(v_end - v)))
            return false;
        at = stop + 2;
    }
    return true;
}

static bool parse_line(struct request *r, const char *eol)
{
    const char *sp = memchr(r->head, ' ', (size_t)(eol - r->head));
    const char *sp2 = sp ? memchr(sp + 1, ' ', (size_t)(eol - sp - 1)) : NULL;

    if (!sp2 || sp == r->head || eol - sp2 != 9 || strncmp(sp2, " HTTP/1.", 8) != 0)
        return false;
    r->method = r->head;
    r->method_n = (size_t)(sp - r->head);
    r->path = sp + 1;
    r->path_n = (size_t)(sp2 - sp - 1);
    r->http10 = sp2[8] == '0';
    const char *q = memchr(r->path, '?', r->path_n);
    r->query = q ? q + 1 : sp2;
    r->query_n = (size_t)(sp2 - r->query);
    if (q)
        r->path_n = (size_t)(q - r->path);
    return true;
}

/* Takes one request head from the input; false when there is none yet. */
static bool take_head(struct client *c)
{
    char *end = memmem(c->in, c->in_n, "\r\n\r\n", 4);
    struct request r = {.head = c->in};

    if (!end) {
        if (c->in_n == IN_MAX)
            refuse(c, "431 Request Header Fields Too Large");
        return false;
    }
    r.head_n = (size_t)(end - c->in) + 2;
    const char *eol = memchr(c->in, '\r', r.head_n);
    c->body = BODY_NONE;
    c->left = 0;
    c->echo = false;
    if (!parse_line(&r, eol)) {
        refuse(c, "400 Bad Request");
        return false;
    }
    c->close = r.http10 || terminating;
    c->head_only = span_is(r.method, r.method_n, "HEAD");
    if (!parse_fields(c, eol + 2, end)) {
        refuse(c, "400 Bad Request");
        return false;
    }
    answer(c, &r);
    size_t used = r.head_n + 2;
    if (c->in_n >= used) {
        memmove(c->in, c->in + used, c->in_n - used);
        c->in_n -= used;
    }
    return true;
}

static void echo_data(struct client *c, const char *p, size_t n)
{
    char size[24];

    if (!c->echo)
        return;
    if (c->echo_chunked)
        out_add(c, size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", n));
    out_add(c, p, n);
    if (c->echo_chunked)
        out_add(c, "\r\n", 2);
}

/* A line of the chunked framing without its end; NULL while incomplete. */
static char *take_line(struct client *c, size_t *at)
{
    char *line = c->in + *at;
    char *eol = memmem(line, c->in_n - *at, "\r\n", 2);

    if (!eol)
        return NULL;
    *eol = '\0';
    *at += (size_t)(eol - line) + 2;
    return line;
}

static bool body_step(struct client *c, size_t *at)
{
    size_t have = c->in_n - *at, n = c->left < have ? (size_t)c->left : have;
    char *line, *stop;

    switch (c->body) {
    case BODY_LENGTH:
    case CHUNK_DATA:
        if (n)
            echo_data(c, c->in + *at, n);
        *at += n;
        c->left -= n;
        if (c->left)
            return false;
        c->body = c->body == CHUNK_DATA ? CHUNK_END : BODY_NONE;
        return true;
    case CHUNK_SIZE:
        if (!(line = take_line(c, at)))
            return false;
        errno = 0;
        c->left = strtoull(line, &stop, 16);
        if (stop == line || (*stop && *stop != ';') || errno || *line == '-' || *line == '+') {
            refuse(c, "400 Bad Request");
            *at = 0;
            return false;
        }
        c->body = c->left ? CHUNK_DATA : CHUNK_TRAILER;
        return true;
    case CHUNK_END:
        if (!take_line(c, at))
            return false;
        c->body = CHUNK_SIZE;
        return true;
    case CHUNK_TRAILER:
        if (!(line = take_line(c, at)))
            return false;
        if (!*line) {
            c->body = BODY_NONE;
            if (c->echo && c->echo_chunked)
                out_add(c, "0\r\n\r\n", 5);
        }
        return true;
    case BODY_NONE:
        break;
    }
    return false;
}

static void take_body(struct client *c)
{
    size_t at = 0;

    while (c->body != BODY_NONE && body_step(c, &at))
        ;
    memmove(c->in, c->in + at, c->in_n - at);
    c->in_n -= at;
    if (c->in_n == IN_MAX && c->body != BODY_NONE)
        refuse(c, "400 Bad Request");
}

static bool busy(const struct client *c)
{
    return c->wake_ms || c->fill || c->body != BODY_NONE || c->out_at < c->out_n;
}

static void process(struct client *c)
{
    while (c->in_n && !c->wake_ms && !c->fill && c->out_n - c->out_at < OUT_MAX) {
        if (c->body != BODY_NONE) {
            size_t before = c->in_n;
            take_body(c);
            if (c->in_n == before)
                break;
        } else if (c->close || !take_head(c))
            break;
    }
    /* An empty body ends without further input. */
    if (c->body == BODY_LENGTH && !c->left)
        c->body = BODY_NONE;
}

/* ---- connections ---- */

static void client_close(struct client *c)
{
    sleep_end(c);
    close(c->fd);
    c->fd = -1;
    if (c->all_prev)
        c->all_prev->all_next = c->all_next;
    else
        clients = c->all_next;
    if (c->all_next)
        c->all_next->all_prev = c->all_prev;
    c->all_next = dead;
    dead = c;
}

/* Freed after the round, since events of it may still be in the array. */
static void bury(void)
{
    while (dead) {
        struct client *c = dead;
        dead = c->all_next;
        free(c->out);
        free(c);
    }
}

static void watch(struct client *c)
{
    bool unsent = c->out_at < c->out_n || c->fill;
    uint32_t want = unsent ? EPOLLOUT : 0;

    if (!c->eof && !c->wake_ms && c->in_n < IN_MAX && c->out_n - c->out_at < OUT_MAX && !c->fill)
        want |= EPOLLIN;
    if (want == c->events)
        return;
    struct epoll_event ev = {.events = want, .data.ptr = c};
    epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &ev);
    c->events = want;
}

/* Works off what has been read, sends, and decides what the connection waits for. */
static void advance(struct client *c)
{
    size_t before;

    do {
        before = c->in_n;
        process(c);
        if (!flush(c)) {
            client_close(c);
            return;
        }
    } while (c->in_n != before && c->in_n && !busy(c));
    bool sent = !c->wake_ms && !c->fill && c->out_at == c->out_n;
    if (sent && c->exit_code >= 0)
        exit(c->exit_code);
    if (sent && ((c->close && c->body == BODY_NONE) || c->eof))
        client_close(c);
    else
        watch(c);
}

static void on_readable(struct client *c)
{
    ssize_t n = recv(c->fd, c->in + c->in_n, IN_MAX - c->in_n, 0);

    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            client_close(c);
        return;
    }
    if (n == 0)
        c->eof = true;
    c->in_n += (size_t)n;
    advance(c);
}

static void on_accept(void)
{
    for (int i = 0; i < 64; i++) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct client *c = malloc(sizeof(*c));
        if (!c) {
            close(fd);
            return;
        }
        memset(c, 0, offsetof(struct client, in));
        c->fd = fd;
        c->exit_code = -1;
        c->events = EPOLLIN;
        c->all_next = clients;
        if (clients)
            clients->all_prev = c;
        clients = c;
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
            client_close(c);
        else
            on_readable(c); /* the request is usually there already */
    }
}

static void wake_sleepers(void)
{
    int64_t now = now_ms();

    while (sleepers && sleepers->wake_ms <= now) {
        struct client *c = sleepers;
        sleep_end(c);
        answer_slept(c);
        advance(c);
    }
}

/* ---- start and end ---- */

static void on_term(int signum)
{
    (void)signum;
    terminating = 1;
}

static bool finished(void)
{
    for (struct client *c = clients; c; c = c->all_next)
        if (busy(c) || c->in_n)
            return false;
    return true;
}

static int listen_on(int port)
{
    int one = 1, zero = 0;
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr *a = (struct sockaddr *)&a6;
    socklen_t a_n = sizeof(a6);

    if (fd >= 0)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
    else {
        fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        a = (struct sockaddr *)&a4;
        a_n = sizeof(a4);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (fd < 0 || bind(fd, a, a_n) < 0 || listen(fd, 4096) < 0) {
        fprintf(stderr, "hello: cannot listen on port %d: %s\n", port, strerror(errno));
        exit(1);
    }
    return fd;
}

static void prepare_answers(void)
{
    const char *target = getenv("TARGET"), *rev = getenv("K_REVISION");
    char body[512];

    hello_body_n =
        (size_t)snprintf(body, sizeof(body), "Hello %.490s!\n", target ? target : "World");
    if (rev && *rev && !strpbrk(rev, "\r\n"))
        snprintf(revision, sizeof(revision), "K-Revision: %.300s\r\n", rev);
    hello_n = (size_t)snprintf(hello, sizeof(hello),
                               "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                               "%sContent-Length: %zu\r\n\r\n%s",
                               revision, hello_body_n, body);
    memset(block, 'x', sizeof(block));
}

static void serve(void)
{
    struct epoll_event ev[MAX_EVENT];
    sigset_t none;
    bool accepting = true;

    sigemptyset(&none);
    for (;;) {
        int64_t wait = sleepers ? sleepers->wake_ms - now_ms() : -1;
        int n = epoll_pwait(epfd, ev, MAX_EVENT, sleepers && wait < 0 ? 0 : (int)wait, &none);
        for (int i = 0; i < n; i++) {
            struct client *c = ev[i].data.ptr;
            if (!c)
                on_accept();
            else if (c->fd >= 0 && (ev[i].events & EPOLLIN))
                on_readable(c);
            else if (c->fd >= 0 && (ev[i].events & (EPOLLERR | EPOLLHUP)))
                client_close(c);
            else if (c->fd >= 0)
                advance(c);
        }
        wake_sleepers();
        bury();
        if (terminating && accepting) {
            on_accept(); /* those that the kernel has accepted already */
            close(listen_fd);
            accepting = false;
        }
        if (terminating && finished())
            return;
    }
}

int main(void)
{
    struct sigaction term = {.sa_handler = on_term};
    struct rlimit files = {0};
    sigset_t blocked;
    const char *port = getenv("PORT");

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    sigaction(SIGTERM, &term, NULL);
    sigaction(SIGINT, &term, NULL);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    prepare_answers();
    epfd = epoll_create1(EPOLL_CLOEXEC);
    listen_fd = listen_on(port && *port ? atoi(port) : 8080);
    dprintf(STDERR_FILENO, "hello: listening on port %s\n", port && *port ? port : "8080");
    struct epoll_event ev = {.events = EPOLLIN};
    epoll_ctl(epfd, EPOLL_CTL_ADD, listen_fd, &ev);
    serve();
    return 0;
}
