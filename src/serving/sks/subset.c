/*
 * Items lie on a circle of 2048 points, each where its name hashed with the target falls (or, if
 * taken, where further hashing leads). The target gives a first angle and a stride; each stop takes
 * the next free item clockwise.
 */
#include "serving/sks/subset.h"

#include <inttypes.h>
#include <stdint.h>

#include "base/str.h"
#include "base/vec.h"

#define UNIVERSE 2048

struct point {
    unsigned at;
    size_t item;
};

static uint64_t hash(const char *s)
{
    return hash_fnv64(s, strlen(s));
}

static unsigned salted(const char *target, const char *salt)
{
    _cleanup_free_ char *s = xasprintf("%s%s", target, salt);

    return (unsigned)(hash(s) % UNIVERSE);
}

static unsigned place(const char *item, const char *target, bool taken[static UNIVERSE])
{
    char *s = xasprintf("%s%s", item, target);
    uint64_t h = hash(s);

    while (taken[h % UNIVERSE]) {
        char *longer = xasprintf("%s%" PRIx64, s, h);
        free(s);
        s = longer;
        h = hash(s);
    }
    free(s);
    taken[h % UNIVERSE] = true;
    return (unsigned)(h % UNIVERSE);
}

static int by_place(const void *a, const void *b)
{
    const struct point *x = a, *y = b;

    return (x->at > y->at) - (x->at < y->at);
}

static size_t first_from(const struct point *points, size_t n, unsigned angle)
{
    for (size_t i = 0; i < n; i++) {
        if (points[i].at >= angle)
            return i;
    }
    return 0;
}

void choose_subset(const char *const *items, size_t n, size_t n_choose, const char *target,
                   bool *chosen)
{
    bool taken[UNIVERSE] = {false};

    if (n_choose >= n || n > UNIVERSE / 2) {
        memset(chosen, true, n);
        return;
    }
    memset(chosen, false, n);
    _cleanup_free_ struct point *points = xcalloc(n, sizeof(*points));
    for (size_t i = 0; i < n; i++)
        points[i] = (struct point){place(items[i], target, taken), i};
    qsort(points, n, sizeof(*points), by_place);
    unsigned angle = salted(target, "start-angle-salt"), stride = salted(target, "step-angle-salt");
    for (size_t k = 0; k < n_choose; k++) {
        size_t at = first_from(points, n, angle);
        while (chosen[points[at].item])
            at = (at + 1) % n;
        chosen[points[at].item] = true;
        angle = (angle + stride) % UNIVERSE;
    }
}
