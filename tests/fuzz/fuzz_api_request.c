/* Input: path?query, a line break, an Accept field, a line break, a JSONPath. */
#include <stdint.h>
#include <stdlib.h>

#include "cluster/apiserver/request/path.h"
#include "cluster/apiserver/request/query.h"
#include "cluster/apiserver/schema/jsonpath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_query(struct str query)
{
    _cleanup_status_ struct api_status st = {0};
    struct api_query q;

    if (api_query_parse(query, &q, &st) < 0 && (!st.code || !st.message))
        abort();
    if (q.after) {
        _cleanup_free_ char *again = api_continue_token(q.snapshot, q.after);

        if (strlen(again) != 16 + 2 * strlen(q.after))
            abort();
    }
    api_query_done(&q);
}

static void try_jsonpath(struct str text)
{
    static const char object[] =
        "{\"a\":[{\"b\":1,\"type\":\"Ready\"},{\"b\":[2,3]}],\"c\":{\"d.e\":null}}";
    _cleanup_free_ char *z = xstrndup(text.p, text.n);
    _cleanup_jdoc_ yyjson_doc *d = json_parse(object, sizeof(object) - 1, NULL);
    struct err e = {0};
    _cleanup_(jsonpath_freep) struct jsonpath *p = jsonpath_parse(z, &e);

    if (p)
        jsonpath_first(p, yyjson_doc_get_root(d));
    else if (!e.msg[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, target = {"", 0}, accept = {"", 0}, path;
    struct api_path p;
    struct api_accept a;
    size_t mark;

    str_split(&rest, '\n', &target);
    str_split(&rest, '\n', &accept);
    mark = target.n;
    str_find(target, '?', &mark);
    path = (struct str){target.p, mark};
    api_path_parse(path, &p);
    if (p.kind != PATH_OBJECTS && (p.plural[0] || p.name[0]))
        abort();
    if (mark < target.n)
        try_query((struct str){target.p + mark + 1, target.n - mark - 1});
    _cleanup_status_ struct api_status st = {0};

    if ((api_accept_parse(accept, &a, &st) < 0) != (st.code == 406))
        abort();
    if (rest.p)
        try_jsonpath(rest);
    return 0;
}
