/* Who sends a request. Without authentication everybody is User:ANONYMOUS (KafkaPrincipal). */
#ifndef OTTLA_SERVER_PRINCIPAL_H
#define OTTLA_SERVER_PRINCIPAL_H

#include "server/request.h"

struct principal {
    struct kstr type, name;
};

struct principal request_principal(const struct request *r);

/* What a request about delegation tokens is answered with: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED on a plain
 * listener, where nobody is authenticated; DELEGATION_TOKEN_AUTH_DISABLED elsewhere, as there is no secret
 * key. */
int16_t token_error(const struct request *r);

#endif
