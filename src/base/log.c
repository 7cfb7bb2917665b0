#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

static const char *const level_names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

/* The loggers, the root first, then in order of names: a prefix comes before what it is one of. area: whose
 * lines they are; NULL: they are there to be set for all below. */
static const struct logger {
    const char *name, *area;
} loggers[] = {
    {LOG_ROOT, NULL},
    {"kafka", NULL},
    {"kafka.network", "io"},
    {"kafka.server", "server"},
    {"org.apache.kafka", NULL},
    {"org.apache.kafka.controller", "control"},
    {"org.apache.kafka.coordinator", NULL},
    {"org.apache.kafka.coordinator.common.runtime", "coord"},
    {"org.apache.kafka.coordinator.group", "group"},
    {"org.apache.kafka.coordinator.share", "share"},
    {"org.apache.kafka.coordinator.transaction", "txn"},
    {"org.apache.kafka.raft", "kraft"},
    {"org.apache.kafka.server.config", "config"},
    {"org.apache.kafka.server.metrics", "http"},
    {"org.apache.kafka.server.quota", "quota"},
    {"org.apache.kafka.storage.internals.log", "storage"},
    {"org.apache.kafka.storage.internals.log.LogCleaner", "cleaner"},
};
enum { LOGGERS = sizeof loggers / sizeof *loggers, ROOT = 0, NOT_SET = -1 };

/* The one state of the project that is outside of a struct's owner: levels of their own, kept as one more, so
 * that they begin as not set; and what follows from them. */
static struct {
    _Atomic int own[LOGGERS];
    _Atomic int least; /* as the distance from INFO */
} levels;

static int own_level(int i) {
    int level = atomic_load_explicit(&levels.own[i], memory_order_relaxed) - 1;
    return i == ROOT && level == NOT_SET ? LOG_INFO : level;
}

int log_loggers(void) { return LOGGERS; }
const char *log_logger_name(int i) { return loggers[i].name; }

int log_logger_find(const char *name) {
    for (int i = 0; i < LOGGERS; i++)
        if (!strcmp(loggers[i].name, name)) return i;
    return -1;
}

static bool is_below(const char *name, const char *prefix) {
    size_t n = strlen(prefix);
    return !strncmp(name, prefix, n) && (name[n] == '.' || !name[n]);
}

enum log_level log_logger_level(int i) {
    for (int k = i; k > ROOT; k--) /* the nearest prefix is the last one before it */
        if (is_below(loggers[i].name, loggers[k].name) && own_level(k) != NOT_SET)
            return (enum log_level)own_level(k);
    return (enum log_level)own_level(ROOT);
}

void log_logger_set(int i, int level) {
    int least = LOG_FATAL;
    if (i == ROOT && level == NOT_SET) return;
    atomic_store_explicit(&levels.own[i], level + 1, memory_order_relaxed);
    for (int k = 0; k < LOGGERS; k++)
        if ((int)log_logger_level(k) < least) least = (int)log_logger_level(k);
    atomic_store_explicit(&levels.least, least - LOG_INFO, memory_order_relaxed);
}

int log_least_level(void) { return atomic_load_explicit(&levels.least, memory_order_relaxed) + LOG_INFO; }

/* Is a line of the area written? An area without a logger is the root's. */
static bool is_wanted(enum log_level level, const char *area) {
    int i = LOGGERS - 1;
    while (i > ROOT && (!loggers[i].area || strcmp(loggers[i].area, area) != 0)) i--;
    return log_logger_level(i) <= level;
}

const char *log_level_name(enum log_level level) { return level_names[level]; }

int log_level_parse(const char *name) {
    for (int i = 0; i <= LOG_FATAL; i++)
        if (!strcasecmp(name, level_names[i])) return i;
    return -1;
}

static void write_line(enum log_level level, const char *area, int32_t left_out, const char *format,
                       va_list args) {
    char line[LINE_MAX_BYTES];
    struct timespec t;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &tm);
    size_t n = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(line + n, sizeof line - n, ".%03dZ %s %s: ", (int)(t.tv_nsec / 1000000),
                          level_names[level], area);
    int more = vsnprintf(line + n, sizeof line - n, format, args);
    n = more < 0 ? n : n + (size_t)more < sizeof line - 1 ? n + (size_t)more : sizeof line - 1;
    if (left_out) {
        int tail = snprintf(line + n, sizeof line - n, " (%d like it left out)", left_out);
        n = n + (size_t)tail < sizeof line - 1 ? n + (size_t)tail : sizeof line - 1;
    }
    for (size_t i = 0; i < n; i++) /* what a client sent must not forge lines */
        if ((unsigned char)line[i] < ' ' && line[i] != '\t') line[i] = '?';
    if (n == sizeof line - 1) n--;
    line[n++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, n);
    (void)ignored;
}

void log_event(enum log_level level, const char *area, const char *format, ...) {
    va_list args;
    if (!is_wanted(level, area)) return;
    va_start(args, format);
    write_line(level, area, 0, format, args);
    va_end(args);
}

void log_event_limited(struct log_site *site, enum log_level level, const char *area, const char *format,
                       ...) {
    if (log_least_level() > (int)level || !is_wanted(level, area)) return;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    int64_t now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000, next = atomic_load(&site->next_ms);
    if (now < next || !atomic_compare_exchange_strong(&site->next_ms, &next, now + 1000)) {
        atomic_fetch_add(&site->left_out, 1);
        return;
    }
    va_list args;
    va_start(args, format);
    write_line(level, area, atomic_exchange(&site->left_out, 0), format, args);
    va_end(args);
}
