/*
 * Request bodies. Every content type becomes a document here and nowhere else: a further encoding
 * (protobuf) is one more row of the table. Object keys are unique afterwards, the last one winning
 * as in Go.
 */
#include <errno.h>

#include "cluster/apiserver/kinds/protobuf.h"
#include "cluster/apiserver/request/limits.h"
#include "cluster/apiserver/schema/tree.h"
#include "cluster/apiserver/verbs/request.h"
#include "json/yaml.h"

typedef yyjson_doc *decode_fn(const char *p, size_t n, struct err *e);
static const struct {
    const char *type;
    decode_fn *decode;
} decoders[] = {
    {"application/json", json_parse},
    {"", json_parse},
    {"application/yaml", yaml_parse},
    {"application/vnd.kubernetes.protobuf", protobuf_decode},
};

static decode_fn *decoder(struct str type)
{
    size_t semi;

    if (str_find(type, ';', &semi))
        type.n = semi;
    type = str_trim(type);
    for (size_t i = 0; i < ARRAY_LEN(decoders); i++)
        if (str_ieq(type, str_of(decoders[i].type)))
            return decoders[i].decode;
    return NULL;
}

struct duplicates {
    struct buf list;
    size_t n;
};

static void on_duplicate(void *ctx, const char *path)
{
    struct duplicates *d = ctx;

    if (d->n++ < 20)
        buf_addf(&d->list, "%sduplicate field \"%s\"", d->n > 1 ? ", " : "", path);
}

static int unique(struct api_request *r, struct kmut *m)
{
    struct duplicates d = {BUF_INIT(16 * 1024), 0};

    tree_unique(m->root, on_duplicate, &d);
    if (d.n && r->q.validation == VALIDATE_STRICT)
        api_fail_bad(&r->st, "strict decoding error: %s", buf_z(&d.list));
    else if (d.n && r->q.validation == VALIDATE_WARN && r->w.warn)
        r->w.warn(r->w.warn_to, buf_z(&d.list));
    buf_done(&d.list);
    return r->st.code ? -1 : 0;
}

static struct kmut *from_doc(yyjson_doc *doc)
{
    struct kmut *m = xnew(struct kmut);

    m->d = yyjson_doc_mut_copy(doc, NULL);
    m->root = yyjson_mut_doc_get_root(m->d);
    return m;
}

static struct kmut *empty(void)
{
    struct kmut *m = xnew(struct kmut);

    m->d = yyjson_mut_doc_new(NULL);
    m->root = yyjson_mut_obj(m->d);
    yyjson_mut_doc_set_root(m->d, m->root);
    return m;
}

static yyjson_doc *document(struct api_request *r)
{
    struct str body = http_body(r->x), type = http_request_header(r->x, "Content-Type");
    decode_fn *decode = decoder(type);
    struct api_status *st = &r->st;
    struct err e = {0};

    if (body.n > LIMIT_API_BODY) {
        api_fail(st, 413, "RequestEntityTooLarge", "Request entity too large: limit is %d",
                 LIMIT_API_BODY);
        return NULL;
    }
    if (!decode) {
        api_fail(st, 415, "UnsupportedMediaType",
                 "the body of the request was in an unknown format (" STR_FMT
                 ") - accepted media types include: application/json, application/yaml, "
                 "application/vnd.kubernetes.protobuf",
                 STR_ARG(type));
        return NULL;
    }
    yyjson_doc *doc = decode(body.p, body.n, &e);

    if (!doc && e.code == -ENOTSUP)
        api_fail(st, 415, "UnsupportedMediaType", "%s", e.msg);
    else if (!doc)
        api_fail_bad(st, "the object provided is unrecognized: %s", e.msg);
    return doc;
}

struct kmut *request_decode(struct api_request *r, bool optional)
{
    if (optional && !http_body(r->x).n)
        return empty();
    _cleanup_jdoc_ yyjson_doc *doc = document(r);

    if (!doc)
        return NULL;
    if (!yyjson_is_obj(yyjson_doc_get_root(doc))) {
        api_fail_bad(&r->st, "the object provided is unrecognized: it is not a JSON object");
        return NULL;
    }
    struct kmut *m = from_doc(doc);

    if (unique(r, m) == 0)
        return m;
    kmut_free(m);
    return NULL;
}
