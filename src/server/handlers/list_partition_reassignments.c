/* ListPartitionReassignments, from the image. */
#include "server/handlers/handlers.h"

#include "api/list_partition_reassignments.h"
#include "controller/controller.h"

void handle_list_partition_reassignments(struct request *r,
                                         const struct list_partition_reassignments_request *in) {
    struct list_partition_reassignments_response *out = request_alloc(r, sizeof *out);
    reassignments_list(request_image(r), &r->arena, in, out);
    request_finish(r, out);
}
