/* SaslHandshake on a connection that needs no authentication, or has it already: not now (KafkaApis). */
#include "server/handlers/handlers.h"

#include "api/sasl_handshake.h"

void handle_sasl_handshake(struct request *r, const struct sasl_handshake_request *in) {
    (void)in;
    struct sasl_handshake_response *out = request_alloc(r, sizeof *out);
    sasl_handshake_response_init(out);
    out->error_code = KERR_ILLEGAL_SASL_STATE;
    request_finish(r, out);
}
