/* What a run of the load generator measures: latencies in a histogram, and what the broker's process costs.
 * One thread. */
#ifndef OTTLA_BENCH_FIGURES_H
#define OTTLA_BENCH_FIGURES_H

#include <stdint.h>

/* Nanoseconds. 128 steps for each power of two, so a value read back is within 0.8 % of the one that went in.
 */
enum { STEPS = 128, BUCKETS = STEPS * 58 };

struct histogram {
    uint64_t count, largest;
    uint64_t buckets[BUCKETS];
};

/* Negative values count as 0. */
void histogram_add(struct histogram *h, int64_t ns);
/* The value that a share q (0..1) of all lies below, in milliseconds; q = 1 is the largest; 0 when there is
 * none. */
double histogram_ms(const struct histogram *h, double q);

/* Seconds of CPU time that all threads of a process have used; 0 for pid 0. A process that is gone ends the
 * program. */
double process_cpu_s(int pid);
double own_cpu_s(void);
/* A line of /proc/PID/status ("VmRSS", "VmHWM") in MiB; 0 for pid 0. */
double process_memory_mib(int pid, const char *line);

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
