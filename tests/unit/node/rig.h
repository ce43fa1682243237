/*
 * A node on a machine of its own making for tests: an API in memory, a stand-in for the image store
 * whose one image is a directory with the test program, a bridge and a subnet that nobody else has.
 */
#ifndef NONAGON_TESTS_RIG_H
#define NONAGON_TESTS_RIG_H

#include "../kube/fake_api.h"
#include "cluster/node/node.h"

struct rig {
    struct loop *loop;
    struct fake_api *api;
    struct kube_client *client;
    struct manager *manager;
    struct node *node;
    char dir[64], bridge[16];
};

/* NULL, or why tests that need containers cannot run here. */
const char *rig_impossible(void);
void rig_prepare(struct rig *r); /* directory, API; before any pod is put */
void rig_start(struct rig *r);   /* the node */
void rig_stop(struct rig *r, bool drain);
void rig_clean(struct rig *r);  /* everything, the bridge too */
extern uint64_t rig_in_flight;  /* what the node is told */
extern int64_t rig_stage_ns[3]; /* when the newest pod came to each of enum node_stage */
extern int rig_pulls;           /* of images other than "app" */

/* Puts a pod of which `spec` is the spec's text; uid is derived from the name. */
void rig_pod(struct rig *r, const char *name, const char *spec);
void rig_delete(struct rig *r, const char *name, int grace_s);
const yyjson_val *rig_status(struct rig *r, const char *name);    /* NULL when the pod is gone */
const yyjson_val *rig_container(struct rig *r, const char *name); /* first container's status */
char *rig_log(struct rig *r, const char *name, const char *container, int attempt);

/* Turns the loop until fn says so; fails the test after 20 s. */
void rig_wait(struct rig *r, bool (*fn)(struct rig *r, const char *name), const char *name);
bool rig_is_ready(struct rig *r, const char *name);
bool rig_is_gone(struct rig *r, const char *name);

#endif
