/* Histogram buckets: values below 256 have one each; above, the 8 highest bits of a value and its magnitude
 * choose the bucket, so bucket = magnitude * 128 + those bits (128..255), and the buckets of one magnitude
 * follow those of the one below. */
#include "bench/figures.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static int magnitude_of(uint64_t v) { return v < 2 * STEPS ? 0 : 63 - 7 - __builtin_clzll(v); }

void histogram_add(struct histogram *h, int64_t ns) {
    uint64_t v = ns > 0 ? (uint64_t)ns : 0;
    int magnitude = magnitude_of(v);
    h->buckets[magnitude * STEPS + (int)(v >> magnitude)]++;
    h->count++;
    if (v > h->largest) h->largest = v;
}

/* The middle of a bucket. */
static uint64_t value_of(int bucket) {
    if (bucket < 2 * STEPS) return (uint64_t)bucket;
    int magnitude = bucket / STEPS - 1;
    return ((uint64_t)(bucket - magnitude * STEPS) << magnitude) + ((UINT64_C(1) << magnitude) >> 1);
}

double histogram_ms(const struct histogram *h, double q) {
    uint64_t below = (uint64_t)(q * (double)h->count), seen = 0;
    for (int i = 0; i < BUCKETS && below < h->count; i++) {
        seen += h->buckets[i];
        if (seen <= below) continue;
        uint64_t v = value_of(i);
        return (double)(v < h->largest ? v : h->largest) / 1e6;
    }
    return (double)h->largest / 1e6;
}

static double seconds_of(clockid_t clock) {
    struct timespec t;
    return clock_gettime(clock, &t) ? -1 : (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double process_cpu_s(int pid) {
    clockid_t clock;
    if (!pid) return 0;
    double s = clock_getcpuclockid(pid, &clock) ? -1 : seconds_of(clock);
    if (s < 0) fail("there is no process %d", pid);
    return s;
}

double own_cpu_s(void) { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }

double process_memory_mib(int pid, const char *line) {
    char path[64], text[256];
    double kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = pid ? fopen(path, "r") : NULL;
    while (f && fgets(text, sizeof text, f))
        if (!strncmp(text, line, strlen(line)) && text[strlen(line)] == ':')
            kib = strtod(text + strlen(line) + 1, NULL);
    if (f) fclose(f);
    return kib / 1024;
}
