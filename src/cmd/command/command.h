/*
 * Subcommands: one file each, which ends in its row. None knows another.
 */
#ifndef NONAGON_CMD_COMMAND_H
#define NONAGON_CMD_COMMAND_H

struct buf;

struct command {
    const char *name;
    const char *summary;               /* one line for `nonagon help` */
    const char *usage;                 /* text for `nonagon help NAME`; ends in a newline */
    void (*describe)(struct buf *out); /* the same where it is made of parts; instead of usage */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the exit status */
};

extern const struct command cmd_up, cmd_import, cmd_version, cmd_help;
extern const struct command *const commands[]; /* NULL-terminated, in the order of the help text */
const struct command *command_find(const char *name);
void command_print_usage(const struct command *c);

/* Exit statuses */
#define EXIT_USAGE 2

/* Prints "nonagon NAME: text" and where to get help; returns EXIT_USAGE. */
int usage_error(const struct command *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints "nonagon: text" on standard error; returns EXIT_FAILURE. */
int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
