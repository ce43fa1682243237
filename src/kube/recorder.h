/*
 * Events: a repeated one (same object, reason and message) counts up the Event that exists instead
 * of making another; each object has a budget. Fire and forget: a lost event is lost.
 */
#ifndef NONAGON_KUBE_RECORDER_H
#define NONAGON_KUBE_RECORDER_H

#include "kube/plan.h"

struct recorder;
struct recorder *recorder_new(struct kube_client *client, const char *component);
void recorder_free(struct recorder *r);
void recorder_event(struct recorder *r, const struct plan_entry *en, int64_t wall_ns);

#endif
