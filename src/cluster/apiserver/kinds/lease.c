/* Leases. */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.coordination.v1"

TYPE(lease_spec, "LeaseSpec", STR_P(1, "holderIdentity"), INT32_P(2, "leaseDurationSeconds"),
     MICRO_TIME_P(3, "acquireTime"), MICRO_TIME_P(4, "renewTime"), INT32_P(5, "leaseTransitions"),
     STR_P(6, "strategy"), STR_P(7, "preferredHolder"));
SHARED_TYPE(kt_lease, "Lease", OBJ(1, "metadata", kt_object_meta), OBJ(2, "spec", lease_spec));

static void lease_holder(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_str(out, jget_str(o, "spec", "holderIdentity"));
}

static const struct api_column columns_lease[] = {
    {"Holder", "string", "", "Who holds the lease.", 0, lease_holder, NULL},
    COLUMN_AGE,
    COLUMN_END};

const struct builtin builtin_lease = {.type = &kt_lease, .columns = columns_lease};
