/*
 * Container output is the file that the process writes to itself, so it is whole whatever becomes
 * of us; the price is that lines carry no times. A request for a log hops to the node's loop to
 * learn which file it is and whether its writer still runs, and is then served on the loop it came
 * from, in steps that wait while the reader is slow.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/str.h"
#include "cluster/node/kubelet/logs.h"
#include "cluster/node/runtime/files.h"

#define CHUNK     (64 * 1024)
#define TURN      16 /* chunks sent before others get their turn */
#define FOLLOW_MS 100
#define STOPPING  "the node agent is stopping"
#define SLOW_MS   10
#define ASK_TURNS 5 /* looks at the file between questions whether the writer runs */

struct log_request {
    struct kubelet_door *door;
    struct loop *loop;       /* the exchange's */
    struct http_exchange *x; /* NULL once over */
    char *ns, *pod, *container;
    bool follow, previous;
    int64_t tail, limit, since_s; /* -1 = not given */
    /* answers of the node's loop */
    bool asking;
    char *path;
    bool running;
    int status; /* 0 = found */
    char *message;
    /* serving */
    int fd;
    struct timer *timer;
    int turns;
};

static void request_free(struct log_request *q)
{
    if (q->x || q->asking)
        return;
    kubelet_door_unref(q->door);
    timer_free(q->timer);
    closep(&q->fd);
    free(q->ns);
    free(q->pod);
    free(q->container);
    free(q->path);
    free(q->message);
    free(q);
}

static void reply_error(struct log_request *q, int code, const char *reason, const char *message)
{
    struct http_exchange *x = steal(&q->x);
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    yyjson_mut_doc_set_root(d, root);
    jm_set_str(d, root, "Status", "kind");
    jm_set_str(d, root, "v1", "apiVersion");
    jm_obj(d, root, "metadata");
    jm_set_str(d, root, "Failure", "status");
    jm_set_str(d, root, message, "message");
    jm_set_str(d, root, reason, "reason");
    jm_set_int(d, root, code, "code");
    size_t n;
    _cleanup_free_ char *text = json_mut_text(root, &n);
    http_reply(x, code, "application/json", text, n);
    request_free(q);
}

/* ---- on the node's loop: which file ---- */
static void refuse(struct log_request *q, int status, char *message)
{
    free(q->message);
    q->status = status;
    q->message = message;
}

static struct container *find_container(struct log_request *q, struct pod *p)
{
    const char *name = q->container;
    size_t n;
    struct container *all = pod_containers(p, &n);
    if (!name)
        name = kobj_annotation(pod_object(p), "kubectl.kubernetes.io/default-container");
    size_t apps = 0;
    struct container *only = NULL;
    for (size_t i = 0; i < n; i++) {
        struct container *c = &all[i];
        if (name && streq(c->name, name))
            return c;
        apps += !c->init;
        only = c->init ? only : c;
    }
    if (!name && apps == 1)
        return only;
    refuse(q, 400,
           name ? xasprintf("container %s is not valid for pod %s", name, q->pod)
                : xasprintf("a container name must be specified for pod %s", q->pod));
    return NULL;
}

static void locate_in(struct log_request *q, const struct container *c)
{
    int attempt = c->attempt - (q->previous ? 1 : 0);
    _cleanup_free_ char *path = attempt < 0 ? NULL : container_log(c, attempt);
    if (!path || (q->previous && access(path, F_OK) < 0)) {
        refuse(q, 400,
               xasprintf("previous terminated container \"%s\" in pod \"%s\" not found", c->name,
                         q->pod));
        return;
    }
    bool begun = access(path, F_OK) == 0;
    /* While a container waits to be started again, its log is that of the run before. */
    if (!begun && !q->previous && attempt > 0) {
        free(path);
        path = container_log(c, attempt - 1);
        begun = access(path, F_OK) == 0;
    }
    if (!begun) {
        refuse(q, 400,
               xasprintf("container \"%s\" in pod \"%s\" is waiting to start: %s", c->name, q->pod,
                         c->wait_reason ? c->wait_reason : "ContainerCreating"));
        return;
    }
    if (!q->path)
        q->path = steal(&path);
    _cleanup_free_ char *current = container_log(c, c->attempt);
    q->running = !q->previous && container_alive(c) && streq(current, q->path);
}

static void located(void *arg);

static void locate(void *arg)
{
    struct log_request *q = arg;
    struct pod_table *pods = kubelet_door_pods(q->door);
    struct pod *p = pods ? pod_table_find(pods, q->ns, q->pod) : NULL;
    q->running = false;
    struct container *c = p ? find_container(q, p) : NULL;
    if (!pods)
        refuse(q, 503, xstrdup(STOPPING));
    else if (!p)
        refuse(q, 404, xasprintf("pods \"%s\" not found on this node", q->pod));
    else if (c)
        locate_in(q, c);
    loop_post(q->loop, located, q);
}

static void ask(struct log_request *q)
{
    q->asking = true;
    if (kubelet_door_post(q->door, locate, q))
        return;
    q->asking = q->running = false;
    refuse(q, 503, xstrdup(STOPPING));
}

