/* librdkafka for the commands that move records: its handle from the common options, its complaints in our
 * form. */
#ifndef OTTLA_CLI_KAFKA_H
#define OTTLA_CLI_KAFKA_H

#include "cli/command.h"
#include "cli/librdkafka.h"

/* -X of every command that uses librdkafka. */
#define KAFKA_OPTION_X                                                                                       \
    { 'X', "client-option", "NAME=VALUE", "an option of librdkafka; may be repeated" }
#define KAFKA_COMPRESSIONS "none gzip snappy lz4 zstd"

/* Is the cluster there? Asked by the inside client first, because its errors are quick and clear; left to
 * librdkafka when -X sets a security.protocol. 0 or an exit status after one line. */
int kafka_check(struct cli *c);
/* Sets an option; a wrong one: one line, CLI_USAGE. */
int kafka_set(rd_kafka_conf_t *conf, const char *name, const char *value);
/* Sets an option unless -X gives it. */
int kafka_default(struct cli *c, rd_kafka_conf_t *conf, const char *name, const char *value);
/* A consumer's read-ahead large enough that it does not pause: a full queue stops fetches for a second. */
int kafka_read_ahead(struct cli *c, rd_kafka_conf_t *conf);
/* A configuration with bootstrap servers, client id and -X. *conf NULL after an error. 0 or an exit status.
 */
int kafka_conf(struct cli *c, rd_kafka_conf_t **conf);
/* Takes conf in any case. NULL after one line. */
rd_kafka_t *kafka_create(rd_kafka_type_t type, rd_kafka_conf_t *conf);
/* The number of partitions of a topic, or -1 after one line. create: a topic that does not exist is created
 * if the cluster does so, which takes it a moment. */
int kafka_partitions(rd_kafka_t *rk, const char *topic, int timeout_ms, bool create);

/* From now on SIGINT and SIGTERM only set a flag. */
void kafka_catch_signals(void);
bool kafka_interrupted(void);

#endif
