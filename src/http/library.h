/* libmicrohttpd, loaded when an HTTP listener is configured: it brings a TLS library and its start-up time
 * with it, which a node without one need not pay for. */
#ifndef OTTLA_HTTP_LIBRARY_H
#define OTTLA_HTTP_LIBRARY_H

#include <microhttpd.h>

#define MICROHTTPD_FUNCTIONS(X)                                                                              \
    X(start_daemon)                                                                                          \
    X(stop_daemon)                                                                                           \
    X(create_response_from_buffer)                                                                           \
    X(create_response_from_callback)                                                                         \
    X(add_response_header)                                                                                   \
    X(queue_response)                                                                                        \
    X(destroy_response)

struct microhttpd {
#define MEMBER(name) __typeof__(MHD_##name) *name;
    MICROHTTPD_FUNCTIONS(MEMBER)
#undef MEMBER
};

/* Fills in all functions. NULL, or why not (a static text, or dlerror's). Never unloaded. */
const char *microhttpd_load(struct microhttpd *l);

#endif
