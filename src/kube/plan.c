/* The list of wanted writes. Nothing here talks to a server: plan_run.c carries a plan out. */
#include "kube/plan_impl.h"

#include <stdarg.h>
#include <stdio.h>

struct plan *plan_new(void)
{
    struct plan *p = xnew(struct plan);

    p->requeue = -1;
    return p;
}

static void entry_done(struct plan_entry *en)
{
    kmut_free(en->obj);
    free(en->ns);
    free(en->name);
    free(en->subresource);
    free(en->body);
    free(en->uid);
    free(en->type);
    free(en->reason);
    free(en->message);
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->entries.n; i++)
        entry_done(&p->entries.p[i]);
    vec_done(&p->entries);
    free(p->error);
    free(p);
}

void plan_drop(struct plan *p, size_t i)
{
    entry_done(&p->entries.p[i]);
    vec_remove(&p->entries, i);
}

static struct plan_entry *add(struct plan *p, enum plan_op op, const struct kube_resource *r,
                              const char *ns, const char *name)
{
    struct plan_entry en = {.op = op, .res = r, .ns = xstrdup(ns), .name = xstrdup(name)};

    vec_push(&p->entries, en);
    return &p->entries.p[p->entries.n - 1];
}

static struct plan_entry *add_object(struct plan *p, enum plan_op op, const struct kube_resource *r,
                                     struct kmut *obj)
{
    struct plan_entry *en = add(p, op, r, jm_get_str(obj->root, "metadata", "namespace"),
                                jm_get_str(obj->root, "metadata", "name"));

    en->obj = obj;
    return en;
}

void plan_create(struct plan *p, const struct kube_resource *r, struct kmut *obj)
{
    add_object(p, PLAN_CREATE, r, obj);
}

void plan_create_or_keep(struct plan *p, const struct kube_resource *r, struct kmut *obj)
{
    add_object(p, PLAN_CREATE, r, obj)->keep = true;
}

void plan_update(struct plan *p, const struct kube_resource *r, struct kmut *obj)
{
    add_object(p, PLAN_UPDATE, r, obj);
}

void plan_update_status(struct plan *p, const struct kube_resource *r, struct kmut *obj)
{
    add_object(p, PLAN_UPDATE_STATUS, r, obj);
}

void plan_patch(struct plan *p, const struct kube_resource *r, const char *ns, const char *name,
                const char *subresource, enum kube_verb patch_type, const char *body)
{
    struct plan_entry *en = add(p, PLAN_PATCH, r, ns, name);

    en->subresource = subresource ? xstrdup(subresource) : NULL;
    en->patch_type = patch_type;
    en->body = xstrdup(body);
}

void plan_delete(struct plan *p, const struct kube_resource *r, const char *ns, const char *name,
                 const char *uid)
{
    struct plan_entry *en = add(p, PLAN_DELETE, r, ns, name);

    en->uid = uid ? xstrdup(uid) : NULL;
}

static char *format(const char *fmt, va_list ap)
{
    char *text;

    return vasprintf(&text, fmt, ap) < 0 ? xstrdup(fmt) : text;
}

void plan_event(struct plan *p, const struct kube_resource *r, const struct kobj *about,
                const char *type, const char *reason, const char *fmt, ...)
{
    struct plan_entry *en = add(p, PLAN_EVENT, r, kobj_namespace(about), kobj_name(about));
    va_list ap;

    en->uid = xstrdup(kobj_uid(about));
    en->type = xstrdup(type);
    en->reason = xstrdup(reason);
    va_start(ap, fmt);
    en->message = format(fmt, ap);
    va_end(ap);
}

void plan_requeue_after(struct plan *p, int64_t ns)
{
    if (p->requeue < 0 || ns < p->requeue)
        p->requeue = ns > 0 ? ns : 0;
}

void plan_fail(struct plan *p, const char *fmt, ...)
{
    va_list ap;

    if (p->error)
        return; /* the first failure is the one that explains */
    va_start(ap, fmt);
    p->error = format(fmt, ap);
    va_end(ap);
}

void plan_tag(struct plan *p, int tag)
{
    if (p->entries.n)
        p->entries.p[p->entries.n - 1].tag = tag;
}

void plan_aside(struct plan *p)
{
    if (p->entries.n)
        p->entries.p[p->entries.n - 1].aside = true;
}

size_t plan_len(const struct plan *p)
{
    return p->entries.n;
}

const struct plan_entry *plan_at(const struct plan *p, size_t i)
{
    return i < p->entries.n ? &p->entries.p[i] : NULL;
}

int64_t plan_requeue(const struct plan *p)
{
    return p->requeue;
}

const char *plan_error(const struct plan *p)
{
    return p->error;
}
