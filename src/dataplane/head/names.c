/*
 * What a field's name means to a proxy. Decided by the length first, so that most names cost one
 * switch. Names are compared with '_' as '-' where applications do so too.
 */
#include "dataplane/head/names.h"

static bool is(struct str s, const char *name)
{
    return str_ieq(s, (struct str){name, s.n});
}

/* Equal but for case and for underscores. */
static bool is_like(struct str s, const char *name)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i] == '_' ? '-' : s.p[i];
        c = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        if (c != name[i])
            return false;
    }
    return true;
}

enum dp_name dp_name_of(struct str name)
{
    switch (name.n) {
    case 2:
        if (is(name, "te"))
            return DP_NAME_TE;
        break;
    case 4:
        if (is(name, "host"))
            return DP_NAME_HOST;
        break;
    case 7:
        if (is(name, "upgrade"))
            return DP_NAME_UPGRADE;
        if (is(name, "trailer"))
            return DP_NAME_TRAILER;
        break;
    case 9:
        if (is_like(name, "forwarded"))
            return DP_NAME_FORWARDED;
        break;
    case 10:
        if (is(name, "connection"))
            return DP_NAME_CONNECTION;
        if (is(name, "keep-alive"))
            return DP_NAME_HOP;
        break;
    case 14:
        if (is_like(name, "content-length"))
            return DP_NAME_FRAMING;
        if (is(name, "http2-settings"))
            return DP_NAME_HOP;
        break;
    case 16:
        if (is(name, "proxy-connection"))
            return DP_NAME_HOP;
        break;
    case 17:
        if (is_like(name, "transfer-encoding"))
            return DP_NAME_FRAMING;
        break;
    case 18:
        if (is(name, "proxy-authenticate"))
            return DP_NAME_PROXY_AUTH;
        break;
    case 19:
        if (is(name, "proxy-authorization"))
            return DP_NAME_PROXY_AUTH;
        break;
    case 24:
        if (is_like(name, "knative-serving-revision"))
            return DP_NAME_ROUTING;
        break;
    case 25:
        if (is_like(name, "knative-serving-namespace"))
            return DP_NAME_ROUTING;
        break;
    }
    char c = name.n ? name.p[0] : 0;
    if (name.n > 2 && (c == 'k' || c == 'K') && (name.p[1] == '-' || name.p[1] == '_'))
        return DP_NAME_KNATIVE;
    if (name.n > 16 && (c | 0x20) == 'k' && is_like((struct str){name.p, 16}, "knative-serving-"))
        return DP_NAME_KNATIVE;
    if (name.n > 12 && (c == 'x' || c == 'X') && is_like((struct str){name.p, 12}, "x-forwarded-"))
        return DP_NAME_FORWARDED;
    return DP_NAME_PLAIN;
}

bool dp_name_is_ours(struct str name)
{
    switch (dp_name_of(name)) {
    case DP_NAME_HOST:
    case DP_NAME_FRAMING:
    case DP_NAME_FORWARDED:
    case DP_NAME_KNATIVE:
    case DP_NAME_ROUTING:
        return true;
    default:
        return false;
    }
}