/* ---- on the exchange's loop: sending ---- */
/* Offset at which the last n lines begin. */
static off_t tail_offset(int fd, off_t size, int64_t n)
{
    char part[4096];
    off_t at = size;
    while (at > 0) {
        size_t len = at < (off_t)sizeof part ? (size_t)at : sizeof part;
        at -= (off_t)len;
        if (pread(fd, part, len, at) != (ssize_t)len)
            return 0;
        for (size_t i = len; i-- > 0;) {
            bool last = at + (off_t)i == size - 1;
            if (part[i] == '\n' && !last && --n <= 0)
                return at + (off_t)i + 1;
        }
    }
    return 0;
}

/* Times of lines are not known, so "since" can only leave out a file that nobody has written to
 * since then. */
static bool too_old(const struct log_request *q, const struct stat *st)
{
    return q->since_s >= 0 && time(NULL) - st->st_mtime > q->since_s;
}

static int open_at_tail(struct log_request *q)
{
    struct stat st;
    q->fd = open(q->path, O_RDONLY | O_CLOEXEC);
    if (q->fd < 0 || fstat(q->fd, &st) < 0)
        return -errno;
    off_t from = 0;
    if (q->tail == 0 || too_old(q, &st))
        from = st.st_size;
    else if (q->tail > 0)
        from = tail_offset(q->fd, st.st_size, q->tail);
    return lseek(q->fd, from, SEEK_SET) < 0 ? -errno : 0;
}

static void finish(struct log_request *q)
{
    http_end(steal(&q->x));
    request_free(q);
}

/* A rotated file is shorter than where we are: go on at its start. */
static void follow_rotation(struct log_request *q)
{
    struct stat st;
    if (fstat(q->fd, &st) == 0 && lseek(q->fd, 0, SEEK_CUR) > st.st_size)
        lseek(q->fd, 0, SEEK_SET);
}

static void pump(void *ctx)
{
    struct log_request *q = ctx;
    char *part = xmalloc(CHUNK);
    ssize_t n = 0, waiting = 0;
    follow_rotation(q);
    for (int i = 0; i < TURN && waiting >= 0 && waiting < LIMIT_CONN_OUT; i++) {
        size_t want = q->limit >= 0 && q->limit < CHUNK ? (size_t)q->limit : CHUNK;
        n = want ? read(q->fd, part, want) : 0;
        if (n <= 0)
            break;
        if (q->limit >= 0)
            q->limit -= n;
        waiting = http_chunk(q->x, part, (size_t)n);
    }
    free(part);
    if (n > 0) {
        timer_start(q->timer, waiting > 0 ? SLOW_MS : 0);
        return;
    }
    if (!q->follow || q->limit == 0 || (!q->asking && !q->running)) {
        finish(q);
        return;
    }
    if (++q->turns % ASK_TURNS == 0 && !q->asking)
        ask(q);
    timer_start(q->timer, FOLLOW_MS);
}

static void reader_left(void *ctx)
{
    struct log_request *q = ctx;
    q->x = NULL;
    timer_stop(q->timer);
    request_free(q);
}

static void serve(struct log_request *q)
{
    if (open_at_tail(q) < 0) {
        reply_error(q, 500, "InternalError", "the log file cannot be read");
        return;
    }
    q->timer = timer_new(q->loop, pump, q);
    http_on_close(q->x, reader_left, q);
    http_start(q->x, 200, "text/plain");
    timer_start(q->timer, 0);
}

static const char *reason_of(int status)
{
    return status == 404 ? "NotFound" : status == 503 ? "ServiceUnavailable" : "BadRequest";
}

static void located(void *arg)
{
    struct log_request *q = arg;
    q->asking = false;
    if (!q->x)
        request_free(q);
    else if (q->fd >= 0)
        return; /* the answer to a later question: `running` */
    else if (q->status)
        reply_error(q, q->status, reason_of(q->status), q->message);
    else
        serve(q);
}

/* ---- the request ---- */
static int64_t number(struct str query, const char *name)
{
    _cleanup_free_ char *text = http_query_get(query, name);
    int64_t v;
    return text && str_i64(str_of(text), &v) == 0 && v >= 0 ? v : -1;
}

static bool flag(struct str query, const char *name)
{
    _cleanup_free_ char *text = http_query_get(query, name);
    return text && (streq(text, "true") || streq(text, "1") || !*text);
}

static void left_early(void *ctx)
{
    struct log_request *q = ctx;
    q->x = NULL;
}

void kubelet_pod_log(struct kubelet_door *door, struct http_exchange *x, const char *ns,
                     const char *pod)
{
    struct str query = http_query(x);
    struct log_request *q = xnew(struct log_request);
    q->door = kubelet_door_ref(door);
    q->loop = http_loop(x);
    q->x = x;
    q->fd = -1;
    q->ns = xstrdup(ns);
    q->pod = xstrdup(pod);
    q->container = http_query_get(query, "container");
    if (q->container && !*q->container)
        free(steal(&q->container));
    q->follow = flag(query, "follow");
    q->previous = flag(query, "previous");
    q->tail = number(query, "tailLines");
    q->limit = number(query, "limitBytes");
    q->since_s = number(query, "sinceSeconds");
    if (flag(query, "timestamps")) {
        reply_error(q, 400, "BadRequest",
                    "log lines carry no times on this node: ask without "
                    "timestamps");
        return;
    }
    http_on_close(x, left_early, q);
    ask(q);
    if (!q->asking)
        reply_error(q, 503, "ServiceUnavailable", q->message);
}
