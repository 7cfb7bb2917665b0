/* See principal.h. */
#include "server/principal.h"

#include "server/node.h"

enum { PLAINTEXT = 0 };

struct principal request_principal(const struct request *r) {
    (void)r;
    return (struct principal){KSTR("User"), KSTR("ANONYMOUS")};
}

int16_t token_error(const struct request *r) {
    const struct node_endpoint *e = node_endpoint(r->node, request_listener(r));
    return e && e->protocol != PLAINTEXT ? KERR_DELEGATION_TOKEN_AUTH_DISABLED
                                         : KERR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
}
