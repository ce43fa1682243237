/*
 * The record of a pod: how it comes, who holds it, how it goes. What is in progress elsewhere
 * (worker, programs, requests) holds it, so a pod that goes away meanwhile is freed when the last
 * of it has come back.
 */
#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "cluster/node/pod/pod_impl.h"

static void add_containers(struct pod *p, const char *list, bool init)
{
    size_t i, max;
    yyjson_val *spec;
    yyjson_arr_foreach(jget(kobj_root(p->box.spec), "spec", list), i, max, spec)
        container_init(&p->containers[p->n++], &p->box, spec, init);
}

struct pod *pod_new(struct pod_table *t, const struct kobj *obj, const struct sandbox_ops *ops)
{
    struct pod *p = xnew(struct pod);
    const yyjson_val *spec = jget(kobj_root(obj), "spec");
    p->table = t;
    t->live++;
    p->box = (struct sandbox){
        .ops = ops, .env = &t->o.env, .obj = kobj_ref(obj), .spec = kobj_ref(obj), .active = true};
    p->box.dir = xasprintf("%s/pods/%s", t->o.data_dir, kobj_uid(obj));
    p->box.log_dir = xasprintf("%s/logs/%s_%s_%s", t->o.data_dir, kobj_namespace(obj),
                               kobj_name(obj), kobj_uid(obj));
    p->start_ns = clock_wall_ns();
    size_t count =
        yyjson_arr_size(jget(spec, "initContainers")) + yyjson_arr_size(jget(spec, "containers"));
    p->containers = xcalloc(count ? count : 1, sizeof *p->containers);
    add_containers(p, "initContainers", true);
    add_containers(p, "containers", false);
    map_set(t->by_uid, kobj_uid(obj), p);
    pod_stage(p, POD_SEEN);
    return p;
}

void pod_free(struct pod *p)
{
    assert(p->freed && p->box.holds == 0);
    p->table->live--;
    for (size_t i = 0; i < p->n; i++)
        container_done(&p->containers[i]);
    netns_release(p->table->o.nets, p->box.net);
    timer_free(p->status_timer);
    timer_free(p->stop_timer);
    yyjson_doc_free(p->written);
    kobj_unref(p->box.obj);
    kobj_unref(p->box.spec);
    free(p->containers);
    free(p->box.dir);
    free(p->box.log_dir);
    free(p->written_text);
    free(p);
}

struct pod *pod_of(struct sandbox *s)
{
    return container_of(s, struct pod, box);
}

void pod_set_state(struct pod *p, enum pod_state s)
{
    assert(s > p->state);
    p->state = s;
    p->box.active = false;
}

void pod_hold(struct pod *p)
{
    sandbox_hold(&p->box);
}

void pod_release(struct pod *p)
{
    sandbox_release(&p->box);
}

void pod_forget(struct pod *p)
{
    if (p->freed)
        return;
    p->freed = true;
    if (p->state != POD_FORGET)
        pod_set_state(p, POD_FORGET);
    map_take(p->table->by_uid, kobj_uid(p->box.obj));
    if (p->box.holds == 0)
        pod_free(p);
}

/* ---- facts ---- */
bool pod_alive(const struct pod *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (container_alive(&p->containers[i]))
            return true;
    return false;
}

void pod_stage(const struct pod *p, enum pod_stage what)
{
    const struct pod_table_opts *o = &p->table->o;
    if (o->stage)
        o->stage(o->ctx, p->box.obj, what);
}

const struct kobj *pod_object(const struct pod *p)
{
    return p->box.obj;
}

struct container *pod_containers(struct pod *p, size_t *ret_n)
{
    *ret_n = p->n;
    return p->containers;
}
