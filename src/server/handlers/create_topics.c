/* CreateTopics: validated and decided by the controller (controller/controller.h), committed, then answered.
 */
#include "server/handlers/handlers.h"

#include "api/create_topics.h"
#include "io/clock.h"
#include "server/control.h"
#include "server/throttle.h"

enum { FIRST_STRICT_VERSION = 6 }; /* an exceeded quota refuses; before, it makes wait */

struct state {
    const struct create_topics_request *in;
    struct create_topics_response out;
    struct change_quota quota;
};

static void command(struct control *c, struct request *r, struct record_list *records) {
    struct state *s = r->state;
    struct controller_context x = {
        .arena = &r->arena, .now_ms = clock_wall_ms(), .mutate = change_quota_take, .ctx = &s->quota};
    controller_create_topics(c->controller, &x, s->in, &s->out, records);
    change_quota_free(&s->quota);
}

static void finish(struct request *r) {
    struct state *s = r->state;
    change_quota_end(&s->quota, r);
    request_finish(r, &s->out);
}

void handle_create_topics(struct request *r, const struct create_topics_request *in) {
    struct state *s = request_alloc(r, sizeof *s);
    s->in = in;
    r->state = s;
    change_quota_begin(&s->quota, r, FIRST_STRICT_VERSION);
    control_submit(r, command, finish);
}
