/* Text and bytes for commands that read and print records. */
#ifndef OTTLA_CLI_TEXT_H
#define OTTLA_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* Well-formed UTF-8 (no overlong forms, no surrogates)? */
bool utf8_is_valid(const void *bytes, size_t n);
void base64_add(struct strbuf *b, const void *bytes, size_t n);
/* Appends the decoded bytes. 0 or OE_MALFORMED. */
int base64_decode(const char *text, size_t n, struct strbuf *b);
/* What a shell cannot hold: \t \n \\ \0 \xHH become their characters; in place. Returns the length, or -1
 * when it is malformed. */
long unescape(char *text);

#endif
