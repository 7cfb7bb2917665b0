/* AlterUserScramCredentials: decided by the controller (controller/scram.c), committed, then answered. */
#include "server/handlers/handlers.h"

#include "api/alter_user_scram_credentials.h"
#include "io/clock.h"
#include "server/control.h"

struct state {
    const struct alter_user_scram_credentials_request *in;
    struct alter_user_scram_credentials_response out;
};

static void command(struct control *c, struct request *r, struct record_list *records) {
    struct state *s = r->state;
    struct controller_context x = {.arena = &r->arena, .now_ms = clock_wall_ms()};
    controller_alter_scram(c->controller, &x, s->in, &s->out, records);
}

static void finish(struct request *r) { request_finish(r, &((struct state *)r->state)->out); }

void handle_alter_user_scram_credentials(struct request *r,
                                         const struct alter_user_scram_credentials_request *in) {
    struct state *s = request_alloc(r, sizeof *s);
    s->in = in;
    r->state = s;
    control_submit(r, command, finish);
}
