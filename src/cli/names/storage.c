/* kafka-storage: kafka.tools.StorageTool. Its commands format, info and random-uuid have the options of
 * `ottla storage`, and print what it prints. A wrong command line is status 1 here. */
#include "cli/cli.h"
#include "cli/names/names.h"

int names_storage(int argc, char **argv) {
    argv[0] = (char *)"storage";
    return cli_storage(argc, argv) == CLI_DONE ? 0 : 1;
}
