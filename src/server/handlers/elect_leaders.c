/* ElectLeaders: decided by the controller (controller/controller.h), committed, then answered. */
#include "server/handlers/handlers.h"

#include "api/elect_leaders.h"
#include "io/clock.h"
#include "server/control.h"

struct state {
    const struct elect_leaders_request *in;
    struct elect_leaders_response out;
};

static void command(struct control *c, struct request *r, struct record_list *records) {
    struct state *s = r->state;
    struct controller_context x = {.arena = &r->arena, .now_ms = clock_wall_ms()};
    controller_elect_leaders(c->controller, &x, s->in, &s->out, records);
}

static void finish(struct request *r) { request_finish(r, &((struct state *)r->state)->out); }

void handle_elect_leaders(struct request *r, const struct elect_leaders_request *in) {
    struct state *s = request_alloc(r, sizeof *s);
    s->in = in;
    r->state = s;
    control_submit(r, command, finish);
}
