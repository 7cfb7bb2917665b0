#include "cli/outside.h"

#include <stdint.h>
#include <stdlib.h>

#include "io/file.h"

static enum outside_kind kind(const char *path) {
    struct fs_stat st;
    if (fs_stat(fs_real(), path, &st)) return OUTSIDE_NOTHING;
    return st.is_dir ? OUTSIDE_DIRECTORY : OUTSIDE_FILE;
}

static int read_whole(const char *path, char **text, size_t *n) {
    uint8_t *bytes = NULL;
    int err = fs_read_all(fs_real(), path, OUTSIDE_MAX_BYTES, &bytes, n);
    *text = (char *)bytes;
    return err;
}

static const char *environment(const char *name) { return getenv(name); }

const struct config_outside *cli_outside(void) {
    static const struct config_outside outside = {kind, read_whole, environment};
    return &outside;
}
