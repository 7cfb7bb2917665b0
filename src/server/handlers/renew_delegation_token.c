/* RenewDelegationToken: there are no tokens (create_delegation_token.c says why). */
#include "server/handlers/handlers.h"

#include "api/renew_delegation_token.h"
#include "server/principal.h"

void handle_renew_delegation_token(struct request *r, const struct renew_delegation_token_request *in) {
    (void)in;
    struct renew_delegation_token_response *out = request_alloc(r, sizeof *out);
    renew_delegation_token_response_init(out);
    out->error_code = token_error(r);
    out->expiry_timestamp_ms = -1;
    request_finish(r, out);
}
