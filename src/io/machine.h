/* What the machine has. */
#ifndef OTTLA_IO_MACHINE_H
#define OTTLA_IO_MACHINE_H

#include <stdint.h>

/* Bytes of memory; 0: it is not known. */
int64_t machine_memory(void);

#endif
