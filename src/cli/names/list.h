/* Kafka's own names: NAME(name without "kafka-", function, summary). Called by one of them (`kafka-topics`,
 * `kafka-topics.sh`), by a symbolic link, ottla is that tool. A new one is one file here and one row. No
 * guard: included wherever the list is needed. */
NAME("topics", names_topics, "create, list, describe, alter, delete topics")
NAME("consumer-groups", names_consumer_groups, "list, describe, delete consumer groups, reset their offsets")
NAME("configs", names_configs, "show and change configurations, quotas, credentials")
NAME("console-producer", names_console_producer, "send lines of standard input")
NAME("console-consumer", names_console_consumer, "read records to standard output")
NAME("cluster", names_cluster, "the cluster's id, its endpoints, unregister a broker")
NAME("metadata-quorum", names_metadata_quorum, "the quorum of the metadata")
NAME("groups", names_groups, "list the groups of all kinds")
NAME("get-offsets", names_get_offsets, "offsets of partitions")
NAME("log-dirs", names_log_dirs, "what is in the log directories of brokers")
NAME("delete-records", names_delete_records, "delete records below an offset")
NAME("storage", names_storage, "prepare and inspect log directories")
