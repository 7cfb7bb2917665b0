/* The two keys of a SCRAM credential (RFC 5802), and its mechanisms (ScramMechanism, ScramFormatter). */
#ifndef OTTLA_METADATA_SCRAM_H
#define OTTLA_METADATA_SCRAM_H

#include <stdbool.h>
#include <stdint.h>

enum { SCRAM_SHA_256 = 1, SCRAM_SHA_512 = 2, SCRAM_KEY_MAX = 64, SCRAM_MIN_ITERATIONS = 4096 };

bool scram_mechanism_known(int8_t mechanism);
/* From the salted password; the length of each key, 0: the mechanism is not known or the password is empty.
 */
int32_t scram_keys(int8_t mechanism, const uint8_t *salted, int32_t len, uint8_t stored[SCRAM_KEY_MAX],
                   uint8_t server[SCRAM_KEY_MAX]);

#endif
