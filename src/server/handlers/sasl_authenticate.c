/* SaslAuthenticate on a connection that needs no authentication, or has it already: not now (KafkaApis). */
#include "server/handlers/handlers.h"

#include "api/sasl_authenticate.h"

void handle_sasl_authenticate(struct request *r, const struct sasl_authenticate_request *in) {
    (void)in;
    struct sasl_authenticate_response *out = request_alloc(r, sizeof *out);
    sasl_authenticate_response_init(out);
    out->error_code = KERR_ILLEGAL_SASL_STATE;
    out->error_message = KSTR("SaslAuthenticate: this connection is authenticated already");
    request_finish(r, out);
}
