/*
 * Resolution by the YAML 1.1 rules that Kubernetes tools follow: yes/no/on/off are booleans,
 * numbers may have underscores and the prefixes 0x, 0o, 0b and (octal) 0, and anything that is no
 * number within range is a string.
 */
#include "json/yaml_scalar.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define LONGEST_NUMBER 400 /* digits of anything that is worth calling a number */

static bool among(struct str s, const char *const *words)
{
    for (; *words; words++) {
        if (str_eq(s, str_of(*words)))
            return true;
    }
    return false;
}

static bool word(struct str s, struct yaml_value *v)
{
    static const char *const null[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                      "True", "TRUE", "on",  "On",  "ON",  NULL};
    static const char *const no[] = {"n",     "N",     "no",  "No",  "NO",  "false",
                                     "False", "FALSE", "off", "Off", "OFF", NULL};
    static const char *const unreal[] = {".nan",  ".NaN",  ".NAN",  ".inf",  ".Inf",
                                         ".INF",  "+.inf", "+.Inf", "+.INF", "-.inf",
                                         "-.Inf", "-.INF", NULL};

    if (among(s, null))
        v->kind = YAML_IS_NULL;
    else if (among(s, yes) || among(s, no))
        *v = (struct yaml_value){.kind = YAML_IS_BOOL, .b = among(s, yes)};
    else if (among(s, unreal))
        v->kind = YAML_IS_NOT_JSON;
    else
        return false;
    return true;
}

static int base_of(const char **digits)
{
    const char *p = *digits;

    if (p[0] != '0' || !p[1])
        return 10;
    *digits += 2;
    switch (p[1]) {
    case 'x':
    case 'X':
        return 16;
    case 'o':
    case 'O':
        return 8;
    case 'b':
    case 'B':
        return 2;
    default:
        *digits -= 1;
        return 8;
    }
}

static bool integer(const char *z, struct yaml_value *v)
{
    bool negative = *z == '-';
    char *end;

    if (*z == '-' || *z == '+')
        z++;
    int base = base_of(&z);
    if (!isxdigit((unsigned char)*z))
        return false;
    /* strtoull itself takes a second "0x". */
    if (base == 16 && z[0] == '0' && (z[1] == 'x' || z[1] == 'X'))
        return false;
    errno = 0;
    unsigned long long u = strtoull(z, &end, base);
    if (errno || *end || end == z || (negative && u > (uint64_t)INT64_MAX + 1))
        return false;
    if (negative || u <= INT64_MAX)
        *v =
            (struct yaml_value){.kind = YAML_IS_INT, .i = negative ? (int64_t)(0 - u) : (int64_t)u};
    else
        *v = (struct yaml_value){.kind = YAML_IS_UINT, .u = u};
    return true;
}

static const char *skip_digits(const char *z)
{
    while (isdigit((unsigned char)*z))
        z++;
    return z;
}

/* [-+]? ( .d+ | d+ (. d*)? ) ( e [-+]? d+ )? */
static bool real(const char *text, struct yaml_value *v)
{
    const char *z = text + (*text == '-' || *text == '+'), *at = skip_digits(z);
    bool digits = at > z;

    if (*at == '.') {
        z = at + 1;
        at = skip_digits(z);
        digits = digits || at > z;
    }
    if (!digits)
        return false;
    if (*at == 'e' || *at == 'E') {
        z = at + 1 + (at[1] == '-' || at[1] == '+');
        at = skip_digits(z);
        if (at == z)
            return false;
    }
    if (*at)
        return false;
    double d = strtod(text, NULL);
    if (!isfinite(d))
        return false;
    *v = (struct yaml_value){.kind = YAML_IS_REAL, .real = d};
    return true;
}

static bool number(struct str s, struct yaml_value *v)
{
    char z[LONGEST_NUMBER + 1];
    size_t n = 0;

    if (s.n == 0 || s.n > LONGEST_NUMBER ||
        !(isdigit((unsigned char)s.p[0]) || strchr("+-.", s.p[0])))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\0')
            return false;
        if (s.p[i] != '_')
            z[n++] = s.p[i];
    }
    z[n] = '\0';
    return integer(z, v) || real(z, v);
}

struct yaml_value yaml_resolve(struct str s)
{
    struct yaml_value v = {.kind = YAML_IS_STRING};

    if (!word(s, &v))
        number(s, &v);
    return v;
}
