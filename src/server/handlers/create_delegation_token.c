/* CreateDelegationToken: tokens are for clients that authenticated by something else; a plain listener has no
 * such, and this node has no secret key (KafkaApis.allowTokenRequests, DelegationTokenControlManager). */
#include "server/handlers/handlers.h"

#include "api/create_delegation_token.h"
#include "server/principal.h"

void handle_create_delegation_token(struct request *r, const struct create_delegation_token_request *in) {
    struct create_delegation_token_response *out = request_alloc(r, sizeof *out);
    create_delegation_token_response_init(out);
    struct principal self = request_principal(r), owner = self;
    if (in->owner_principal_name.len > 0)
        owner = (struct principal){in->owner_principal_type, in->owner_principal_name};
    out->error_code = token_error(r);
    if (owner.type.len < 0) { /* a name without a type: the reference fails on it */
        owner = self;
        out->error_code = KERR_UNKNOWN_SERVER_ERROR;
    }
    out->principal_type = owner.type;
    out->principal_name = owner.name;
    out->token_requester_principal_type = self.type;
    out->token_requester_principal_name = self.name;
    out->issue_timestamp_ms = out->expiry_timestamp_ms = out->max_timestamp_ms = -1;
    out->token_id = KSTR("");
    request_finish(r, out);
}
