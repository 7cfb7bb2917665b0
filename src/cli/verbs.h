/* The verbs of the command line: VERB(name, summary), in the order of `ottla --help`. A new verb is one file,
 * cli/<name>.c, with int cli_<name>(int argc, char **argv), and one row here. No guard: included wherever the
 * list is needed. */
VERB(server, "start a node")
VERB(topic, "create, list, describe, alter, delete topics")
VERB(produce, "send records, from files or standard input")
VERB(consume, "read records to standard output")
VERB(group, "list, describe, reset, delete consumer groups")
VERB(txn, "list and describe transactions, find and abort hanging ones")
VERB(config, "show and change configurations")
VERB(quota, "show and change the limits of clients")
VERB(storage, "prepare and inspect log directories")
VERB(log, "read and check the files of a log directory")
VERB(bench, "throughput and latency of a Kafka-compatible broker")
VERB(completion, "Tab completion for bash and zsh")
