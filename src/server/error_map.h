/* From our own errors to Kafka's codes: the one place. */
#ifndef OTTLA_SERVER_ERROR_MAP_H
#define OTTLA_SERVER_ERROR_MAP_H

#include <stdint.h>

#include "record/validate.h"

int16_t kerr_of_fault(enum append_fault fault);
/* Of an oerr that storage returned. */
int16_t kerr_of_storage(int err);

#endif
