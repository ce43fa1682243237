/*
 * In-process admission: the hooks registered for the resource, in order. The object's type, name
 * and namespace are the server's; a hook's refusal becomes the same answer as a webhook's.
 */
#include "cluster/apiserver/core.h"

static bool applies(const struct admission *ad, const struct write *w)
{
    return kube_resource_eq(ad->res, &w->kind->res) && (!w->sub[0] || streq(w->sub, "status"));
}

static struct admission_request request_of(const struct write *w)
{
    return (struct admission_request){
        .res = &w->kind->res,
        .subresource = w->sub,
        .user = w->user ? w->user : "",
        .obj = w->obj,
        .old = w->old,
        .dry_run = w->dry_run,
        .api = w->a,
    };
}

static int refuse(struct api_status *st, const char *name, const struct err *e)
{
    return api_fail_bad(st, "admission webhook \"%s\" denied the request: %s", name, e->msg);
}

int admit_mutate(struct write *w, bool *ret_ran, struct api_status *st)
{
    *ret_ran = false;
    for (size_t i = 0; i < w->a->n_admissions; i++) {
        const struct admission *ad = &w->a->admissions[i];
        struct admission_request rq = request_of(w);
        struct err e = {0};

        if (!ad->mutate || !applies(ad, w))
            continue;
        *ret_ran = true;
        if (ad->mutate(ad->ctx, &rq, &e) < 0)
            return refuse(st, ad->mutate_name, &e);
    }
    return 0;
}

static void nowhere(void *to, const char *text)
{
}

int admit_validate(struct write *w, struct api_status *st)
{
    for (size_t i = 0; i < w->a->n_admissions; i++) {
        const struct admission *ad = &w->a->admissions[i];
        struct admission_request rq = request_of(w);
        struct err e = {0};

        if (!ad->validate || !applies(ad, w))
            continue;
        if (ad->validate(ad->ctx, &rq, w->warn ? w->warn : nowhere, w->warn_to, &e) < 0)
            return refuse(st, ad->name, &e);
    }
    return 0;
}
