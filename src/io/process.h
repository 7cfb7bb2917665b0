/* What this process uses of the machine. Any thread. */
#ifndef OTTLA_IO_PROCESS_H
#define OTTLA_IO_PROCESS_H

#include <stdint.h>

struct process_usage {
    int64_t resident_bytes, descriptors, descriptors_max;
    double cpu_seconds, started; /* started: since 1970 */
};
void process_usage(struct process_usage *u);

#endif
