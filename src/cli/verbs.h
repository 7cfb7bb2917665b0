/* The verbs of the command line: VERB(name, summary), in the order of `ottla --help`. A new verb is one file,
 * cli/<name>.c, with int cli_<name>(int argc, char **argv), and one row here. No guard: included wherever the
 * list is needed. */
VERB(topic, "create, list, describe, alter, delete topics")
VERB(config, "show and change configurations")
VERB(storage, "prepare and inspect log directories")
