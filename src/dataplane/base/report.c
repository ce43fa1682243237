/* Lines for the operator, at most one a second of each kind. */
#include "dataplane/base/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"

#define EVERY_NS NS_PER_SEC
#define LINE_MAX 512

void dp_say(struct dp_report *r, int64_t now_ns, enum dp_kind kind, const char *fmt, ...)
{
    char line[LINE_MAX];
    va_list ap;
    size_t n;

    if (!r->fn)
        return;
    if (r->kinds[kind].last_ns != 0 && now_ns - r->kinds[kind].last_ns < EVERY_NS) {
        r->kinds[kind].left_out++;
        return;
    }
    va_start(ap, fmt);
    int made = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    n = made < 0 ? 0 : (size_t)made < sizeof(line) ? (size_t)made : sizeof(line) - 1;
    if (r->kinds[kind].left_out > 0)
        snprintf(line + n, sizeof(line) - n, " (and %llu more like it)",
                 (unsigned long long)r->kinds[kind].left_out);
    r->kinds[kind].left_out = 0;
    r->kinds[kind].last_ns = now_ns;
    for (char *p = line; *p; p++) /* pods and clients have their words in it */
        *p = (unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p;
    r->fn(r->ctx, kind, line);
}

void dp_report_flush(struct dp_report *r, int64_t now_ns)
{
    static const char *const names[DP_SAY_KINDS] = {"bad requests", "refused connections",
                                                    "broken answers", "timeouts", "overload"};

    for (int k = 0; k < DP_SAY_KINDS; k++) {
        uint64_t n = r->kinds[k].left_out;
        if (n == 0 || now_ns - r->kinds[k].last_ns < EVERY_NS)
            continue;
        r->kinds[k].left_out = 0;
        dp_say(r, now_ns, (enum dp_kind)k, "%s: %llu more", names[k], (unsigned long long)n);
    }
}
