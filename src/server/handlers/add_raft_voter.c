/* AddRaftVoter: answered by the quorum (kraft/reconfigure.h), which has one voter. */
#include "server/handlers/handlers.h"

#include "api/add_raft_voter.h"
#include "kraft/reconfigure.h"
#include "server/control.h"

struct state {
    const struct add_raft_voter_request *in;
    struct add_raft_voter_response out;
};

static void command(struct control *c, struct request *r, struct record_list *records) {
    struct state *s = r->state;
    const char *why;
    (void)records;
    add_raft_voter_response_init(&s->out);
    s->out.error_code = kraft_add_voter(c->kraft, s->in, &why);
    s->out.error_message = kstr_of(why);
}

static void finish(struct request *r) { request_finish(r, &((struct state *)r->state)->out); }

void handle_add_raft_voter(struct request *r, const struct add_raft_voter_request *in) {
    struct state *s = request_alloc(r, sizeof *s);
    s->in = in;
    r->state = s;
    control_submit(r, command, finish);
}
