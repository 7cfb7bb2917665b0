/* What the administrative commands share: a client from the common options, and Kafka's errors in one line.
 */
#ifndef OTTLA_CLI_ADMIN_H
#define OTTLA_CLI_ADMIN_H

#include "api/metadata.h"
#include "base/arena.h"
#include "cli/command.h"
#include "client/client.h"

struct admin {
    struct client *client;
    struct arena arena; /* of everything that is asked and answered */
    int timeout_ms;
};

/* The --bootstrap-server, $OTTLA_BOOTSTRAP or the default. */
const char *admin_bootstrap(const struct cli *c);
/* 0 or an exit status after one line. End it (admin_end) in any case. */
int admin_begin(struct cli *c, struct admin *a);
void admin_end(struct admin *a);
/* client_do; on failure one line and CLI_FAILED. */
int admin_call(struct admin *a, const struct client_call *call);
/* The result of client_do or client_nodes as an exit status: 0, or CLI_FAILED after one line. */
int admin_done(struct admin *a, int err);
/* A call without a common error code, to any node. */
int admin_ask(struct admin *a, int16_t key, const void *request, void *response);

/* One line for an error code of Kafka's about `what`; returns CLI_FAILED. message: the broker's, may be null.
 */
int admin_refused(const char *what, int16_t code, struct kstr message);
/* Text of an error code and message: the message if there is one. The arena's. */
const char *admin_error_text(struct admin *a, int16_t code, struct kstr message);
/* The topics named, or all (names NULL). Topics that do not exist are in it with their error code. 0 or an
 * exit status. */
int admin_metadata(struct admin *a, char *const *names, int n, struct metadata_response *r);
/* "a,b,c" → numbers in the arena, each in [min, INT32_MAX]. 0 or OE_MALFORMED. separator between them. */
int admin_parse_ints(struct admin *a, const char *text, size_t len, char separator, int32_t **v, int32_t *n);
/* NUL-ended copy of the arena's. */
const char *admin_cstr(struct admin *a, struct kstr s);

#endif
