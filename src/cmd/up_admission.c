/* The contract library's defaulting and validation as the API server's in-process admission. */
#include "base/mem.h"
#include "cmd/up.h"
#include "contract/admit.h"
#include "contract/names.h"

static const struct kube_resource *const kinds[] = {
    &KR_KSERVICE, &KR_CONFIGURATION, &KR_REVISION, &KR_ROUTE,       &KR_PODAUTOSCALER,
    &KR_METRIC,   &KR_INGRESS,       &KR_SKS,      &KR_CERTIFICATE,
};

const struct admission *up_admissions(size_t *ret_n);
