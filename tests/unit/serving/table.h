/*
 * For table tests of reconcilers: a core without a server, caches filled by hand, and plans written
 * as text, one line per entry: "create services ns/name", "status routes ns/name", "event Normal
 * Created: message", "requeue 5000 ms", "error: …". JSON in tests is written with single quotes.
 */
#ifndef NONAGON_TESTS_UNIT_SERVING_TABLE_H
#define NONAGON_TESTS_UNIT_SERVING_TABLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "kube/conditions.h"
#include "net/loop.h"
#include "serving/serving_internal.h"

#define TABLE_NOW_NS (1700000000LL * 1000000000LL) /* 2023-11-14T22:13:20Z */

struct table {
    struct loop *loop;
    struct kube_client *client; /* of no server: nothing is sent, the loop never runs */
    struct serving s;
    struct plan *plan; /* of the last run */
    struct arena arena;
    int64_t now_ns;
    uint64_t rv;
    const struct kube_status *failure; /* told to the next runs, with the entry */
    const struct plan_entry *failed;
};

void table_start(struct table *t);
void table_end(struct table *t);
/* Puts an object (newer than what is there). */
const struct kobj *table_put(struct table *t, const struct kube_resource *r, const char *json);
const struct kobj *table_get(struct table *t, const struct kube_resource *r, const char *ns,
                             const char *name);
/* Runs a reconciler on ns/name of a resource; the plan as text, valid until the table ends. */
const char *table_run(struct table *t, reconcile_fn *fn, const struct kube_resource *r,
                      const char *ns, const char *name);
/* Puts what the plan creates, updates and patches (merge) into the caches, as a server would; drops
 * what it deletes. */
void table_apply(struct table *t);
/* The body of the patch of it (last one wins), with single quotes; "" when the plan has none. */
const char *table_body(struct table *t, const struct kube_resource *r, const char *name);
/* status.conditions as "Type=Status/Reason" joined by spaces, of the status that the plan writes.
 */
const char *table_conditions(struct table *t, const struct kube_resource *r, const char *name);
/* A value out of the written object, as JSON with single quotes. */
const char *table_value(struct table *t, const struct kube_resource *r, const char *name,
                        const char *const *path);
const char *table_message(struct table *t, const struct kube_resource *r, const char *name,
                          const char *condition);
/* Single-quoted JSON to JSON. */
char *table_json(struct table *t, const char *text);
const char *table_quotes(struct table *t, const char *json);

#endif
