/* DeleteTopics: validated and decided by the controller (controller/controller.h), committed, then answered.
 */
#include "server/handlers/handlers.h"

#include "api/delete_topics.h"
#include "io/clock.h"
#include "server/control.h"

struct state {
    const struct delete_topics_request *in;
    struct delete_topics_response out;
};

static void command(struct control *c, struct request *r, struct record_list *records) {
    struct state *s = r->state;
    struct controller_context x = {.arena = &r->arena, .now_ms = clock_wall_ms()};
    controller_delete_topics(c->controller, &x, r->version, s->in, &s->out, records);
}

static void finish(struct request *r) { request_finish(r, &((struct state *)r->state)->out); }

void handle_delete_topics(struct request *r, const struct delete_topics_request *in) {
    struct state *s = request_alloc(r, sizeof *s);
    s->in = in;
    r->state = s;
    control_submit(r, command, finish);
}
