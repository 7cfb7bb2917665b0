#include "http/library.h"

#include <dlfcn.h>
#include <stddef.h>

const char *microhttpd_load(struct microhttpd *l) {
    void *library = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
    if (!library) return dlerror();
#define FIND(name)                                                                                           \
    l->name = (__typeof__(l->name))dlsym(library, "MHD_" #name);                                             \
    if (!l->name) return "libmicrohttpd has no MHD_" #name;
    MICROHTTPD_FUNCTIONS(FIND)
#undef FIND
    return NULL;
}
