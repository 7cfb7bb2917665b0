/* What a broker does with AlterConfigs and IncrementalAlterConfigs before the controller is asked: what is
 * malformed is refused, changes of this broker or of all brokers are checked against the configuration that
 * is in force, and BROKER_LOGGER is answered here. Resources that are not `answered` then go to the
 * controller. ConfigAdminManager, RuntimeLoggerManager. Network loop. */
#ifndef OTTLA_SERVER_ALTER_H
#define OTTLA_SERVER_ALTER_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/types.h"

struct request;

enum alter_op { ALTER_SET, ALTER_DELETE, ALTER_APPEND, ALTER_SUBTRACT }; /* AlterConfigOp.OpType */

struct alter_item {
    struct kstr name, value;
    int8_t op;
};

struct alter_resource {
    struct kstr name;
    const struct alter_item *items;
    int32_t items_n;
    int8_t type;
    bool answered;
    int16_t error;
    const char *message; /* NULL: none */
};

/* replace: the items are the whole configuration (AlterConfigs), all of them ALTER_SET. False: out of memory.
 */
bool alter_check(struct request *r, bool replace, bool validate_only, struct alter_resource *resources,
                 int32_t n);

#endif
