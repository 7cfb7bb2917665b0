/* UpdateFeatures: decided by the controller (controller/features.c); kraft.version is raised by the quorum
 * (kraft/reconfigure.h); committed, then answered. */
#include "server/handlers/handlers.h"

#include "api/update_features.h"
#include "io/clock.h"
#include "server/control.h"

struct state {
    const struct update_features_request *in;
    struct update_features_response out;
};

static void command(struct control *c, struct request *r, struct record_list *records) {
    struct state *s = r->state;
    struct controller_context x = {.arena = &r->arena, .now_ms = clock_wall_ms()};
    int16_t before = kraft_version(c->kraft), after = before;
    controller_update_features(c->controller, &x, r->version, s->in, &after, &s->out, records);
    if (after != before) control_raise_kraft_version(c, after);
}

static void finish(struct request *r) { request_finish(r, &((struct state *)r->state)->out); }

void handle_update_features(struct request *r, const struct update_features_request *in) {
    struct state *s = request_alloc(r, sizeof *s);
    s->in = in;
    r->state = s;
    control_submit(r, command, finish);
}
