/* DescribeAcls while there is no authorizer (AclApis): SECURITY_DISABLED. */
#include "server/handlers/handlers.h"

#include "api/describe_acls.h"

enum { UNKNOWN_ELEMENT = 0 };

void handle_describe_acls(struct request *r, const struct describe_acls_request *in) {
    if (in->resource_type_filter == UNKNOWN_ELEMENT || in->pattern_type_filter == UNKNOWN_ELEMENT ||
        in->operation == UNKNOWN_ELEMENT || in->permission_type == UNKNOWN_ELEMENT) {
        request_fail(r, "DescribeAcls with an UNKNOWN element");
        return;
    }
    struct describe_acls_response *out = request_alloc(r, sizeof *out);
    describe_acls_response_init(out);
    out->error_code = KERR_SECURITY_DISABLED;
    out->error_message = KSTR("No authorizer is configured");
    request_finish(r, out);
}
