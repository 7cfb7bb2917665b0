#include "base/assert.h"
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void assert_failed(const char *expression, const char *file, int line, const char *function) {
    fprintf(stderr, "FATAL %s:%d %s: assertion failed: %s\n", file, line, function, expression);
    abort();
}

const char *oerr_text(int err) {
    switch (err) {
    case OE_OK: return "ok";
    case OE_NOMEM: return "out of memory";
    case OE_LIMIT: return "limit reached";
    case OE_MALFORMED: return "malformed";
    case OE_SHORT: return "incomplete";
    case OE_IO: return "I/O error";
    case OE_NOSPC: return "no space left on device";
    case OE_CORRUPT: return "corrupt";
    case OE_NOTFOUND: return "not found";
    case OE_EXISTS: return "exists already";
    case OE_INVALID: return "invalid";
    case OE_AGAIN: return "try again";
    case OE_CLOSED: return "closed";
    case OE_UNSUPPORTED: return "unsupported";
    case OE_OFFLINE: return "log directory is offline";
    case OE_TIMEOUT: return "timed out";
    case OE_RANGE: return "out of range";
    default: return "unknown error";
    }
}
