/* The handlers, one an API, one a file; the contract is in server/request.h. Declared from the table in
 * server/api_list.h. */
#ifndef OTTLA_SERVER_HANDLERS_HANDLERS_H
#define OTTLA_SERVER_HANDLERS_HANDLERS_H

#include "server/request.h"

#define API(key, name, flags)                                                                                \
    struct name##_request;                                                                                   \
    void handle_##name(struct request *r, const struct name##_request *in);
#include "server/api_list.h"
#undef API

#endif
