/*
 * A pod as its containers see it: what they share, and what they tell it. The pod embeds one; its
 * containers know nothing else of the pod and nothing of the node.
 */
#ifndef NONAGON_NODE_SANDBOX_H
#define NONAGON_NODE_SANDBOX_H

#include "cluster/image/image.h"
#include "cluster/node/network/netns.h"
#include "cluster/node/runtime/env.h"
#include "cluster/node/runtime/runtime.h"
#include "http/client.h"
#include "kube/controller.h"
#include "net/tls.h"

/* What every container of the node uses; borrowed. */
struct container_env {
    struct loop *loop;
    struct runtime *runtime;
    struct image_store *images;
    struct manager *manager;  /* pull secrets */
    struct http_client *http; /* probes */
    struct tls_client *tls;   /* probes: does not verify */
    int64_t memory;           /* the machine's */
    int64_t max_files;        /* RLIMIT_NOFILE of containers */
    bool may_protect;         /* has CAP_SYS_RESOURCE */
};

struct sandbox;
struct container;
/* All are called on the node's loop, and may end in calls back into the containers. */
struct sandbox_ops {
    /* Something that the status tells is different. */
    void (*changed)(struct sandbox *s);
    /* Something that the next start of this program must know is different. */
    void (*save)(struct sandbox *s);
    /* A container can go on, or ended, or did not begin: look at all of them. */
    void (*step)(struct sandbox *s);
    /* The last hold went. */
    void (*released)(struct sandbox *s);
    /* Something is wrong that people should read. */
    void (*warn)(struct sandbox *s, const char *reason, const char *text);
    /* A container's process began. */
    void (*begun)(struct sandbox *s, const struct container *c);
    void (*facts)(struct sandbox *s, struct pod_facts *ret);
    /* Contents of /etc/hosts and /etc/resolv.conf, malloc'ed. */
    char *(*hosts)(struct sandbox *s);
    char *(*resolv_conf)(struct sandbox *s);
};

struct sandbox {
    const struct sandbox_ops *ops;
    const struct container_env *env;
    const struct kobj *obj;  /* newest; reference */
    const struct kobj *spec; /* as first seen: containers point into it; reference */
    char *dir, *log_dir;
    struct netns *net; /* set before any container is started */
    char ip[16];       /* "" = none yet; stays when the namespace is given back */
    bool active;       /* what starts is wanted; otherwise what comes up is ended again */
    bool volumes_made;
    int holds;
};

/* Work in progress elsewhere holds the sandbox, so that it outlives the work. */
void sandbox_hold(struct sandbox *s);
void sandbox_release(struct sandbox *s); /* may end in `released`, which may free it */
void sandbox_warn(struct sandbox *s, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A grace period in seconds as milliseconds, within bounds: people write any number. */
int64_t sandbox_grace_ms(int64_t seconds);
const char *sandbox_restart_policy(const struct sandbox *s);

#endif
