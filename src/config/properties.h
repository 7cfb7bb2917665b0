/* Java's .properties files: server.properties, meta.properties.
 *
 * Lines are `key=value`, `key: value` or `key value`; white space around the key and before the value is
 * dropped, at the end of the value it stays; a line that ends in an odd number of backslashes continues on
 * the next; # and ! begin comments; \t \n \r \f \uXXXX and backslash-anything are escapes. Of equal keys the
 * last wins. Source: java.util.Properties. One difference: bytes from 0x80 on are taken as they are (UTF-8)
 * where Java reads Latin-1. One owner. */
#ifndef OTTLA_CONFIG_PROPERTIES_H
#define OTTLA_CONFIG_PROPERTIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct strbuf;

enum { PROPERTIES_MAX_BYTES = 4 << 20, PROPERTIES_MAX_KEYS = 16384 }; /* of a file */

struct property {
    const char *name, *value; /* UTF-8; value never NULL */
    int32_t line;             /* from 1; where it begins */
};

struct properties {
    struct arena arena;
    const char *path;       /* borrowed, for errors */
    struct property *items; /* in the order of the text */
    int32_t n;
};

/* Initializes *p, also when it fails. path names the text in errors. Returns 0; OE_LIMIT or OE_MALFORMED with
 * one sentence. */
int properties_parse(struct properties *p, const char *text, size_t length, const char *path,
                     struct strbuf *error);
void properties_free(struct properties *p);
/* The value of a name, or NULL. */
const char *properties_get(const struct properties *p, const char *name);
/* Appends one line `name=value\n`, escaped as Properties.store does. */
void properties_write(struct strbuf *to, const char *name, const char *value);

#endif
