#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

static const char *const level_names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
static _Atomic int current_level = LOG_INFO; /* the one global of the project */

void log_set_level(enum log_level level) {
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}
enum log_level log_get_level(void) {
    return (enum log_level)atomic_load_explicit(&current_level, memory_order_relaxed);
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
    va_start(args, format);
    write_line(level, area, 0, format, args);
    va_end(args);
}

void log_event_limited(struct log_site *site, enum log_level level, const char *area, const char *format,
                       ...) {
    if (log_get_level() > level) return;
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
