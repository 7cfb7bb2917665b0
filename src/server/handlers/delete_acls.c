/* DeleteAcls while there is no authorizer (AclApis): SECURITY_DISABLED for each filter. */
#include "server/handlers/handlers.h"

#include "api/delete_acls.h"

enum { UNKNOWN_ELEMENT = 0 };

void handle_delete_acls(struct request *r, const struct delete_acls_request *in) {
    struct delete_acls_response *out = request_alloc(r, sizeof *out);
    delete_acls_response_init(out);
    out->filter_results = request_array(r, (size_t)in->filters_n, sizeof *out->filter_results);
    if (!out->filter_results) {
        request_fail(r, "DeleteAcls: too many filters");
        return;
    }
    for (int32_t i = 0; i < in->filters_n; i++) {
        const struct delete_acls_request_delete_acls_filter *f = &in->filters[i];
        if (f->resource_type_filter == UNKNOWN_ELEMENT || f->pattern_type_filter == UNKNOWN_ELEMENT ||
            f->operation == UNKNOWN_ELEMENT || f->permission_type == UNKNOWN_ELEMENT) {
            request_fail(r, "DeleteAcls with an UNKNOWN element");
            return;
        }
        struct delete_acls_response_delete_acls_filter_result *to =
            &out->filter_results[out->filter_results_n++];
        delete_acls_response_delete_acls_filter_result_init(to);
        to->error_code = KERR_SECURITY_DISABLED;
        to->error_message = KSTR("No authorizer is configured");
    }
    request_finish(r, out);
}
