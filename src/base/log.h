/*
 * Leveled log lines on standard error: time, level, component, message. Library code returns errors
 * instead of logging; the caller that gives up logs once. Thread-safe, one write per line.
 */
#ifndef NONAGON_BASE_LOG_H
#define NONAGON_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level min);
/* "debug", "info", "warn", "error"; returns 0, or -1 for another word. */
int log_level_parse(const char *s, enum log_level *ret_level);
void log_line(enum log_level level, const char *component, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(component, ...) log_line(LOG_DEBUG, component, __VA_ARGS__)
#define log_info(component, ...)  log_line(LOG_INFO, component, __VA_ARGS__)
#define log_warn(component, ...)  log_line(LOG_WARN, component, __VA_ARGS__)
#define log_error(component, ...) log_line(LOG_ERROR, component, __VA_ARGS__)

#endif
