/* DescribeDelegationToken: there are no tokens (create_delegation_token.c says why). */
#include "server/handlers/handlers.h"

#include "api/describe_delegation_token.h"
#include "server/principal.h"

void handle_describe_delegation_token(struct request *r, const struct describe_delegation_token_request *in) {
    (void)in;
    struct describe_delegation_token_response *out = request_alloc(r, sizeof *out);
    describe_delegation_token_response_init(out);
    out->error_code = token_error(r);
    request_finish(r, out);
}
