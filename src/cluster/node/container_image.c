/*
 * Getting a container's image: credentials from the pod's and its service account's pull secrets,
 * one pull, and a back-off of its own when it fails.
 */
#include <errno.h>
#include <stdio.h>

#include "base/vec.h"
#include "cluster/node/node_impl.h"

struct credentials {
    VEC(struct image_auth) all;
    VEC(struct image_auth *) parsed;
    VEC(size_t) counts;
};

static yyjson_val *find_object(struct node *n, const struct kube_resource *r, const char *ns,
                               const char *name)
{
    return kobj_root(cache_get(manager_cache(n->o.manager, r), ns, name));
}

static void add_secret(struct node *n, const char *ns, const char *name, struct credentials *out)
{
    yyjson_val *secret = name ? find_object(n, &KR_SECRET, ns, name) : NULL;
    _cleanup_free_ char *text = secret ? env_config_value(secret, ".dockerconfigjson", NULL) : NULL;
    struct image_auth *auths = NULL;
    size_t count = 0;
    if (!text || image_auths_parse(text, &auths, &count, NULL) < 0)
        return;
    for (size_t i = 0; i < count; i++)
        vec_push(&out->all, auths[i]);
    vec_push(&out->parsed, auths);
    vec_push(&out->counts, count);
}

static void add_secrets(struct node *n, const char *ns, const yyjson_val *references,
                        struct credentials *out)
{
    size_t i, max;
    yyjson_val *ref;
    yyjson_arr_foreach((yyjson_val *)references, i, max, ref)
        add_secret(n, ns, jget_str(ref, "name"), out);
}

static void collect(const struct pod *p, struct credentials *out)
{
    const yyjson_val *spec = jget(kobj_root(p->spec), "spec");
    const char *ns = kobj_namespace(p->obj);
    const char *account = jget_str(spec, "serviceAccountName");
    add_secrets(p->node, ns, jget(spec, "imagePullSecrets"), out);
    yyjson_val *sa =
        find_object(p->node, &KR_SERVICEACCOUNT, ns, account && *account ? account : "default");
    add_secrets(p->node, ns, jget(sa, "imagePullSecrets"), out);
}

static void credentials_done(struct credentials *k)
{
    for (size_t i = 0; i < k->parsed.n; i++)
        image_auths_free(k->parsed.p[i], k->counts.p[i]);
    vec_done(&k->parsed);
    vec_done(&k->counts);
    vec_done(&k->all);
}

/* First the error itself, then (shown while waiting) the back-off, as the kubelet says it. */
static void pull_failed(struct container *c, const struct err *why)
{
    c->pull_failures++;
    int64_t ms = crash_backoff_ms(c->pull_failures + 1);
    char text[ERR_MSG_MAX + 200];
    pod_warn(c->pod, "Failed", "Failed to pull image \"%s\": %s", jget_str(c->spec, "image"),
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
    struct credentials k = {0};
    collect(c->pod, &k);
    container_set_state(c, CT_PULLING);
    c->pull = image_pull_start(c->pod->node->o.images, image ? image : "", policy_of(c), k.all.p,
                               k.all.n, pulled, c);
    credentials_done(&k);
}
