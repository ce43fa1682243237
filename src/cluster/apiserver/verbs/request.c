/* Answers of requests in the form that the client asked for, and the life of a request that waits
 * for a write. */
#include "cluster/apiserver/verbs/request.h"

#include <assert.h>

#include "base/clock.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/kinds/version.h"
#include "cluster/apiserver/request/limits.h"
#include "json/yaml.h"

#define MAX_WARNINGS (16 * 1024) /* of one answer */

void verb_env_unref(struct verb_env *env)
{
    if (!env)
        return;
    assert(env->refs > 0);
    if (--env->refs)
        return;
    api_core_unref(env->core);
    shares_free(env->shares);
    free(env);
}

struct api_request *request_new(struct verb_env *env, struct http_exchange *x)
{
    struct api_request *r = xnew(struct api_request);

    env->refs++;
    r->env = env;
    r->x = x;
    r->method = http_method(x);
    r->warnings = BUF_INIT(MAX_WARNINGS);
    r->ok_code = 200;
    api_path_parse(http_path(x), &r->path);
    return r;
}

void request_free(struct api_request *r)
{
    share_give_back(&r->share);
    write_clear(&r->w);
    kmut_free(r->body);
    yyjson_doc_free(r->patch);
    api_query_done(&r->q);
    api_status_done(&r->st);
    api_kind_unref(r->kind);
    user_free(r->user);
    buf_done(&r->warnings);
    verb_env_unref(r->env);
    free(r);
}

void request_reply(struct api_request *r, int code, const char *type, struct str body)
{
    if (r->x)
        http_reply(steal(&r->x), code, type, body.p, body.n);
    request_free(r);
}

void request_fail(struct api_request *r)
{
    if (r->x)
        api_status_reply(&r->st, steal(&r->x));
    request_free(r);
}

void request_not_found(struct api_request *r)
{
    api_fail(&r->st, 404, "NotFound", "the server could not find the requested resource");
    request_fail(r);
}

void request_not_allowed(struct api_request *r)
{
    api_fail(&r->st, 405, "MethodNotAllowed",
             "the server does not allow this method on the requested resource");
    request_fail(r);
}

static void as_table(struct api_request *r, struct buf *out, const yyjson_val *root)
{
    table_begin(out, r->kind, r->accept.v1beta1, "{}");
    table_row(out, r->kind, r->accept.v1beta1, root, r->q.include,
              loop_wall_ns(r->env->core->loop));
    table_end(out);
}

static void reply_parsed(struct api_request *r, int code, struct str object)
{
    _cleanup_buf_ struct buf out = BUF_INIT(16 * LIMIT_OBJECT);
    const char *type = "application/json";
    struct err e = {0};
    _cleanup_jdoc_ yyjson_doc *d = json_parse(object.p, object.n, &e);
    const yyjson_val *root = yyjson_doc_get_root(d);

    if (r->accept.form == FORM_TABLE)
        as_table(r, &out, root);
    else if (r->accept.form == FORM_PARTIAL)
        partial_object(&out, root, r->accept.v1beta1);
    else if (yaml_write(root, &out, &e) == 0)
        type = "application/yaml";
    if (e.code) {
        api_fail(&r->st, 500, "InternalError", "Internal error occurred: %s", e.msg);
        request_fail(r);
        return;
    }
    request_reply(r, code, type, buf_str(&out));
}

void request_reply_object(struct api_request *r, int code, struct str object)
{
    _cleanup_buf_ struct buf out = BUF_INIT(2 * LIMIT_OBJECT);

    if (!version_is_stored(r->kind)) {
        version_write(&out, r->kind, object);
        object = buf_str(&out);
    }
    if (r->accept.form == FORM_JSON || !r->x)
        request_reply(r, code, "application/json", object);
    else
        reply_parsed(r, code, object);
}

static void on_leave(void *ctx)
{
    struct api_request *r = ctx;

    r->x = NULL;
}

/*
 * All warnings travel in one field, separated by commas. Their texts may quote a client's words: a
 * header takes printable ASCII only.
 */
static void warn(void *to, const char *text)
{
    struct api_request *r = to;
    size_t before = r->warnings.n;
    int full = buf_addf(&r->warnings, "%s299 - \"", before ? ", " : "");

    for (const char *c = text; *c && full >= 0; c++) {
        if (*c == '"' || *c == '\\')
            buf_addc(&r->warnings, '\\');
        full = buf_addc(&r->warnings, *c >= 0x20 && *c < 0x7f ? *c : ' ');
    }
    if (full < 0 || buf_addc(&r->warnings, '"') < 0) {
        r->warnings.n = before; /* what does not fit is left out whole */
        return;
    }
    if (r->x)
        http_set_header(r->x, "Warning", buf_z(&r->warnings));
}

void request_begin_write(struct api_request *r)
{
    http_on_close(r->x, on_leave, r);
    r->w = (struct write){
        .core = r->env->core,
        .kind = r->kind,
        .ns = r->path.ns,
        .name = r->path.name,
        .sub = r->path.sub,
        .user = r->user,
        .validation = r->q.validation,
        .dry_run = r->q.dry_run,
        .warn = warn,
        .warn_to = r,
        .done = request_written,
        .ctx = r,
    };
}

void request_written(void *ctx, struct api_status *fail, struct str object, bool deleted)
{
    struct api_request *r = ctx;

    if (!fail) {
        request_reply_object(r, r->ok_code, object);
        return;
    }
    api_status_move(&r->st, fail);
    request_fail(r);
}
