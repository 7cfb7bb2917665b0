/* ottla log dump|verify: the tables. */
#include "cli/log.h"

static const struct cli_option dump_options[] = {
    {'d', "deep", NULL, "every record, not only the batches"},
    {0, "print-data", NULL, "every record with its key and value"},
    {0, "decode", "WHAT", "what the records are (else by the directory's name)",
     "none metadata offsets transactions share"},
    {0, "from", "OFFSET", "begin with the batch that holds this offset"},
    {'n', "count", "N", "stop after so many batches"},
    {0},
};
static const struct cli_example dump_examples[] = {
    {"ottla log dump data/orders-0/00000000000000000000.log", "the batches of a segment"},
    {"ottla log dump --print-data --from 1000 -n 1 data/orders-0/*.log", "the records around offset 1000"},
    {"ottla log dump data/__cluster_metadata-0/*.log data/__cluster_metadata-0/*.checkpoint",
     "metadata, decoded"},
    {"ottla log dump --json data/__consumer_offsets-3/*.log | jq .value", "committed offsets and groups"},
    {"ottla log dump data/orders-0/00000000000000000000.index", "an index"},
    {0},
};
static const struct cli_example verify_examples[] = {
    {"ottla log verify data", "a whole log directory"},
    {"ottla log verify data/orders-0", "one partition: segments, indexes, snapshots"},
    {"ottla log verify --json data | jq .problems", "for a program"},
    {0},
};
static const char dump_details[] =
    "FILE may be .log, .checkpoint, .index, .timeindex, .txnindex, .snapshot, a checkpoint file, "
    "meta.properties,\n"
    "partition.metadata or quorum-state. Nothing is changed; a broker may be running.";
static const char verify_details[] =
    "Reads segments with their indexes, producer snapshots and checkpoints, and prints a line for each "
    "problem: the file, the\n"
    "byte, what is wrong. Nothing is changed. The end of a log that a broker is writing may look torn.";
static const struct cli_command commands[] = {
    {"dump", "FILE...", "show what segments, indexes and snapshots hold", log_dump, NULL, dump_options,
     dump_examples, dump_details, CLI_JSON, HINT_FILE, 1, -1},
    {"verify", "PATH...", "check files, partitions or log directories", log_verify, NULL, NULL,
     verify_examples, verify_details, CLI_JSON, HINT_FILE, 1, -1},
    {0},
};
const struct cli_command cli_log_command = {"log", .summary = "read and check the files of a log directory",
                                            .commands = commands};

int cli_log(int argc, char **argv) { return cli_run(&cli_log_command, argc, argv); }
