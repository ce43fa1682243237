/*
 * A new revision starts with one percent. Once the Ingress serves that, the time it took sets the
 * length of a step: the rest of the duration is cut into steps of at least that length. Each step
 * takes from the revisions before the newest, the younger of them first, and gives to the newest.
 */
#include "serving/route/rollout.h"

#include <errno.h>

#include "base/clock.h"

void rollout_done(struct rollout *ro)
{
    for (size_t i = 0; i < ro->entries.n; i++)
        vec_done(&ro->entries.p[i].revisions);
    vec_done(&ro->entries);
}

const struct rollout_entry *rollout_find(const struct rollout *ro, const char *tag,
                                         const char *configuration)
{
    for (size_t i = 0; i < ro->entries.n; i++) {
        if (streq(ro->entries.p[i].tag, tag) &&
            streq(ro->entries.p[i].configuration, configuration))
            return &ro->entries.p[i];
    }
    return NULL;
}

static int by_tag_and_configuration(const void *a, const void *b)
{
    const struct rollout_entry *x = a, *y = b;
    int r = strcmp(x->tag, y->tag);

    return r ? r : strcmp(x->configuration, y->configuration);
}

static void sort(struct rollout *ro)
{
    if (ro->entries.n)
        qsort(ro->entries.p, ro->entries.n, sizeof(ro->entries.p[0]), by_tag_and_configuration);
}

void rollout_goal(struct rollout *ret, const struct traffic *t)
{
    *ret = (struct rollout){0};
    for (size_t g = 0; g < t->groups.n; g++) {
        const struct traffic_group *group = &t->groups.p[g];
        for (size_t i = 0; i < group->targets.n; i++) {
            const struct traffic_target *target = &group->targets.p[i];
            if (!target->latest || target->percent == 0)
                continue;
            struct rollout_entry e = {.configuration = target->configuration,
                                      .tag = group->tag,
                                      .percent = target->percent};
            vec_push(&e.revisions, ((struct rollout_revision){target->revision, target->percent}));
            vec_push(&ret->entries, e);
        }
    }
    sort(ret);
}

/* ---- the annotation ---- */
static const char *keep(struct arena *a, const char *s)
{
    return s ? arena_strndup(a, s, strlen(s)) : "";
}

static int parse_entry(struct rollout_entry *ret, struct arena *a, const yyjson_val *v)
{
    const yyjson_val *params = jget(v, "stepParams");
    yyjson_val *r;
    size_t i, max;
    int sum = 0;

    *ret = (struct rollout_entry){
        .configuration = keep(a, jget_str(v, "configurationName")),
        .tag = keep(a, jget_str(v, "tag")),
        .percent = (int)jget_int(v, 0, "percent"),
        .start_ns = jget_int(params, 0, "starttime"),
        .next_ns = jget_int(params, 0, "nextStepTime"),
        .step_ns = jget_int(params, 0, "stepDuration"),
        .step_size = (int)jget_int(params, 0, "stepSize"),
    };
    yyjson_arr_foreach(jget(v, "revisions"), i, max, r)
    {
        int percent = (int)jget_int(r, 0, "percent");
        vec_push(&ret->revisions,
                 ((struct rollout_revision){keep(a, jget_str(r, "revisionName")), percent}));
        if (percent < 0)
            return -EINVAL;
        sum += percent;
    }
    return ret->percent > 100 || ret->step_size < 0 || ret->step_size > ret->percent ||
                   ret->step_ns < 0 || ret->revisions.n == 0 || sum != ret->percent
               ? -EINVAL
               : 0;
}

int rollout_parse(struct rollout *ret, struct arena *a, const char *text)
{
    _cleanup_jdoc_ yyjson_doc *d = json_parse(text, strlen(text), NULL);
    struct rollout ro = {0};
    yyjson_val *v;
    size_t i, max;

    if (!d)
        return -EINVAL;
    yyjson_arr_foreach(jget(yyjson_doc_get_root(d), "configurations"), i, max, v)
    {
        struct rollout_entry e;
        int r = parse_entry(&e, a, v);
        vec_push(&ro.entries, e);
        if (r < 0) {
            rollout_done(&ro);
            return r;
        }
    }
    *ret = ro;
    return 0;
}

static void set_nonzero(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, int64_t v)
{
    if (v)
        jm_set_int(d, o, v, key);
}

static void write_entry(yyjson_mut_doc *d, yyjson_mut_val *o, const struct rollout_entry *e)
{
    jm_set_str(d, o, e->configuration, "configurationName");
    if (*e->tag)
        jm_set_str(d, o, e->tag, "tag");
    jm_set_int(d, o, e->percent, "percent");
    yyjson_mut_val *revisions = jm_arr(d, o, "revisions");
    for (size_t i = 0; i < e->revisions.n; i++) {
        yyjson_mut_val *r = jm_add_obj(d, revisions);
        jm_set_str(d, r, e->revisions.p[i].name, "revisionName");
        jm_set_int(d, r, e->revisions.p[i].percent, "percent");
    }
    yyjson_mut_val *params = jm_obj(d, o, "stepParams");
    set_nonzero(d, params, "starttime", e->start_ns);
    set_nonzero(d, params, "nextStepTime", e->next_ns);
    set_nonzero(d, params, "stepDuration", e->step_ns);
    set_nonzero(d, params, "stepSize", e->step_size);
}

char *rollout_text(const struct rollout *ro)
{
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(d);

    yyjson_mut_doc_set_root(d, root);
    if (ro->entries.n) {
        yyjson_mut_val *list = jm_arr(d, root, "configurations");
        for (size_t i = 0; i < ro->entries.n; i++)
            write_entry(d, jm_add_obj(d, list), &ro->entries.p[i]);
    }
    return json_mut_text(root, NULL);
}

