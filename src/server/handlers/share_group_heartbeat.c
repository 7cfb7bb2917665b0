/* ShareGroupHeartbeat: KafkaApis.handleShareGroupHeartbeat. What is to be initialized at the share
 * coordinator goes on after the answer. */
#include "server/handlers/handlers.h"

#include "api/share_group_heartbeat.h"
#include "base/jstring.h"
#include "group/share_answer.h"
#include "metadata/image.h"
#include "metadata/version.h"
#include "server/coord_call.h"
#include "server/node.h"
#include "server/share_init.h"

enum { MEMBER_ID_MAX = 36 };

static void finish(struct request *r) {
    const struct group_share_heartbeat *a = coord_call_response(r);
    if (!a) return;
    if (a->initialize) share_inits_begin(coordinators_share_inits(r->node->coordinators), a->initialize);
    request_finish(r, &a->response);
}

static void refuse(struct request *r, int16_t error, const char *message) {
    struct share_group_heartbeat_response *out = request_alloc(r, sizeof *out);
    share_group_heartbeat_response_init(out);
    out->error_code = error;
    out->error_message = kstr_of(message);
    request_finish(r, out);
}

void handle_share_group_heartbeat(struct request *r, const struct share_group_heartbeat_request *in) {
    int64_t length = jstring_length(in->member_id.s, (size_t)in->member_id.len);
    if (image_feature(request_image(r), SHARE_VERSION) < 1)
        refuse(r, KERR_UNSUPPORTED_VERSION, kerr_message(KERR_UNSUPPORTED_VERSION));
    else if (!length || length > MEMBER_ID_MAX)
        refuse(r, KERR_INVALID_REQUEST, NULL);
    else
        group_call_one(r, GROUP_API_SHARE_HEARTBEAT, in, finish);
}
