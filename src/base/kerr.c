#include "base/kerr.h"

#include <stddef.h>

struct row {
    int16_t code;
    const char *name, *message;
};

static const struct row rows[] = {
#define X(name, code, retriable, message) {code, #name, message},
#include "kerr_list.h"
#undef X
};

static const struct row *find(int16_t code) {
    size_t count = sizeof rows / sizeof *rows,
           i = (size_t)(code + 1); /* codes count up from -1 without a gap */
    if (code >= -1 && i < count && rows[i].code == code) return &rows[i];
    return NULL;
}

const char *kerr_name(int16_t code) {
    const struct row *r = find(code);
    return r ? r->name : "UNKNOWN_ERROR_CODE";
}

const char *kerr_message(int16_t code) {
    const struct row *r = find(code);
    return r ? r->message : "The server answered with an error code that is not known here.";
}
