/*
 * One item per known key with its state in four facts: ready (in the line), running (handed out),
 * dirty (to be put in line again when done), and a place in the heap of delays. An item without any
 * of them and without failures is forgotten.
 */
#include "kube/workqueue.h"

#include "base/clock.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"

#define DELAY_MAX_NS (366LL * 24 * 3600 * NS_PER_SEC)

struct item {
    struct list line;
    struct heap_node due;
    int failures;
    bool ready, running, dirty;
    char key[];
};

struct workqueue {
    struct map *items;
    struct list line;
    struct heap delayed;
    size_t n_ready;
    int64_t base, max;
};

struct workqueue *wq_new(int64_t base_delay_ns, int64_t max_delay_ns)
{
    struct workqueue *q = xnew(struct workqueue);

    q->items = map_new(free);
    list_init(&q->line);
    q->base = base_delay_ns ? base_delay_ns : 5 * NS_PER_MS;
    q->max = max_delay_ns ? max_delay_ns : 1000 * NS_PER_SEC;
    return q;
}

void wq_free(struct workqueue *q)
{
    if (!q)
        return;
    heap_done(&q->delayed);
    map_free(q->items);
    free(q);
}

static struct item *item_of(struct workqueue *q, const char *key)
{
    struct item *it = map_get(q->items, key);

    if (it)
        return it;
    it = xcalloc(1, sizeof(*it) + strlen(key) + 1);
    list_init(&it->line);
    it->due.at = HEAP_NONE;
    strcpy(it->key, key);
    map_set(q->items, key, it);
    return it;
}

static void drop_if_idle(struct workqueue *q, struct item *it)
{
    if (!it->ready && !it->running && !it->failures && it->due.at == HEAP_NONE)
        map_del(q->items, it->key);
}

static void line_up(struct workqueue *q, struct item *it)
{
    if (it->due.at != HEAP_NONE)
        heap_remove(&q->delayed, &it->due);
    if (it->running) {
        it->dirty = true;
    } else if (!it->ready) {
        it->ready = true;
        q->n_ready++;
        list_push_back(&q->line, &it->line);
    }
}

void wq_add(struct workqueue *q, const char *key)
{
    line_up(q, item_of(q, key));
}

void wq_add_after(struct workqueue *q, const char *key, int64_t now_ns, int64_t delay_ns)
{
    struct item *it = item_of(q, key);

    if (delay_ns > DELAY_MAX_NS)
        delay_ns = DELAY_MAX_NS; /* nobody waits that long; sums stay in range */
    if (delay_ns <= 0) {
        line_up(q, it);
        return;
    }
    if (it->ready || (it->due.at != HEAP_NONE && it->due.key <= now_ns + delay_ns))
        return;
    if (it->due.at != HEAP_NONE)
        heap_remove(&q->delayed, &it->due);
    it->due.key = now_ns + delay_ns;
    heap_push(&q->delayed, &it->due);
}

void wq_add_rate_limited(struct workqueue *q, const char *key, int64_t now_ns)
{
    struct item *it = item_of(q, key);
    int64_t delay = it->failures < 40 ? q->base << (it->failures < 30 ? it->failures : 30) : q->max;

    it->failures++;
    wq_add_after(q, key, now_ns, delay < q->max ? delay : q->max);
}

void wq_forget(struct workqueue *q, const char *key)
{
    struct item *it = map_get(q->items, key);

    if (!it)
        return;
    it->failures = 0;
    drop_if_idle(q, it);
}

int wq_failures(const struct workqueue *q, const char *key)
{
    const struct item *it = map_get(q->items, key);

    return it ? it->failures : 0;
}

char *wq_get(struct workqueue *q, int64_t now_ns)
{
    for (struct heap_node *n; (n = heap_peek(&q->delayed)) && n->key <= now_ns;) {
        heap_pop(&q->delayed);
        line_up(q, container_of(n, struct item, due));
    }
    if (list_empty(&q->line))
        return NULL;

    struct item *it = list_entry(q->line.next, struct item, line);
    list_del(&it->line);
    it->ready = false;
    it->running = true;
    q->n_ready--;
    return xstrdup(it->key);
}

void wq_done(struct workqueue *q, const char *key)
{
    struct item *it = map_get(q->items, key);

    if (!it)
        return;
    it->running = false;
    if (it->dirty) {
        it->dirty = false;
        line_up(q, it);
    }
    drop_if_idle(q, it);
}

int64_t wq_next_due(const struct workqueue *q)
{
    if (!list_empty(&q->line))
        return 0;
    struct heap_node *n = heap_peek(&q->delayed);
    return n ? n->key : INT64_MAX;
}

size_t wq_len(const struct workqueue *q)
{
    return q->n_ready;
}
