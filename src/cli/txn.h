/* ottla txn. */
#ifndef OTTLA_CLI_TXN_H
#define OTTLA_CLI_TXN_H

#include <stdint.h>

#include "api/list_transactions.h"
#include "cli/admin.h"

extern const struct cli_command cli_txn_command;

/* The transactions of all nodes that match, in the arena; those of `nodes` [i] belong to v[i]. 0 or an exit
 * status. */
int txn_ask_list(struct admin *a, const struct list_transactions_request *q,
                 struct list_transactions_response_transaction_state **v, int32_t **nodes, int32_t *n);

/* txn_open.c: what partitions know of transactions. */
extern const struct cli_option txn_producers_options[], txn_hanging_options[], txn_abort_options[];
int txn_producers(struct cli *c);
int txn_find_hanging(struct cli *c);
int txn_abort(struct cli *c);

#endif