/* ---- time ---- */
#define STEP_MAX_NS (366LL * 24 * 3600 * NS_PER_SEC)

static int64_t at_least_1(int64_t v)
{
    return v > 1 ? v : 1;
}

void rollout_observe_ready(struct rollout *ro, int64_t now_ns, int64_t duration_s)
{
    for (size_t i = 0; i < ro->entries.n; i++) {
        struct rollout_entry *e = &ro->entries.p[i];
        if (e->start_ns <= 0 || e->step_ns != 0 || e->percent < 2)
            continue;
        int64_t took_s = (now_ns - e->start_ns + NS_PER_SEC - 1) / NS_PER_SEC;
        int64_t min_step = at_least_1(took_s);
        int64_t left = at_least_1(duration_s - min_step);
        int64_t steps = at_least_1(left / min_step);
        int64_t rest = e->percent - 1;
        if (steps > rest)
            steps = rest;
        e->step_size = (int)((2 * rest + steps) / (2 * steps));
        e->step_ns = left * NS_PER_SEC / steps;
        e->next_ns = now_ns + e->step_ns;
    }
}

static void drop_empty(struct rollout_entry *e)
{
    for (size_t i = e->revisions.n; i-- > 0;) {
        if (e->revisions.p[i].percent <= 0)
            vec_remove(&e->revisions, i);
    }
}

static struct rollout_entry copy(const struct rollout_entry *e)
{
    struct rollout_entry c = *e;

    c.revisions = (rollout_revisions){0};
    for (size_t i = 0; i < e->revisions.n; i++)
        vec_push(&c.revisions, e->revisions.p[i]);
    return c;
}

/* The share of all traffic changed: the newest revision gains, the oldest ones lose. */
static void adapt(struct rollout_entry *e, int percent)
{
    int more = percent - e->percent;

    if (more > 0)
        e->revisions.p[e->revisions.n - 1].percent += more;
    for (size_t i = 0; i < e->revisions.n && more < 0; i++) {
        struct rollout_revision *r = &e->revisions.p[i];
        int take = r->percent < -more ? r->percent : -more;
        r->percent -= take;
        more += take;
    }
    e->percent = percent;
    drop_empty(e);
}

static void shift(struct rollout_entry *e)
{
    struct rollout_revision *newest = &e->revisions.p[e->revisions.n - 1];
    int left = e->step_size;

    for (size_t i = e->revisions.n - 1; i-- > 0 && left > 0;) {
        struct rollout_revision *r = &e->revisions.p[i];
        int take = r->percent < left ? r->percent : left;
        r->percent -= take;
        newest->percent += take;
        left -= take;
    }
    drop_empty(e);
}

static void clear_pace(struct rollout_entry *e)
{
    e->start_ns = e->next_ns = e->step_ns = 0;
    e->step_size = 0;
}

/* A stamp that lies further ahead than one step is of a clock that was set back since. */
static int64_t next_step(const struct rollout_entry *e, int64_t now_ns)
{
    return now_ns + (e->step_ns < STEP_MAX_NS ? e->step_ns : STEP_MAX_NS);
}

static void go_on(struct rollout_entry *e, int64_t now_ns)
{
    if (e->next_ns > next_step(e, now_ns))
        e->next_ns = next_step(e, now_ns);
    if (e->revisions.n > 1 && e->step_size > 0 && now_ns >= e->next_ns) {
        shift(e);
        e->next_ns = next_step(e, now_ns);
    }
    if (e->revisions.n < 2)
        clear_pace(e);
}

static void start(struct rollout_entry *e, const char *revision, int64_t now_ns)
{
    for (size_t i = e->revisions.n; i-- > 0;) {
        if (e->revisions.p[i].percent > 0) {
            e->revisions.p[i].percent--;
            break;
        }
    }
    drop_empty(e);
    vec_push(&e->revisions, ((struct rollout_revision){revision, 1}));
    clear_pace(e);
    e->start_ns = now_ns;
}

static struct rollout_entry step(const struct rollout_entry *before,
                                 const struct rollout_entry *goal, int64_t now_ns)
{
    const char *wanted = goal->revisions.p[0].name;
    struct rollout_entry e = copy(before);

    adapt(&e, goal->percent);
    if (streq(e.revisions.p[e.revisions.n - 1].name, wanted))
        go_on(&e, now_ns);
    else
        start(&e, wanted, now_ns);
    if (e.step_size > e.percent)
        e.step_size = e.percent;
    return e;
}

void rollout_step(struct rollout *ret, const struct rollout *before, const struct rollout *goal,
                  int64_t now_ns)
{
    *ret = (struct rollout){0};
    for (size_t i = 0; i < goal->entries.n; i++) {
        const struct rollout_entry *g = &goal->entries.p[i];
        const struct rollout_entry *b = rollout_find(before, g->tag, g->configuration);
        bool whole = !b || b->percent == 0 || g->percent < 2;
        vec_push(&ret->entries, whole ? copy(g) : step(b, g, now_ns));
    }
    sort(ret);
}

bool rollout_is_done(const struct rollout *ro)
{
    for (size_t i = 0; i < ro->entries.n; i++) {
        if (ro->entries.p[i].revisions.n > 1)
            return false;
    }
    return true;
}

int64_t rollout_next_ns(const struct rollout *ro)
{
    int64_t next = 0;

    for (size_t i = 0; i < ro->entries.n; i++) {
        int64_t t = ro->entries.p[i].next_ns;
        if (t > 0 && (next == 0 || t < next))
            next = t;
    }
    return next;
}
