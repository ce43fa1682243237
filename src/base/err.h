/*
 * The one error convention: a fallible function takes `struct err *` last, returns 0 on success or
 * a negative errno-like code, and fills the error only on failure. The message is for people: what
 * was attempted, on what, why it failed, what to do. NULL is accepted where the caller does not
 * care.
 */
#ifndef NONAGON_BASE_ERR_H
#define NONAGON_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#define ERR_MSG_MAX 1024

struct err {
    int code;              /* negative errno value, 0 = none */
    char msg[ERR_MSG_MAX]; /* always terminated; long messages end in "..." */
};

/* Sets code (-EIO if the given one is not negative) and message; returns the code. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, appending ": " and the text of errno value `errnum`; returns -errnum. */
int err_sys(struct err *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "text: " before the message that is already there; returns the code unchanged. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
