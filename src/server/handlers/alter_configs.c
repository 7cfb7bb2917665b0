/* AlterConfigs: checked here (server/alter.h), changed by the controller.
 * KafkaApis.handleAlterConfigsRequest. */
#include "server/handlers/handlers.h"

#include "api/alter_configs.h"
#include "io/clock.h"
#include "server/alter.h"
#include "server/control.h"

struct state {
    struct alter_resource *resources; /* as they were asked for */
    int32_t n;
    struct alter_configs_request rest; /* what the controller is asked */
    struct alter_configs_response from_controller, out;
};

static void command(struct control *c, struct request *r, struct record_list *records) {
    struct state *s = r->state;
    struct controller_context x = {.arena = &r->arena, .now_ms = clock_wall_ms(), .forwarded = true};
    controller_alter_configs(c->controller, &x, &s->rest, &s->from_controller, records);
}

/* The answers of both in the order of the request. */
static void finish(struct request *r) {
    struct state *s = r->state;
    for (int32_t i = 0, next = 0; i < s->n; i++) {
        struct alter_resource *a = &s->resources[i];
        if (!a->answered) {
            bool there = next < s->from_controller.responses_n;
            a->error = there ? s->from_controller.responses[next].error_code : KERR_UNKNOWN_SERVER_ERROR;
            s->out.responses[i].error_message =
                there ? s->from_controller.responses[next++].error_message : KSTR_NULL;
        } else
            s->out.responses[i].error_message = kstr_of(a->message);
        s->out.responses[i].error_code = a->error;
        s->out.responses[i].resource_type = a->type;
        s->out.responses[i].resource_name = a->name;
    }
    s->out.responses_n = s->n;
    request_finish(r, &s->out);
}

/* False: no memory. */
static bool read_resource(struct request *r, const struct alter_configs_request_alter_configs_resource *in,
                          struct alter_resource *to) {
    struct alter_item *items = request_array(r, (size_t)in->configs_n, sizeof *items);
    for (int32_t i = 0; items && i < in->configs_n; i++)
        items[i] = (struct alter_item){.name = in->configs[i].name, .value = in->configs[i].value};
    *to = (struct alter_resource){
        .type = in->resource_type, .name = in->resource_name, .items = items, .items_n = in->configs_n};
    return items != NULL;
}

static bool prepare(struct request *r, const struct alter_configs_request *in, struct state *s) {
    size_t n = (size_t)in->resources_n;
    alter_configs_response_init(&s->out);
    s->resources = request_array(r, n, sizeof *s->resources);
    s->rest.resources = request_array(r, n, sizeof *s->rest.resources);
    s->out.responses = request_array(r, n, sizeof *s->out.responses);
    if (!s->resources || !s->rest.resources || !s->out.responses) return false;
    s->rest.validate_only = in->validate_only;
    for (; s->n < in->resources_n; s->n++)
        if (!read_resource(r, &in->resources[s->n], &s->resources[s->n])) return false;
    if (!alter_check(r, true, in->validate_only, s->resources, s->n)) return false;
    for (int32_t i = 0; i < s->n; i++)
        if (!s->resources[i].answered) s->rest.resources[s->rest.resources_n++] = in->resources[i];
    return true;
}

void handle_alter_configs(struct request *r, const struct alter_configs_request *in) {
    struct state *s = request_alloc(r, sizeof *s);
    r->state = s;
    if (!prepare(r, in, s))
        request_fail(r, "the answer is too large for its memory");
    else if (s->rest.resources_n)
        control_submit(r, command, finish);
    else
        finish(r);
}
