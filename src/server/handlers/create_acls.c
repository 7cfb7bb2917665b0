/* CreateAcls while there is no authorizer (AclApis): SECURITY_DISABLED for each. */
#include "server/handlers/handlers.h"

#include "api/create_acls.h"

enum { UNKNOWN_ELEMENT = 0 };

void handle_create_acls(struct request *r, const struct create_acls_request *in) {
    struct create_acls_response *out = request_alloc(r, sizeof *out);
    create_acls_response_init(out);
    out->results = request_array(r, (size_t)in->creations_n, sizeof *out->results);
    if (!out->results) {
        request_fail(r, "CreateAcls: too many creations");
        return;
    }
    for (int32_t i = 0; i < in->creations_n; i++) {
        const struct create_acls_request_acl_creation *c = &in->creations[i];
        if (c->resource_type == UNKNOWN_ELEMENT || c->resource_pattern_type == UNKNOWN_ELEMENT ||
            c->operation == UNKNOWN_ELEMENT || c->permission_type == UNKNOWN_ELEMENT) {
            request_fail(r, "CreateAcls with an UNKNOWN element");
            return;
        }
        struct create_acls_response_acl_creation_result *to = &out->results[out->results_n++];
        create_acls_response_acl_creation_result_init(to);
        to->error_code = KERR_SECURITY_DISABLED;
        to->error_message = KSTR("No authorizer is configured");
    }
    request_finish(r, out);
}
