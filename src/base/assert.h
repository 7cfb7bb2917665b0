/* ASSERT(x): an invariant of ours. Always on; a failure is our bug: one line and abort(). Never for input or
 * I/O. */
#ifndef OTTLA_BASE_ASSERT_H
#define OTTLA_BASE_ASSERT_H

_Noreturn void assert_failed(const char *expression, const char *file, int line, const char *function);

#define ASSERT(x) (__builtin_expect(!!(x), 1) ? (void)0 : assert_failed(#x, __FILE__, __LINE__, __func__))

#endif
