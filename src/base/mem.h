/* Allocation that aborts: for small control-plane objects only. What is sized by a client's bytes uses an
 * arena or malloc() and returns OE_NOMEM. */
#ifndef OTTLA_BASE_MEM_H
#define OTTLA_BASE_MEM_H

#include <stddef.h>

void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
/* A formatted string that the caller frees. */
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
