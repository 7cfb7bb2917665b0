/* Large memory straight from the kernel: zeroed, and given back at once when it is freed, so that what is
 * only used now and then does not stay in the process. */
#ifndef OTTLA_IO_PAGES_H
#define OTTLA_IO_PAGES_H

#include <stddef.h>

/* n > 0 bytes, zeroed; NULL without memory. Any thread. */
void *pages_alloc(size_t n);
void pages_free(void *p, size_t n); /* n as it was asked for; p may be NULL */

#endif
