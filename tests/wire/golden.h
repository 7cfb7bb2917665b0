/* Walks over golden.bin, the samples that tests/wire/GoldenBytes.java wrote; the layout is described there.
 */
#ifndef OTTLA_TESTS_GOLDEN_H
#define OTTLA_TESTS_GOLDEN_H

#include "wire/message.h"

struct golden_sample {
    const struct message *message;
    int16_t version;
    int number;        /* of the samples of its class, for error messages */
    uint32_t json_crc; /* CRC-32C; 0: none */
    const uint8_t *bytes;
    int32_t len;
};

/* Calls check for each sample of the file. Returns how many samples there were; exits with a message when the
 * file is not what it should be, or names a message that we do not have. */
int golden_each(const char *path, void (*check)(const struct golden_sample *sample, void *context),
                void *context);

#endif
