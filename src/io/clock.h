/* The time. Everything that is not io/ takes the time as an argument or from its loop. */
#ifndef OTTLA_IO_CLOCK_H
#define OTTLA_IO_CLOCK_H

#include <stdint.h>

int64_t clock_mono_ms(void); /* never goes back; for deadlines */
int64_t clock_mono_ns(void);
int64_t clock_wall_ms(void); /* since 1970; what records and clients see */
void clock_sleep_ms(int ms); /* for threads that may block; never on a loop */
/* Seed for what must differ between runs (identifiers). */
uint64_t clock_entropy(void);

#endif
