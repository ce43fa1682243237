/*
 * Subcommands: one file each, a const table entry and its functions. This folder is wiring only: it
 * may include everything, and nothing includes it.
 */
#ifndef NONAGON_CMD_H
#define NONAGON_CMD_H

struct command {
    const char *name;
    const char *summary;               /* one line for `nonagon help` */
    const char *usage;                 /* whole text for `nonagon help NAME`; ends in a newline */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the exit status */
};

extern const struct command cmd_up, cmd_import, cmd_version, cmd_help;
extern const struct command *const commands[]; /* NULL-terminated, in the order of the help text */
const struct command *command_find(const char *name);

/* Exit statuses */
#define EXIT_USAGE 2

/* Prints "nonagon NAME: text" and where to get help; returns EXIT_USAGE. */
int usage_error(const struct command *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints "nonagon: text" on standard error; returns EXIT_FAILURE. */
int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
