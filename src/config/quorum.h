/* controller.quorum.voters and controller.quorum.bootstrap.servers: "id@host:port" and "host:port" lists.
 * Source: QuorumConfig. Memory is in the arena. Any thread. */
#ifndef OTTLA_CONFIG_QUORUM_H
#define OTTLA_CONFIG_QUORUM_H

#include <stdint.h>

#include "config/def.h"

struct quorum_address {
    int32_t id; /* of a voter; -1 for a bootstrap server */
    const char *host;
    int32_t port;
};

/* Fill *to (one a list item, in order; of equal voter ids the last counts and the first is dropped). Return
 * 0, or OE_INVALID with a sentence. */
int quorum_parse_voters(struct config_list list, struct arena *a, struct quorum_address **to, int32_t *n,
                        struct strbuf *error);
int quorum_parse_bootstrap(struct config_list list, struct arena *a, struct quorum_address **to, int32_t *n,
                           struct strbuf *error);
/* The same without keeping the result. */
int quorum_check_voters(struct config_list list, struct strbuf *error);
int quorum_check_bootstrap(struct config_list list, struct strbuf *error);

#endif
