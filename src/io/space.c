#include "io/space.h"

#include <sys/statvfs.h>

#include "base/err.h"

int disk_space(const char *path, int64_t *total, int64_t *usable) {
    struct statvfs s;
    if (statvfs(path, &s)) return OE_IO;
    *total = (int64_t)(s.f_blocks * s.f_frsize);
    *usable = (int64_t)(s.f_bavail * s.f_frsize);
    return 0;
}
