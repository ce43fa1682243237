/*
 * Open addressing over a dense entry array: `slots` holds entry index + 1, entries keep insertion
 * order. Deleted entries leave a tombstone (key NULL) that the next rehash drops.
 * Keys are names that strangers choose, so the hash has a key of its own.
 */
#include "base/map.h"

#include <stdint.h>

struct entry {
    char *key;
    uint32_t len;
    uint32_t hash;
    void *value;
};

struct map {
    struct entry *entries;
    uint32_t *slots;
    size_t used; /* entries in use, tombstones included */
    size_t live;
    size_t cap; /* slots, a power of two */
    void (*free_value)(void *);
};

struct map *map_new(void (*free_value)(void *))
{
    struct map *m = xnew(struct map);

    m->free_value = free_value;
    return m;
}

void map_clear(struct map *m)
{
    for (size_t i = 0; i < m->used; i++) {
        if (!m->entries[i].key)
            continue;
        if (m->free_value && m->entries[i].value)
            m->free_value(m->entries[i].value);
        free(m->entries[i].key);
    }
    free(m->entries);
    free(m->slots);
    m->entries = NULL;
    m->slots = NULL;
    m->used = m->live = m->cap = 0;
}

void map_free(struct map *m)
{
    if (!m)
        return;
    map_clear(m);
    free(m);
}

size_t map_len(const struct map *m)
{
    return m ? m->live : 0;
}

static void place(struct map *m, size_t index)
{
    size_t at = m->entries[index].hash & (m->cap - 1);

    while (m->slots[at])
        at = (at + 1) & (m->cap - 1);
    m->slots[at] = (uint32_t)index + 1;
}

static void rehash(struct map *m)
{
    size_t cap = 4, n = 0;

    /* With room to spare: a map whose keys come and go would rehash at every turn at the limit. */
    while (cap < m->live * 2 + m->live / 4 + 2)
        cap *= 2;
    struct entry *fresh = xcalloc(cap / 2 + 1, sizeof(*fresh));
    for (size_t i = 0; i < m->used; i++) {
        if (m->entries[i].key)
            fresh[n++] = m->entries[i];
    }
    free(m->entries);
    free(m->slots);
    m->entries = fresh;
    m->slots = xcalloc(cap, sizeof(*m->slots));
    m->cap = cap;
    m->used = n;
    for (size_t i = 0; i < n; i++)
        place(m, i);
}

static struct entry *find(const struct map *m, const char *key, size_t n, uint32_t hash)
{
    if (!m || !m->cap)
        return NULL;
    for (size_t at = hash & (m->cap - 1); m->slots[at]; at = (at + 1) & (m->cap - 1)) {
        struct entry *e = &m->entries[m->slots[at] - 1];
        if (e->key && e->hash == hash && e->len == n && memcmp(e->key, key, n) == 0)
            return e;
    }
    return NULL;
}

void *map_getn(const struct map *m, const char *key, size_t n)
{
    struct entry *e = find(m, key, n, (uint32_t)hash_keyed(key, n));

    return e ? e->value : NULL;
}

void *map_get(const struct map *m, const char *key)
{
    return map_getn(m, key, strlen(key));
}

bool map_has(const struct map *m, const char *key)
{
    size_t n = strlen(key);

    return find(m, key, n, (uint32_t)hash_keyed(key, n)) != NULL;
}

void map_setn(struct map *m, const char *key, size_t n, void *value)
{
    uint32_t hash = (uint32_t)hash_keyed(key, n);
    struct entry *e = find(m, key, n, hash);

    if (e) {
        if (m->free_value && e->value && e->value != value)
            m->free_value(e->value);
        e->value = value;
        return;
    }
    if (m->used + 1 > m->cap / 2)
        rehash(m);
    m->entries[m->used] = (struct entry){xstrndup(key, n), (uint32_t)n, hash, value};
    place(m, m->used);
    m->used++;
    m->live++;
}

void map_set(struct map *m, const char *key, void *value)
{
    map_setn(m, key, strlen(key), value);
}

void *map_take(struct map *m, const char *key)
{
    size_t n = strlen(key);
    struct entry *e = find(m, key, n, (uint32_t)hash_keyed(key, n));

    if (!e)
        return NULL;
    void *value = e->value;
    free(e->key);
    e->key = NULL;
    e->value = NULL;
    m->live--;
    return value;
}

bool map_del(struct map *m, const char *key)
{
    if (!map_has(m, key))
        return false;
    void *value = map_take(m, key);
    if (m->free_value && value)
        m->free_value(value);
    return true;
}

bool map_next(const struct map *m, size_t *it, const char **ret_key, void *ret_value)
{
    while (m && *it < m->used) {
        struct entry *e = &m->entries[(*it)++];
        if (!e->key)
            continue;
        if (ret_key)
            *ret_key = e->key;
        if (ret_value)
            *(void **)ret_value = e->value;
        return true;
    }
    return false;
}
