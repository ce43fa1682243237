/*
 * A quantity is digits x 10^ten x 2^two. The digits are kept as an integer and every step
 * saturates, so "9E" and "1e400" become the largest value, as in Kubernetes. Digits below the
 * resolution only matter as "is there any", for rounding up.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "kube/names.h"

struct quantity {
    bool negative;
    unsigned __int128 digits;
    bool rest; /* nonzero digits beyond what `digits` holds */
    int ten, two;
};

static const struct suffix {
    const char *text;
    int ten, two;
} suffixes[] = {
    {"", 0, 0},    {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"k", 3, 0},   {"M", 6, 0},
    {"G", 9, 0},   {"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
    {"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60},
};

#define DIGITS_MAX ((unsigned __int128)1 << 90)

static const char *read_digits(const char *s, struct quantity *q, bool *ret_any)
{
    bool point = false;

    *ret_any = false;
    for (;; s++) {
        if (*s == '.' && !point) {
            point = true;
            continue;
        }
        if (*s < '0' || *s > '9')
            return s;
        *ret_any = true;
        if (q->digits >= DIGITS_MAX / 10) {
            q->rest = q->rest || *s != '0';
            q->ten += !point;
            continue;
        }
        q->digits = q->digits * 10 + (unsigned)(*s - '0');
        q->ten -= point;
    }
}

static int read_suffix(const char *s, struct quantity *q)
{
    int64_t exponent;

    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (streq(s, suffixes[i].text)) {
            q->ten += suffixes[i].ten;
            q->two += suffixes[i].two;
            return 0;
        }
    }
    if (*s != 'e' && *s != 'E')
        return -EINVAL;
    if (str_i64(str_of(s + 1 + (s[1] == '+')), &exponent) < 0 || exponent > 1000 ||
        exponent < -1000)
        return -EINVAL;
    q->ten += (int)exponent;
    return 0;
}

static int parse(const char *s, struct quantity *q, struct err *e)
{
    const char *at = s;
    bool any;

    *q = (struct quantity){.negative = *at == '-'};
    at += *at == '-' || *at == '+';
    at = read_digits(at, q, &any);
    if (!any || read_suffix(at, q) < 0)
        return err_set(e, -EINVAL,
                       "invalid quantity \"%s\": expected a number such as 250m, 1.5, 128Mi or 2e3",
                       s);
    return 0;
}

static int64_t value(const struct quantity *q, int ten)
{
    unsigned __int128 v = q->digits;
    bool rest = q->rest;

    ten += q->ten;
    if (v == 0)
        return 0;
    for (int i = 0; i < q->two; i++) {
        if (v > DIGITS_MAX)
            return q->negative ? INT64_MIN : INT64_MAX;
        v *= 2;
    }
    for (; ten > 0; ten--) {
        if (v > DIGITS_MAX)
            return q->negative ? INT64_MIN : INT64_MAX;
        v *= 10;
    }
    for (; ten < 0 && v; ten++) {
        rest = rest || v % 10;
        v /= 10;
    }
    v += rest && !q->negative;
    if (v > INT64_MAX)
        return q->negative ? INT64_MIN : INT64_MAX;
    return q->negative ? -(int64_t)v : (int64_t)v;
}

int quantity_parse_milli(const char *s, int64_t *ret_milli, struct err *e)
{
    struct quantity q;
    int r = parse(s, &q, e);

    if (r < 0)
        return r;
    *ret_milli = value(&q, 3);
    return 0;
}

int quantity_parse(const char *s, int64_t *ret, struct err *e)
{
    struct quantity q;
    int r = parse(s, &q, e);

    if (r < 0)
        return r;
    *ret = value(&q, 0);
    return 0;
}
