/* Escapes as Go knows them; letters and digits that mean nothing to it are errors. */
#include "cluster/apiserver/pattern/escape.h"

#include <errno.h>

static int bad(const char *from, size_t n, struct err *e)
{
    return err_set(e, -EINVAL, "error parsing regexp: invalid escape sequence: `%.*s`",
                   (int)(n < 100 ? n : 100), from);
}

int escape_rune(const char **p, uint32_t *ret, struct err *e)
{
    const unsigned char *q = (const unsigned char *)*p;
    int more = q[0] < 0x80 ? 0 : q[0] >= 0xf0 ? 3 : q[0] >= 0xe0 ? 2 : 1;
    uint32_t c = more == 0 ? q[0] : q[0] & (0x3fu >> more);

    if ((q[0] >= 0x80 && q[0] < 0xc0) || q[0] >= 0xf8)
        return err_set(e, -EINVAL, "error parsing regexp: invalid UTF-8");
    for (int i = 1; i <= more; i++) {
        if ((q[i] & 0xc0) != 0x80)
            return err_set(e, -EINVAL, "error parsing regexp: invalid UTF-8");
        c = c << 6 | (q[i] & 0x3f);
    }
    if (c > CHARSET_LAST)
        return err_set(e, -EINVAL, "error parsing regexp: invalid UTF-8");
    *p += more + 1;
    *ret = c;
    return 0;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Behind \x: two digits, or any number in braces. */
static int hex(const char *from, const char **p, uint32_t *ret, struct err *e)
{
    const char *q = *p;
    bool braces = *q == '{';
    uint32_t c = 0;
    int n = 0;

    for (q += braces; hex_digit(*q) >= 0 && (braces || n < 2); q++, n++)
        if ((c = c << 4 | (uint32_t)hex_digit(*q)) > CHARSET_LAST)
            return bad(from, (size_t)(q - from) + 1, e);
    if (!n || (!braces && n < 2) || (braces && *q != '}'))
        return bad(from, (size_t)(q - from) + !!*q, e);
    *p = q + braces;
    *ret = c;
    return 0;
}

/* \0, \12, \123: a single digit other than 0 would refer back, which is not possible. */
static int octal(const char *from, const char **p, uint32_t *ret, struct err *e)
{
    const char *q = *p;
    uint32_t c = 0;

    if (*q != '0' && (q[1] < '0' || q[1] > '7'))
        return bad(from, 2, e);
    for (int n = 0; n < 3 && *q >= '0' && *q <= '7'; n++)
        c = c * 8 + (uint32_t)(*q++ - '0');
    *p = q;
    *ret = c;
    return 0;
}

int escape_char(const char **p, uint32_t *ret, struct err *e)
{
    static const char letters[] = "aftnrv", values[] = "\a\f\t\n\r\v";
    const char *from = *p, *known;
    char c = from[1];

    if (!c)
        return err_set(e, -EINVAL,
                       "error parsing regexp: trailing backslash at end of expression: "
                       "``");
    *p = from + 2;
    if ((known = strchr(letters, c))) {
        *ret = (unsigned char)values[known - letters];
        return 0;
    }
    if (c == 'x')
        return hex(from, p, ret, e);
    if (c >= '0' && c <= '7') {
        --*p;
        return octal(from, p, ret, e);
    }
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        (unsigned char)c >= 0x80)
        return bad(from, 2, e);
    *ret = (unsigned char)c;
    return 0;
}

static int category(const char **p, bool fold, struct charset *s, struct err *e)
{
    const char *from = *p, *name = from + 2, *end = name + 1;
    bool negated = from[1] == 'P', braces = *name == '{';
    _cleanup_charset_ struct charset one = {0};

    if (braces) {
        end = strchr(++name, '}');
        if (!end)
            return err_set(e, -EINVAL,
                           "error parsing regexp: invalid character class range: `%.*s`",
                           (int)strnlen(from, 100), from);
        if (*name == '^') {
            negated = !negated;
            name++;
        }
    }
    if (!*name)
        return err_set(e, -EINVAL, "error parsing regexp: invalid character class range: `%s`",
                       from);
    if (end < name || !charset_add_category(&one, (struct str){name, (size_t)(end - name)}))
        return err_set(e, -ENOTSUP,
                       "error parsing regexp: invalid character class range: `%.*s` is no general "
                       "category of Unicode (scripts are not known here)",
                       (int)strnlen(from, 40), from);
    if (fold)
        charset_fold(&one);
    if (negated)
        charset_negate(&one);
    charset_add_set(s, &one);
    *p = end + braces;
    return 1;
}

int escape_class(const char **p, bool fold, struct charset *s, struct err *e)
{
    _cleanup_charset_ struct charset one = {0};
    char c = **p == '\\' ? (*p)[1] : '\0';

    if (c == 'p' || c == 'P')
        return category(p, fold, s, e);
    if (!c || !strchr("dswDSW", c))
        return 0;
    charset_add_perl(&one, (char)(c | 0x20));
    if (fold)
        charset_fold(&one);
    if (c < 'a')
        charset_negate(&one);
    charset_add_set(s, &one);
    *p += 2;
    return 1;
}
