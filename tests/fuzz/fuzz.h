/* The entry point of a fuzz target: libFuzzer's, or replay.c's. A target aborts when a promise is broken, and
 * returns 0. */
#ifndef OTTLA_TESTS_FUZZ_H
#define OTTLA_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
