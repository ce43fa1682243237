/*
 * One pass over the text: what lies outside {{ }} is copied, each action is looked up in the data.
 * Trim marks cut the white space next to the action, before it from the output and after it from
 * the rest of the text.
 */
#include "contract/template.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "http/limits.h"

static struct str trim_space(struct str s)
{
    while (s.n && isspace((unsigned char)s.p[0]))
        s.p++, s.n--;
    while (s.n && isspace((unsigned char)s.p[s.n - 1]))
        s.n--;
    return s;
}

/* One ".A.B" step by step; a map without the member gives the empty text, as the zero value of a Go
 * string map. */
static int walk(yyjson_val *data, struct str path, yyjson_val **ret, struct err *e)
{
    struct str rest = path, part;
    yyjson_val *v = data;
    bool top = true;

    str_split(&rest, '.', &part);
    if (part.n != 0)
        return err_set(e, -EINVAL, "template: \"" STR_FMT "\" is not a field", STR_ARG(path));
    while (str_split(&rest, '.', &part)) {
        v = yyjson_obj_getn(v, part.p, part.n);
        if (!v && top)
            return err_set(e, -EINVAL, "template: there is no field \"" STR_FMT "\"",
                           STR_ARG(part));
        top = false;
    }
    *ret = v;
    return 0;
}

static int fill_value(yyjson_val *v, struct buf *out, struct err *e)
{
    if (!v)
        return 0;
    if (!yyjson_is_str(v))
        return err_set(e, -EINVAL, "template: the field is not a text");
    return buf_add(out, yyjson_get_str(v), yyjson_get_len(v)) < 0
               ? err_set(e, -E2BIG, "template: the result is too long")
               : 0;
}

static int fill_index(yyjson_val *data, struct str args, struct buf *out, struct err *e)
{
    yyjson_val *v = NULL;
    size_t at;

    args = trim_space(args);
    if (!str_find(args, ' ', &at))
        return err_set(e, -EINVAL, "template: index needs a field and a key");
    struct str field = {args.p, at}, key = trim_space((struct str){args.p + at, args.n - at});
    if (key.n < 2 || key.p[0] != '"' || key.p[key.n - 1] != '"' ||
        memchr(key.p + 1, '"', key.n - 2))
        return err_set(e, -EINVAL, "template: index needs one key in double quotes");
    if (walk(data, field, &v, e) < 0)
        return -EINVAL;
    return fill_value(yyjson_obj_getn(v, key.p + 1, key.n - 2), out, e);
}

static int fill_action(yyjson_val *data, struct str action, struct buf *out, struct err *e)
{
    yyjson_val *v = NULL;

    if (str_starts(action, STR("index ")))
        return fill_index(data, (struct str){action.p + 6, action.n - 6}, out, e);
    if (action.n == 0 || action.p[0] != '.' || memchr(action.p, ' ', action.n))
        return err_set(e, -EINVAL, "template: the action {{" STR_FMT "}} is not known",
                       STR_ARG(action));
    if (walk(data, action, &v, e) < 0)
        return -EINVAL;
    return fill_value(v, out, e);
}

char *template_fill(const char *text, const yyjson_val *data, struct err *e)
{
    _cleanup_buf_ struct buf out = BUF_INIT(LIMIT_HTTP_URL);

    while (*text) {
        const char *open = strstr(text, "{{");
        if (buf_add(&out, text, open ? (size_t)(open - text) : strlen(text)) < 0)
            return (void)err_set(e, -E2BIG, "template: the result is too long"), NULL;
        if (!open)
            break;
        const char *close = strstr(open, "}}");
        if (!close)
            return (void)err_set(e, -EINVAL, "template: {{ without }}"), NULL;
        struct str action = {open + 2, (size_t)(close - open - 2)};
        text = close + 2;
        if (action.n > 1 && action.p[0] == '-' && isspace((unsigned char)action.p[1])) {
            while (out.n && isspace((unsigned char)out.p[out.n - 1]))
                out.p[--out.n] = '\0';
            action.p++, action.n--;
        }
        if (action.n > 1 && action.p[action.n - 1] == '-' &&
            isspace((unsigned char)action.p[action.n - 2])) {
            while (isspace((unsigned char)*text))
                text++;
            action.n--;
        }
        if (fill_action((yyjson_val *)data, trim_space(action), &out, e) < 0)
            return NULL;
    }
    return buf_steal(&out, NULL);
}
