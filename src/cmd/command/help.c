#include <stdio.h>
#include <stdlib.h>

#include "cmd/command/command.h"

static int run(int argc, char **argv)
{
    if (argc > 1) {
        const struct command *c = command_find(argv[1]);
        if (!c)
            return usage_error(&cmd_help, "there is no command '%s'", argv[1]);
        command_print_usage(c);
        return EXIT_SUCCESS;
    }
    puts("Nonagon is Knative Serving in one binary: the whole Knative API on one machine.\n\n"
         "usage: nonagon COMMAND [OPTIONS]\n");
    for (int i = 0; commands[i]; i++)
        printf("  %-9s %s\n", commands[i]->name, commands[i]->summary);
    puts("\n`nonagon help COMMAND` tells more about one of them.");
    return EXIT_SUCCESS;
}

const struct command cmd_help = {
    .name = "help",
    .summary = "show this list, or one command's options",
    .usage = "usage: nonagon help [COMMAND]\n",
    .run = run,
};
