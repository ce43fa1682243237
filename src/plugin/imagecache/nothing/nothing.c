/* One status write per Image and generation, and never another. */
#include "plugin/imagecache/nothing/nothing.h"

#include "contract/names.h"
#include "kube/conditions.h"

static const char *const no_dependents[] = {NULL};
static const struct condition_set conditions = {.top = "Ready", .dependents = no_dependents};

struct nothing {
    struct controller *controller; /* the manager's */
};

void nothing_reconcile(void *ctx, const struct reconcile_ctx *rc, struct plan *p)
{
    struct cond c;

    if (!rc->obj || kobj_deleting(rc->obj))
        return;
    cs_begin(&c, &conditions, rc->obj, rc->now_ns);
    cs_true_reason(&c, "Ready", "NothingToDo",
                   "This class keeps no images; nodes pull them when a pod needs them.");
    cs_end(&c, p, &KR_IMAGE);
}

struct nothing *nothing_new(struct manager *m)
{
    struct nothing *n = xnew(struct nothing);

    n->controller = controller_new(m, &(struct controller_opts){
                                          .name = "image-nothing",
                                          .res = &KR_IMAGE,
                                          .reconcile = nothing_reconcile,
                                          .ctx = n,
                                          .class_annotation = A_IMAGE_CLASS,
                                          .class_value = CLASS_NOTHING,
                                          .class_default = true,
                                      });
    return n;
}

void nothing_free(struct nothing *n)
{
    free(n);
}
