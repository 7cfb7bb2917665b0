/* The server's log: one event a line, levelled, to stderr: "2026-01-31T12:00:00.000Z INFO storage: text".
 * Any thread; a line is written by one write(). LOG_LIMITED is for what a client can cause at will: at most
 * one line a second for each place in the code, and the next line says how many were left out. */
#ifndef OTTLA_BASE_LOG_H
#define OTTLA_BASE_LOG_H

#include <stdatomic.h>
#include <stdint.h>

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_FATAL };

/* For one place that may be rate-limited. */
struct log_site {
    _Atomic int64_t next_ms;
    _Atomic int32_t left_out;
};

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
#define LOG_ROOT "root" /* the only logger there is, as BROKER_LOGGER resources name it */
/* "INFO"; and the level of a name, or -1. */
const char *log_level_name(enum log_level level);
int log_level_parse(const char *name);
void log_event(enum log_level level, const char *area, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void log_event_limited(struct log_site *site, enum log_level level, const char *area, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define LOG_AT(level, area, ...) (log_get_level() <= (level) ? log_event(level, area, __VA_ARGS__) : (void)0)
#define LOG_TRACE(area, ...) LOG_AT(LOG_TRACE, area, __VA_ARGS__)
#define LOG_DEBUG(area, ...) LOG_AT(LOG_DEBUG, area, __VA_ARGS__)
#define LOG_INFO(area, ...) LOG_AT(LOG_INFO, area, __VA_ARGS__)
#define LOG_WARN(area, ...) LOG_AT(LOG_WARN, area, __VA_ARGS__)
#define LOG_ERROR(area, ...) LOG_AT(LOG_ERROR, area, __VA_ARGS__)
#define LOG_LIMITED(level, area, ...)                                                                        \
    do {                                                                                                     \
        static struct log_site log_site_here;                                                                \
        log_event_limited(&log_site_here, level, area, __VA_ARGS__);                                         \
    } while (0)

#endif
