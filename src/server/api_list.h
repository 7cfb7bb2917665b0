/* The APIs that are served, in the order of their keys: API(KEY of enum api_key, name of the messages, flags).
 * To add one: a row here, its header in api_headers.h, handlers/<name>.c with handle_<name>(), and its line in meson.build. */
API(PRODUCE, produce, API_PIPELINED)
API(FETCH, fetch, 0)
API(LIST_OFFSETS, list_offsets, 0)
API(METADATA, metadata, 0)
API(API_VERSIONS, api_versions, 0)
API(CREATE_TOPICS, create_topics, 0)
API(DELETE_TOPICS, delete_topics, 0)
API(DELETE_RECORDS, delete_records, 0)
API(INIT_PRODUCER_ID, init_producer_id, 0)
API(OFFSET_FOR_LEADER_EPOCH, offset_for_leader_epoch, 0)
API(CREATE_PARTITIONS, create_partitions, 0)
API(DESCRIBE_CLUSTER, describe_cluster, 0)
