/* What subcommands say when they cannot, and how one is described. */
#include "cmd/command/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

void command_print_usage(const struct command *c)
{
    struct buf text = {.max = 64 * 1024};

    if (c->describe)
        c->describe(&text);
    else
        buf_addf(&text, "%s", c->usage);
    fwrite(text.p, 1, text.n, stdout);
    buf_done(&text);
}

int usage_error(const struct command *c, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "nonagon %s: ", c->name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\nTry `nonagon help %s`.\n", c->name);
    return EXIT_USAGE;
}

int fail(const char *fmt, ...)
{
    va_list ap;

    fputs("nonagon: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return EXIT_FAILURE;
}
