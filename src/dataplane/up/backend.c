/* A backend as a worker sees it: its settings, who is inside, its share of the slots. */
#include "base/clock.h"
#include "dataplane/up/impl.h"

#include <stdio.h>

/* ---- who is inside ---- */

static void count(struct dp_up *u, struct dp_back_worker *bw)
{
    int64_t now = loop_now_ns(u->loop);

    bw->area_ns += (double)bw->inside * (double)(now - bw->changed_ns);
    bw->changed_ns = now;
}

void dp_back_enter(struct dp_up *u, struct dp_back *b)
{
    struct dp_back_worker *bw = dp_back_at(b, u);

    if (list_empty(&bw->busy)) {
        dp_back_ref(b);
        list_push_back(&u->busy, &bw->busy);
        bw->changed_ns = loop_now_ns(u->loop);
    }
    count(u, bw);
    bw->inside++;
    bw->arrivals++;
}

void dp_back_leave(struct dp_up *u, struct dp_back *b)
{
    struct dp_back_worker *bw = dp_back_at(b, u);

    count(u, bw);
    bw->inside--;
}

void dp_back_rest(struct dp_up *u, struct dp_back_worker *bw)
{
    dp_queue_rest(bw);
    list_del(&bw->busy);
    dp_back_unref(dp_back_of(bw));
}

/* ---- slots ---- */

struct dp_pod *dp_back_pick(struct dp_up *u, struct dp_back *b, const struct dp_pod *avoid)
{
    const struct dp_settings *s = dp_back_settings(b, u);

    if (!s)
        return NULL;
    if (s->concurrency > 0 && atomic_load(&b->n_waiting) > 0 &&
        (atomic_load(&b->w[u->index].oldest_ns) != INT64_MAX || dp_queue_elder(b, u, INT64_MAX)))
        return NULL;
    struct dp_pod *p = dp_slot_take(s, avoid);
    return p ? dp_pod_ref(p) : NULL;
}

void dp_back_release(struct dp_up *u, struct dp_back *b, struct dp_pod *p)
{
    dp_slot_give(p);
    dp_pod_unref(p);
    if (UNLIKELY(atomic_load(&b->n_waiting) > 0))
        dp_serve(u, b);
}

/* ---- new settings ---- */

static bool has_pod(const struct dp_settings *s, const struct dp_pod *p)
{
    for (size_t i = 0; s && i < s->n_pods; i++) {
        if (s->pods[i] == p)
            return true;
    }
    return false;
}

/* Of several Services of one revision the one told of last stands for it. */
static void note_known(struct dp_up *u, struct dp_back *b)
{
    char key[600];

    if (!u->known || !b->revision)
        return;
    snprintf(key, sizeof(key), "%s/%s", b->ns, b->revision);
    if (dp_back_settings(b, u))
        map_set(u->known, key, b);
    else if (map_get(u->known, key) == b)
        map_del(u->known, key);
}

void dp_back_apply(struct dp_up *u, struct dp_back *b, struct dp_settings *s)
{
    struct dp_back_worker *bw = dp_back_at(b, u);
    struct dp_settings *old = bw->set;

    bw->set = s;
    bw->was_set |= s != NULL;
    note_known(u, b);
    for (size_t i = 0; s && i < s->n_pods; i++)
        s->pods[i]->w[u->index].removed = false;
    for (size_t i = 0; old && i < old->n_pods; i++) {
        if (!has_pod(s, old->pods[i]))
            dp_pconn_drop_idle(u, old->pods[i]);
    }
    dp_settings_unref(old);
    dp_queue_settle(u, b);
}
