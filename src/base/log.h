/* The server's log: one event a line, levelled, to stderr: "2026-01-31T12:00:00.000Z INFO storage: text".
 * Any thread; a line is written by one write(). LOG_LIMITED is for what a client can cause at will: at most
 * one line a second for each place in the code, and the next line says how many were left out. */
#ifndef OTTLA_BASE_LOG_H
#define OTTLA_BASE_LOG_H

#include <stdatomic.h>
#include <stdint.h>

/* A line belongs to an area ("storage"). Each area has a logger, under Kafka's name for that part of a
 * broker, and loggers have levels as in Kafka: its own, or that of the nearest one whose name is a prefix, or
 * the root's. */
enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_FATAL };

/* For one place that may be rate-limited. */
struct log_site {
    _Atomic int64_t next_ms;
    _Atomic int32_t left_out;
};

#define LOG_ROOT "root"
int log_loggers(void);                 /* how many; 0 is the root */
const char *log_logger_name(int i);    /* as BROKER_LOGGER resources name it */
int log_logger_find(const char *name); /* -1: there is none */
/* The level in force. */
enum log_level log_logger_level(int i);
/* level -1: none of its own; not for the root. */
void log_logger_set(int i, int level);
static inline void log_set_level(enum log_level level) { log_logger_set(0, (int)level); }
/* The lowest that any logger has. */
int log_least_level(void);
/* "INFO"; and the level of a name, or -1. */
const char *log_level_name(enum log_level level);
int log_level_parse(const char *name);
void log_event(enum log_level level, const char *area, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void log_event_limited(struct log_site *site, enum log_level level, const char *area, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define LOG_AT(level, area, ...)                                                                             \
    (log_least_level() <= (level) ? log_event(level, area, __VA_ARGS__) : (void)0)
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
