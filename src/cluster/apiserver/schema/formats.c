/* One function per format; each reads the whole text. */
#include "cluster/apiserver/schema/formats.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

static bool is_hex(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isxdigit((unsigned char)s[i]))
            return false;
    return true;
}

/* ---- times ---- */
static bool is_date_time(const char *s)
{
    int64_t t;

    return clock_rfc3339_parse(s, &t) == 0;
}

static bool is_date(const char *s)
{
    _cleanup_free_ char *stamp = xasprintf("%sT00:00:00Z", s);

    return strlen(s) == 10 && is_date_time(stamp);
}

/* The length of a unit of time at p, the longest that fits; 0 for none. */
static size_t unit_len(const char *p)
{
    static const char *const units[] = {
        "nanoseconds", "nanosecond", "nanos",   "nano",      "ns",      "microseconds",
        "microsecond", "micros",     "micro",   "\xc2\xb5s", "us",      "milliseconds",
        "millisecond", "millis",     "milli",   "ms",        "seconds", "second",
        "sec",         "s",          "minutes", "minute",    "min",     "m",
        "hours",       "hour",       "hr",      "h",         "days",    "day",
        "d",           "weeks",      "week",    "wk",        "w"};
    size_t best = 0;

    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (strlen(units[i]) > best && !strncmp(p, units[i], strlen(units[i])))
            best = strlen(units[i]);
    return best;
}

/* "1h30m", "1.5s", "3 days": numbers with units, in any number. */
static bool is_duration(const char *s)
{
    s += *s == '-' || *s == '+';
    if (!strcmp(s, "0"))
        return true;
    if (!*s)
        return false;
    while (*s) {
        size_t digits = strspn(s, "0123456789"), part = 0;

        if (s[digits] == '.')
            part = 1 + strspn(s + digits + 1, "0123456789");
        if (digits + part == 0 || (digits == 0 && part == 1))
            return false;
        s += digits + part;
        s += strspn(s, " \t");
        size_t unit = unit_len(s);

        if (!unit)
            return false;
        s += unit;
        s += strspn(s, " \t");
    }
    return true;
}

/* ---- addresses ---- */
static bool is_ipv4(const char *s)
{
    struct in_addr a;

    return inet_pton(AF_INET, s, &a) == 1;
}

static bool is_ipv6(const char *s)
{
    struct in6_addr a;

    return inet_pton(AF_INET6, s, &a) == 1;
}

static bool is_cidr(const char *s)
{
    const char *slash = strchr(s, '/');
    uint64_t bits = 0;

    if (!slash || str_u64(str_of(slash + 1), &bits) < 0)
        return false;
    _cleanup_free_ char *host = xstrndup(s, (size_t)(slash - s));

    return is_ipv4(host) ? bits <= 32 : is_ipv6(host) && bits <= 128;
}

/* Six, eight or twenty bytes with colons or dashes, or two-byte groups with dots. */
static bool is_mac(const char *s)
{
    size_t n = strlen(s), group = n > 4 && s[4] == '.' ? 4 : 2;

    if ((n + 1) % (group + 1))
        return false;
    size_t bytes = (n + 1) / (group + 1) * (group / 2);

    if (bytes != 6 && bytes != 8 && bytes != 20)
        return false;
    for (size_t i = 0; i < n; i += group + 1) {
        if (!is_hex(s + i, group))
            return false;
        if (i + group < n &&
            (s[i + group] != s[group] || !strchr(group == 4 ? "." : ":-", s[group])))
            return false;
    }
    return true;
}

static bool is_hostname(const char *s)
{
    struct str rest = str_of(s), label;
    size_t n = strlen(s);

    if (!n || n > 255)
        return false;
    if (s[n - 1] == '.')
        rest.n--;
    while (str_split(&rest, '.', &label)) {
        if (!label.n || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
            return false;
        for (size_t i = 0; i < label.n; i++)
            if (!isalnum((unsigned char)label.p[i]) && label.p[i] != '-' && label.p[i] != '_' &&
                (unsigned char)label.p[i] < 0x80)
                return false;
    }
    return true;
}

/* What is a request's target: absolute, or a path from the root. */
static bool is_uri(const char *s)
{
    size_t scheme = 0;

    for (const char *p = s; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f || (*p == '%' && !is_hex(p + 1, 2)))
            return false;
    if (*s == '/')
        return true;
    while (isalnum((unsigned char)s[scheme]) || (scheme && s[scheme] && strchr("+-.", s[scheme])))
        scheme++;
    return scheme && isalpha((unsigned char)s[0]) && s[scheme] == ':' && s[scheme + 1];
}

static bool is_email(const char *s)
{
    const char *at = strrchr(s, '@');

    if (!at || at == s || !at[1] || strchr(s, ' ') || strchr(s, '<') || strchr(s, '>'))
        return false;
    if (*s == '.' || at[-1] == '.' || strstr(s, ".."))
        return false;
    return at == strchr(s, '@') && is_hostname(at + 1);
}

/* ---- identifiers ---- */
/* Five groups of hex digits, dashes between them or not. */
static bool is_uuid_of(const char *s, char version)
{
    static const size_t groups[] = {8, 4, 4, 4, 12};
    const char *third = NULL, *fourth = NULL;

    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        if (strlen(s) < groups[i] || !is_hex(s, groups[i]))
            return false;
        third = i == 2 ? s : third;
        fourth = i == 3 ? s : fourth;
        s += groups[i];
        s += *s == '-' && i + 1 < ARRAY_LEN(groups);
    }
    if (*s || (version && *third != version))
        return false;
    return version < '4' || strchr("89abAB", *fourth);
}

static bool is_uuid(const char *s)
{
    return is_uuid_of(s, '\0');
}

static bool is_uuid3(const char *s)
{
    return is_uuid_of(s, '3');
}

static bool is_uuid4(const char *s)
{
    return is_uuid_of(s, '4');
}

static bool is_uuid5(const char *s)
{
    return is_uuid_of(s, '5');
}

static bool is_object_id(const char *s)
{
    return strlen(s) == 24 && is_hex(s, 24);
}

/* ---- others ---- */
static bool is_hex_color(const char *s)
{
    s += *s == '#';
    return (strlen(s) == 3 || strlen(s) == 6) && is_hex(s, strlen(s));
}

static bool is_rgb_color(const char *s)
{
    int r, g, b, end = 0;

    return sscanf(s, "rgb( %3d , %3d , %3d )%n", &r, &g, &b, &end) == 3 && end && !s[end] &&
           r >= 0 && r < 256 && g >= 0 && g < 256 && b >= 0 && b < 256;
}

static bool is_bytes(const char *s)
{
    return base64_valid(s);
}

const struct string_format *string_format_find(const char *name)
{
    static const struct string_format all[] = {
        {"date-time", is_date_time},
        {"datetime", is_date_time},
        {"date", is_date},
        {"duration", is_duration},
        {"byte", is_bytes},
        {"ipv4", is_ipv4},
        {"ipv6", is_ipv6},
        {"cidr", is_cidr},
        {"mac", is_mac},
        {"hostname", is_hostname},
        {"uri", is_uri},
        {"email", is_email},
        {"uuid", is_uuid},
        {"uuid3", is_uuid3},
        {"uuid4", is_uuid4},
        {"uuid5", is_uuid5},
        {"bsonobjectid", is_object_id},
        {"hexcolor", is_hex_color},
        {"rgbcolor", is_rgb_color},
    };

    for (size_t i = 0; name && i < ARRAY_LEN(all); i++)
        if (streq(all[i].name, name))
            return &all[i];
    return NULL;
}
