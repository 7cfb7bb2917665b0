/* AlterClientQuotas: validated and decided by the controller (controller/quotas.c), committed, in force
 * (server/throttle, server/acceptor), then answered. */
#include "server/handlers/handlers.h"

#include <string.h>

#include "api/alter_client_quotas.h"
#include "io/clock.h"
#include "server/control.h"

struct state {
    const struct alter_client_quotas_request *in;
    struct alter_client_quotas_response out;
};

static void command(struct control *c, struct request *r, struct record_list *records) {
    struct state *s = r->state;
    struct controller_context x = {.arena = &r->arena, .now_ms = clock_wall_ms()};
    controller_alter_client_quotas(c->controller, &x, s->in, &s->out, records);
}

static void finish(struct request *r) { request_finish(r, &((struct state *)r->state)->out); }

static bool has_nul(struct kstr s) { return s.len > 0 && memchr(s.s, 0, (size_t)s.len); }

/* What is stored is text: with a NUL in it, it would not be what was checked. */
static bool is_text(const struct alter_client_quotas_request *in) {
    for (int32_t i = 0; i < in->entries_n; i++) {
        const struct alter_client_quotas_request_entry_data *e = &in->entries[i];
        for (int32_t k = 0; k < e->entity_n; k++)
            if (has_nul(e->entity[k].entity_type) || has_nul(e->entity[k].entity_name)) return false;
        for (int32_t k = 0; k < e->ops_n; k++)
            if (has_nul(e->ops[k].key)) return false;
    }
    return true;
}

void handle_alter_client_quotas(struct request *r, const struct alter_client_quotas_request *in) {
    struct state *s = request_alloc(r, sizeof *s);
    s->in = in;
    r->state = s;
    if (is_text(in))
        control_submit(r, command, finish);
    else
        request_fail(r, "a NUL in the name of an entity or quota");
}
