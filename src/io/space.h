/* How much a file system holds. */
#ifndef OTTLA_IO_SPACE_H
#define OTTLA_IO_SPACE_H

#include <stdint.h>

/* Bytes of the file system that the path is on: all, and those that this process may still use. 0 or OE_IO.
 * Any thread. */
int disk_space(const char *path, int64_t *total, int64_t *usable);

#endif
