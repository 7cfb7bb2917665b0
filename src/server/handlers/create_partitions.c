/* CreatePartitions: validated and decided by the controller (controller/controller.h), committed, then
 * answered. */
#include "server/handlers/handlers.h"

#include "api/create_partitions.h"
#include "io/clock.h"
#include "server/control.h"

struct state {
    const struct create_partitions_request *in;
    struct create_partitions_response out;
};

static void command(struct control *c, struct request *r, struct record_list *records) {
    struct state *s = r->state;
    struct controller_context x = {.arena = &r->arena, .now_ms = clock_wall_ms()};
    controller_create_partitions(c->controller, &x, s->in, &s->out, records);
}

static void finish(struct request *r) { request_finish(r, &((struct state *)r->state)->out); }

void handle_create_partitions(struct request *r, const struct create_partitions_request *in) {
    struct state *s = request_alloc(r, sizeof *s);
    s->in = in;
    r->state = s;
    control_submit(r, command, finish);
}
