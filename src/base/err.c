/* Messages are cut to fit; a cut one shows it by its three dots. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void fill(char *dst, const char *fmt, va_list ap)
{
    int n = vsnprintf(dst, ERR_MSG_MAX, fmt, ap);

    if (n >= ERR_MSG_MAX)
        memcpy(dst + ERR_MSG_MAX - 4, "...", 4);
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    va_list ap;

    if (code >= 0)
        code = -EIO;
    if (!e)
        return code;
    e->code = code;
    va_start(ap, fmt);
    fill(e->msg, fmt, ap);
    va_end(ap);
    return code;
}

int err_sys(struct err *e, int errnum, const char *fmt, ...)
{
    char text[ERR_MSG_MAX];
    va_list ap;

    if (!e)
        return -errnum;
    va_start(ap, fmt);
    fill(text, fmt, ap);
    va_end(ap);
    return err_set(e, -errnum, "%s: %s", text, strerror(errnum));
}

int err_prefix(struct err *e, const char *fmt, ...)
{
    char text[ERR_MSG_MAX], old[ERR_MSG_MAX];
    va_list ap;

    if (!e)
        return -EIO;
    va_start(ap, fmt);
    fill(text, fmt, ap);
    va_end(ap);
    memcpy(old, e->msg, sizeof(old));
    return err_set(e, e->code, "%s: %s", text, old);
}
