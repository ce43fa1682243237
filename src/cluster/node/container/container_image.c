/*
 * Getting a container's image: credentials from the pod's and its service account's pull secrets,
 * one pull, and a back-off of its own when it fails.
 */
#include <errno.h>
#include <stdio.h>

#include "cluster/image/pull_secrets.h"
#include "cluster/node/container/container.h"

/* First the error itself, then (shown while waiting) the back-off, as the kubelet says it. */
static void pull_failed(struct container *c, const struct err *why)
{
    c->pull_failures++;
    int64_t ms = container_backoff_ms(c->pull_failures + 1);
    char text[ERR_MSG_MAX + 200];
    sandbox_warn(c->box, "Failed", "Failed to pull image \"%s\": %s", jget_str(c->spec, "image"),
                 why->msg);
    if (c->pull_failures == 1)
        snprintf(text, sizeof text, "%s", why->msg);
    else
        snprintf(text, sizeof text, "Back-off pulling image \"%s\": %s", jget_str(c->spec, "image"),
                 why->msg);
    container_wait_for(c, c->pull_failures == 1 ? "ErrImagePull" : "ImagePullBackOff", text);
    container_backoff(c, ms);
}

static void pulled(void *ctx, const struct image *img, const struct err *why)
{
    struct container *c = ctx;
    c->pull = NULL;
    if (!img) {
        pull_failed(c, why);
        return;
    }
    c->pull_failures = 0;
    c->image = image_ref_get(img);
    container_run(c);
}

static enum image_policy policy_of(const struct container *c)
{
    const char *text = jget_str(c->spec, "imagePullPolicy");
    if (streq(text, "Always"))
        return IMAGE_ALWAYS;
    return streq(text, "Never") ? IMAGE_NEVER : IMAGE_IF_NOT_PRESENT;
}

void container_pull(struct container *c)
{
    const char *image = jget_str(c->spec, "image");
    const yyjson_val *spec = jget(kobj_root(c->box->spec), "spec");
    const struct container_env *o = c->box->env;
    struct image_auth *auths;
    size_t n;
    pull_secrets_collect(o->manager, kobj_namespace(c->box->obj),
                         jget_str(spec, "serviceAccountName"), jget(spec, "imagePullSecrets"),
                         &auths, &n);
    container_set_state(c, CT_PULLING);
    c->pull = image_pull_start(o->images, image ? image : "", policy_of(c), auths, n, pulled, c);
    image_auths_free(auths, n);
}
