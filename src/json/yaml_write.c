/*
 * Writing block style. A string stays plain only if it is made of harmless characters and would be
 * read back as the same string; several lines become a literal block where that is exact;
 * everything else is a double-quoted line.
 */
#include <ctype.h>
#include <errno.h>

#include "base/limits.h"
#include "json/yaml.h"
#include "json/yaml_scalar.h"

#define LONG_NAME                                                                                  \
    120 /* longer member names need the "? name" form: readers look ahead only so far for the      \
           colon */

struct writer {
    struct buf *out;
    int r;
};

static int write_value(struct writer *w, yyjson_val *v, size_t indent, bool in_list);

static void put(struct writer *w, const char *p, size_t n)
{
    if (w->r == 0)
        w->r = buf_add(w->out, p, n);
}

static void putz(struct writer *w, const char *z)
{
    put(w, z, strlen(z));
}

static void new_line(struct writer *w, size_t indent)
{
    putz(w, "\n");
    for (size_t i = 0; i < indent; i++)
        putz(w, " ");
}

static bool plain_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("_./-+ :=@,()$;", c));
}

/* No indicator at the front, nothing that ends a plain scalar inside, and nothing that means
 * something else. */
static bool is_plain(struct str s)
{
    if (s.n == 0 ||
        !(isalnum((unsigned char)s.p[0]) || s.p[0] == '_' || s.p[0] == '/' || s.p[0] == '.'))
        return false;
    if (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == ':' || str_starts(s, STR("...")))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!plain_char(s.p[i]) || (s.p[i] == ':' && s.p[i + 1] == ' '))
            return false;
    }
    return yaml_resolve(s).kind == YAML_IS_STRING;
}

/* Length of the UTF-8 sequence at s and its code point; text in documents is valid UTF-8. */
static size_t code_point(struct str s, uint32_t *ret)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t v = n == 1 ? c : c & (0xffu >> (n + 1));

    if (n > s.n)
        n = s.n;
    for (size_t i = 1; i < n; i++)
        v = v << 6 | ((unsigned char)s.p[i] & 0x3f);
    *ret = v;
    return n;
}

/* Readers refuse these unescaped, or take them for line breaks. */
static bool must_escape(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
           c == 0xfffe || c == 0xffff;
}

static void put_quoted(struct writer *w, struct str s)
{
    putz(w, "\"");
    while (s.n) {
        char hex[16];
        uint32_t c;
        size_t n = code_point(s, &c);
        if (c == '"' || c == '\\') {
            putz(w, c == '"' ? "\\\"" : "\\\\");
        } else if (c == '\n' || c == '\t') {
            putz(w, c == '\n' ? "\\n" : "\\t");
        } else if (must_escape(c)) {
            snprintf(hex, sizeof(hex), "\\u%04x", c);
            putz(w, hex);
        } else {
            put(w, s.p, n);
        }
        s.p += n;
        s.n -= n;
    }
    putz(w, "\"");
}

/* A block keeps its text exactly if lines hold nothing special and the first one is not blank or
 * indented. */
static bool is_block(struct str s)
{
    size_t at;

    if (!str_find(s, '\n', &at) || at == 0 || s.p[0] == ' ' || s.p[0] == '\t')
        return false;
    while (s.n) {
        uint32_t c;
        size_t n = code_point(s, &c);
        if (c != '\n' && must_escape(c))
            return false;
        s.p += n;
        s.n -= n;
    }
    return true;
}

static void put_block(struct writer *w, struct str s, size_t indent)
{
    struct str line;
    bool ends = s.p[s.n - 1] == '\n';

    putz(w, !ends ? "|-" : s.n > 1 && s.p[s.n - 2] == '\n' ? "|+" : "|");
    if (ends)
        s.n--;
    while (str_split(&s, '\n', &line)) {
        new_line(w, line.n ? indent : 0);
        put(w, line.p, line.n);
    }
}

static void put_scalar(struct writer *w, yyjson_val *v, size_t indent)
{
    struct str s = {yyjson_get_str(v), yyjson_get_len(v)};

    if (!yyjson_is_str(v)) {
        _cleanup_free_ char *text = json_text(v, &s.n);
        put(w, text, s.n);
    } else if (is_plain(s)) {
        put(w, s.p, s.n);
    } else if (indent && is_block(s)) {
        put_block(w, s, indent);
    } else {
        put_quoted(w, s);
    }
}

static void put_name(struct writer *w, yyjson_val *name, size_t indent)
{
    struct str s = {yyjson_get_str(name), yyjson_get_len(name)};

    if (s.n > LONG_NAME)
        putz(w, "? ");
    if (is_plain(s))
        put(w, s.p, s.n);
    else
        put_quoted(w, s);
    if (s.n > LONG_NAME)
        new_line(w, indent);
    putz(w, ":");
}

static bool is_open(yyjson_val *v)
{
    return yyjson_is_ctn(v) && unsafe_yyjson_get_len(v) > 0;
}

static int write_object(struct writer *w, yyjson_val *o, size_t indent, bool in_list)
{
    size_t i, max;
    yyjson_val *k, *v;

    yyjson_obj_foreach(o, i, max, k, v)
    {
        if (i > 0 || !in_list)
            new_line(w, indent);
        put_name(w, k, indent);
        if (!is_open(v))
            putz(w, " ");
        /* Lists of a member stand at the member's own column, as kubectl writes them. */
        write_value(w, v, yyjson_is_arr(v) ? indent : indent + 2, false);
    }
    return w->r;
}

static int write_list(struct writer *w, yyjson_val *a, size_t indent, bool in_list)
{
    size_t i, max;
    yyjson_val *v;

    yyjson_arr_foreach(a, i, max, v)
    {
        if (i > 0 || !in_list)
            new_line(w, indent);
        putz(w, "- ");
        write_value(w, v, indent + 2, true);
    }
    return w->r;
}

/* in_list: the cursor is behind "- ", so the first line needs no new one. */
static int write_value(struct writer *w, yyjson_val *v, size_t indent, bool in_list)
{
    if (w->r < 0)
        return w->r;
    if (!is_open(v)) {
        if (yyjson_is_ctn(v))
            putz(w, yyjson_is_obj(v) ? "{}" : "[]");
        else
            put_scalar(w, v, indent);
        return w->r;
    }
    return yyjson_is_obj(v) ? write_object(w, v, indent, in_list)
                            : write_list(w, v, indent, in_list);
}

int yaml_write(const yyjson_val *v, struct buf *out, struct err *e)
{
    struct writer w = {out, 0};

    write_value(&w, (yyjson_val *)(uintptr_t)v, 0, true);
    putz(&w, "\n");
    if (w.r < 0)
        return err_set(e, w.r, "cannot write YAML: the text is longer than %zu bytes", out->max);
    return 0;
}
