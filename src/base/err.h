/* The one list of internal errors. A function that can fail returns 0 or one of these (negative).
 * A code exists only when a caller acts on it; Kafka's own error codes are in base/kerr.h. */
#ifndef OTTLA_BASE_ERR_H
#define OTTLA_BASE_ERR_H

enum oerr {
    OE_OK = 0,
    OE_NOMEM = -1,     /* a client-sized allocation failed */
    OE_LIMIT = -2,     /* a configured or built-in limit would be passed */
    OE_MALFORMED = -3, /* bytes that are not what they should be */
    OE_SHORT = -4,     /* the bytes end too early; more may make it whole */
    OE_IO = -5,        /* the operating system refused; errno was logged */
    OE_NOSPC = -6,     /* disk full */
    OE_CORRUPT = -7,   /* what is on disk is wrong: checksum, order, length */
    OE_NOTFOUND = -8,
    OE_EXISTS = -9,
    OE_INVALID = -10, /* a value that is not allowed */
    OE_AGAIN = -11,   /* not now */
    OE_CLOSED = -12,  /* the peer or the object is gone */
    OE_UNSUPPORTED = -13,
    OE_OFFLINE = -14, /* the log directory has failed */
    OE_TIMEOUT = -15,
    OE_RANGE = -16, /* an offset outside of the log */
};

/* A short text for a log line; never NULL. */
const char *oerr_text(int err);

#endif
