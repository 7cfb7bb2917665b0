/* librdkafka, loaded when a verb first calls it: the server and the other verbs do not use it, and loading it
 * and what it pulls in (TLS, SASL) would cost each of their starts some milliseconds.
 *
 * rdk()->conf_new() is rd_kafka_conf_new(). Types and constants are those of its header. */
#ifndef OTTLA_CLI_LIBRDKAFKA_H
#define OTTLA_CLI_LIBRDKAFKA_H

#include <librdkafka/rdkafka.h>

/* What is used of it, without its prefix. */
#define LIBRDKAFKA_FUNCTIONS(F)                                                                              \
    F(assign)                                                                                                \
    F(assignment)                                                                                            \
    F(conf_destroy)                                                                                          \
    F(conf_new)                                                                                              \
    F(conf_set)                                                                                              \
    F(conf_set_dr_msg_cb)                                                                                    \
    F(conf_set_error_cb)                                                                                     \
    F(conf_set_log_cb)                                                                                       \
    F(conf_set_opaque)                                                                                       \
    F(consumer_close)                                                                                        \
    F(consumer_poll)                                                                                         \
    F(destroy)                                                                                               \
    F(err2str)                                                                                               \
    F(error_code)                                                                                            \
    F(error_destroy)                                                                                         \
    F(error_string)                                                                                          \
    F(fatal_error)                                                                                           \
    F(flush)                                                                                                 \
    F(header_add)                                                                                            \
    F(header_get_all)                                                                                        \
    F(headers_destroy)                                                                                       \
    F(headers_new)                                                                                           \
    F(last_error)                                                                                            \
    F(message_destroy)                                                                                       \
    F(message_errstr)                                                                                        \
    F(message_headers)                                                                                       \
    F(message_timestamp)                                                                                     \
    F(metadata)                                                                                              \
    F(metadata_destroy)                                                                                      \
    F(new)                                                                                                   \
    F(offsets_for_times)                                                                                     \
    F(offsets_store)                                                                                         \
    F(outq_len)                                                                                              \
    F(poll)                                                                                                  \
    F(poll_set_consumer)                                                                                     \
    F(produce)                                                                                               \
    F(produceva)                                                                                             \
    F(purge)                                                                                                 \
    F(subscribe)                                                                                             \
    F(topic_destroy)                                                                                         \
    F(topic_name)                                                                                            \
    F(topic_new)                                                                                             \
    F(topic_partition_list_add)                                                                              \
    F(topic_partition_list_destroy)                                                                          \
    F(topic_partition_list_find)                                                                             \
    F(topic_partition_list_new)

struct librdkafka {
#define FIELD(name) __typeof__(rd_kafka_##name) *name;
    LIBRDKAFKA_FUNCTIONS(FIELD)
#undef FIELD
};

/* One thread. A library that cannot be loaded ends the process: one line, CLI_FAILED. */
const struct librdkafka *rdk(void);

#endif
