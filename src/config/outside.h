/* What the values of a configuration may come from that is not in the configuration (config.providers):
 * files, directories, environment variables. config/ does no I/O itself; the owner of a node gives it this.
 */
#ifndef OTTLA_CONFIG_OUTSIDE_H
#define OTTLA_CONFIG_OUTSIDE_H

#include <stdbool.h>
#include <stddef.h>

enum outside_kind { OUTSIDE_NOTHING, OUTSIDE_FILE, OUTSIDE_DIRECTORY };
enum { OUTSIDE_MAX_BYTES = 1 << 20 }; /* of a file */

struct config_outside {
    enum outside_kind (*kind)(const char *path);
    /* A file's bytes with a NUL behind them (free them); 0 or a negative error. */
    int (*read)(const char *path, char **text, size_t *n);
    const char *(*environment)(const char *name); /* NULL: not set */
};

#endif
