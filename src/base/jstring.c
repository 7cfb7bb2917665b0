#include "base/jstring.h"

#include "base/assert.h"

/* One code point of the n > 0 bytes at s; its length goes to *used. */
static uint32_t code_point(const uint8_t *s, size_t n, size_t *used) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = s[0] < 0x80                   ? 1
                 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                 : (s[0] & 0xf0) == 0xe0       ? 3
                 : (s[0] & 0xf8) == 0xf0       ? 4
                                               : 0;
    *used = 1;
    if (len == 1) return s[0];
    if (len == 0 || len > n) return 0xfffd;
    uint32_t c = s[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0xfffd;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 0xfffd;
    *used = len;
    return c;
}

int64_t jstring_length(const char *s, size_t n) {
    int64_t units = 0;
    for (size_t at = 0, used; at < n; at += used)
        units += 1 + (code_point((const uint8_t *)s + at, n - at, &used) > 0xffff);
    return units;
}

int32_t jstring_hash(const char *s, size_t n) {
    uint32_t h = 0;
    for (size_t at = 0, used; at < n; at += used) {
        uint32_t c = code_point((const uint8_t *)s + at, n - at, &used);
        if (c > 0xffff) {
            h = 31 * h + (0xd7c0 + (c >> 10));
            c = 0xdc00 + (c & 0x3ff);
        }
        h = 31 * h + c;
    }
    return (int32_t)h;
}

int32_t jstring_partition(const char *s, size_t n, int32_t count) {
    ASSERT(count > 0);
    int32_t h = jstring_hash(s, n);
    return (h == INT32_MIN ? 0 : h < 0 ? -h : h) % count;
}
