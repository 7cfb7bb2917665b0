/* CRC-32C (Castagnoli), the checksum of record batches. */
#ifndef OTTLA_BASE_CRC32C_H
#define OTTLA_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of n bytes; pass 0, or the checksum of the bytes before to go on. Any thread. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);

#endif
