#include "cli/librdkafka.h"

#include <dlfcn.h>
#include <stdlib.h>

#include "cli/cli.h"

#define LIBRARY "librdkafka.so.1"

static void *find(void *library, const char *name) {
    void *address = dlsym(library, name);
    if (address) return address;
    cli_fail("%s is too old: it has no %s()", LIBRARY, name);
    exit(CLI_FAILED);
}

static void load(struct librdkafka *l) {
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        cli_fail("this verb needs librdkafka (package librdkafka1): %s", dlerror());
        exit(CLI_FAILED);
    }
#define FIND(name) l->name = (__typeof__(rd_kafka_##name) *)find(library, "rd_kafka_" #name);
    LIBRDKAFKA_FUNCTIONS(FIND)
#undef FIND
}

const struct librdkafka *rdk(void) {
    static struct librdkafka library;
    if (!library.conf_new) load(&library);
    return &library;
}
