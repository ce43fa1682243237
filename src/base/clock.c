/* Stamps and durations are parsed by hand: strict, without locale, and to the nanosecond. */
#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t now(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

int64_t clock_mono_ns(void)
{
    return now(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
    return now(CLOCK_REALTIME);
}

static int64_t system_mono(void *ctx)
{
    return clock_mono_ns();
}

static int64_t system_wall(void *ctx)
{
    return clock_wall_ns();
}

const struct clock clock_system = {.mono_ns = system_mono, .wall_ns = system_wall};

static size_t stamp(int64_t wall_ns, char *ret)
{
    time_t sec = (time_t)(wall_ns / NS_PER_SEC);
    struct tm tm;

    gmtime_r(&sec, &tm);
    return strftime(ret, RFC3339_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
}

void clock_rfc3339(int64_t wall_ns, char ret[static RFC3339_LEN])
{
    size_t n = stamp(wall_ns, ret);

    memcpy(ret + n, "Z", 2);
}

void clock_rfc3339_micro(int64_t wall_ns, char ret[static RFC3339_LEN])
{
    size_t n = stamp(wall_ns, ret);

    snprintf(ret + n, RFC3339_LEN - n, ".%06dZ", (int)(wall_ns % NS_PER_SEC / 1000));
}

static int digits(const char **s, int count, int *ret)
{
    int v = 0;

    for (int i = 0; i < count; i++) {
        if (!isdigit((unsigned char)**s))
            return -EINVAL;
        v = v * 10 + (*(*s)++ - '0');
    }
    *ret = v;
    return 0;
}

static int literal(const char **s, char a, char b)
{
    if (**s != a && **s != b)
        return -EINVAL;
    (*s)++;
    return 0;
}

/* Beyond what 64 bits of nanoseconds hold (years 1678 to 2261) the nearest end is as good. */
static int64_t to_ns(int64_t sec, int64_t frac)
{
    int64_t ns;

    if (__builtin_mul_overflow(sec, NS_PER_SEC, &ns) || __builtin_add_overflow(ns, frac, &ns))
        return sec < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

int clock_rfc3339_parse(const char *s, int64_t *ret_wall_ns)
{
    struct tm tm = {0};
    int y, mo, oh = 0, om = 0;
    int64_t frac = 0, scale = NS_PER_SEC / 10;

    if (digits(&s, 4, &y) || literal(&s, '-', '-') || digits(&s, 2, &mo) || literal(&s, '-', '-') ||
        digits(&s, 2, &tm.tm_mday) || literal(&s, 'T', 't') || digits(&s, 2, &tm.tm_hour) ||
        literal(&s, ':', ':') || digits(&s, 2, &tm.tm_min) || literal(&s, ':', ':') ||
        digits(&s, 2, &tm.tm_sec))
        return -EINVAL;
    if (mo < 1 || mo > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
        tm.tm_min > 59 || tm.tm_sec > 60)
        return -EINVAL;
    if (*s == '.') {
        if (!isdigit((unsigned char)*++s))
            return -EINVAL;
        for (; isdigit((unsigned char)*s); s++, scale /= 10)
            frac += (*s - '0') * scale;
    }
    int sign = *s == '-' ? -1 : 1;
    if (*s == '+' || *s == '-') {
        s++;
        if (digits(&s, 2, &oh) || literal(&s, ':', ':') || digits(&s, 2, &om))
            return -EINVAL;
    } else if (literal(&s, 'Z', 'z')) {
        return -EINVAL;
    }
    if (*s)
        return -EINVAL;
    tm.tm_year = y - 1900;
    tm.tm_mon = mo - 1;
    *ret_wall_ns = to_ns((int64_t)timegm(&tm) - sign * (oh * 3600 + om * 60), frac);
    return 0;
}

static const struct {
    const char *name;
    double ns;
} units[] = {
    {"ns", 1},   {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3},
    {"ms", 1e6}, {"s", 1e9},  {"m", 60e9},        {"h", 3600e9},
};

static bool unit_of(const char **s, double *ret_ns)
{
    /* The unit is everything up to the next digit or dot, as in Go. */
    size_t n = strcspn(*s, "0123456789.");

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) == n && memcmp(units[i].name, *s, n) == 0) {
            *ret_ns = units[i].ns;
            *s += n;
            return true;
        }
    }
    return false;
}

int duration_parse(const char *s, int64_t *ret_ns, struct err *e)
{
    const char *orig = s;
    double total = 0;
    bool neg = *s == '-';

    if (*s == '-' || *s == '+')
        s++;
    if (strcmp(s, "0") == 0) {
        *ret_ns = 0;
        return 0;
    }
    if (!*s)
        return err_set(e, -EINVAL, "\"%s\" is not a duration such as 90s or 1m30s", orig);
    while (*s) {
        char num[64];
        size_t n = strspn(s, "0123456789.");
        double unit;
        char *end;

        if (n == 0 || n >= sizeof(num))
            return err_set(e, -EINVAL, "\"%s\" is not a duration such as 90s or 1m30s", orig);
        memcpy(num, s, n);
        num[n] = '\0';
        s += n;
        double v = strtod(num, &end);
        if (*end || (n == 1 && num[0] == '.') || !unit_of(&s, &unit))
            return err_set(e, -EINVAL, "\"%s\" is not a duration such as 90s or 1m30s", orig);
        total += v * unit;
    }
    if (total > 9.2e18)
        return err_set(e, -EINVAL, "duration \"%s\" is too long", orig);
    *ret_ns = (int64_t)llround(neg ? -total : total);
    return 0;
}

void duration_format(int64_t ns, char ret[static 32])
{
    const char *sign = ns < 0 ? "-" : "";
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;

    if (u == 0)
        snprintf(ret, 32, "0s");
    else if (u < 1000)
        snprintf(ret, 32, "%s%luns", sign, (unsigned long)u);
    else if (u < 1000000)
        snprintf(ret, 32, "%s%.10g\xc2\xb5s", sign, (double)u / 1e3);
    else if (u < (uint64_t)NS_PER_SEC)
        snprintf(ret, 32, "%s%.10gms", sign, (double)u / 1e6);
    else {
        uint64_t h = u / 3600000000000ULL, m = u / 60000000000ULL % 60;
        double s = (double)(u % 60000000000ULL) / 1e9;
        if (h)
            snprintf(ret, 32, "%s%luh%lum%.12gs", sign, (unsigned long)h, (unsigned long)m, s);
        else if (m)
            snprintf(ret, 32, "%s%lum%.12gs", sign, (unsigned long)m, s);
        else
            snprintf(ret, 32, "%s%.12gs", sign, s);
    }
}
