/* Finds the subcommand and runs it. */
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "cmd/command/command.h"

const struct command *const commands[] = {&cmd_up, &cmd_import, &cmd_version, &cmd_help, NULL};

const struct command *command_find(const char *name)
{
    for (int i = 0; commands[i]; i++) {
        if (streq(commands[i]->name, name))
            return commands[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    const struct command *c;

    /* A heap per thread would keep several times what is in use; a few are enough for the roles. */
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
    setlocale(LC_ALL, "C.UTF-8");
    signal(SIGPIPE, SIG_IGN);
    if (streq(name, "--version") || streq(name, "-v"))
        name = "version";
    else if (streq(name, "--help") || streq(name, "-h"))
        name = "help";
    c = command_find(name);
    if (!c) {
        fprintf(stderr, "nonagon: there is no command '%s'. Try `nonagon help`.\n", name);
        return EXIT_USAGE;
    }
    if (argc > 2 && (streq(argv[2], "--help") || streq(argv[2], "-h"))) {
        command_print_usage(c);
        return EXIT_SUCCESS;
    }
    return c->run(argc > 1 ? argc - 1 : argc, argc > 1 ? argv + 1 : argv);
}
