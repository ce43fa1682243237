/* The kpa class: reconciles PodAutoscalers of class kpa.autoscaling.knative.dev on a manager. See
 * decide.h for the decision. */
#ifndef NONAGON_PLUGIN_AUTOSCALER_KPA_H
#define NONAGON_PLUGIN_AUTOSCALER_KPA_H

#include "base/trace.h"
#include "kube/controller.h"
#include "plugin/autoscaler/signal/signal.h"

struct kpa;
/* trace: told the decision of each start from zero; may be NULL. */
struct kpa *kpa_new(struct manager *m, struct signal_hub *signals, const struct trace_sink *trace);
void kpa_free(struct kpa *k);

#endif
