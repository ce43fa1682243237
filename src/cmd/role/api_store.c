/* See api_store.h. */
#include "cmd/role/api_store.h"

#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/env/data_dir.h"
#include "json/json.h"

static bool is_json(struct str bytes)
{
    _cleanup_jdoc_ yyjson_doc *doc = json_parse(bytes.p, bytes.n, NULL);

    return yyjson_is_obj(yyjson_doc_get_root(doc));
}

static void on_damage(void *ctx, const char *what)
{
    log_error("store", "%s", what);
}

struct store *api_store_open(struct loop *l, const char *data_dir, bool accept_loss, struct err *e)
{
    _cleanup_free_ char *path = xasprintf("%s/state.db", data_dir);
    const struct store_opts o = {
        .path = path,
        .expect_data = data_dir_had_pods(data_dir),
        .accept_loss = accept_loss,
        .readable = is_json,
        .on_damage = on_damage,
    };
    struct store *s = store_open(l, &o, e);

    if (!s && e->code == -EUCLEAN) {
        struct err was = *e;
        err_set(e, was.code, "%.900s (start once with --accept-data-loss)", was.msg);
    }
    return s;
}
