/* UnregisterBroker: decided by the controller (controller/controller.h), committed, then answered. */
#include "server/handlers/handlers.h"

#include "api/unregister_broker.h"
#include "server/control.h"

struct state {
    const struct unregister_broker_request *in;
    struct unregister_broker_response out;
};

static void command(struct control *c, struct request *r, struct record_list *records) {
    struct state *s = r->state;
    unregister_broker_response_init(&s->out);
    s->out.error_code = controller_unregister_broker(c->controller, s->in->broker_id, records);
    if (s->out.error_code == KERR_BROKER_ID_NOT_REGISTERED)
        s->out.error_message =
            kstr_of(arena_printf(&r->arena, "Broker ID %d is not currently registered", s->in->broker_id));
}

static void finish(struct request *r) { request_finish(r, &((struct state *)r->state)->out); }

void handle_unregister_broker(struct request *r, const struct unregister_broker_request *in) {
    struct state *s = request_alloc(r, sizeof *s);
    s->in = in;
    r->state = s;
    control_submit(r, command, finish);
}
