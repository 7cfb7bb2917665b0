/* The produce verb's table, for completion; its input formats, for tests. */
#ifndef OTTLA_CLI_PRODUCE_H
#define OTTLA_CLI_PRODUCE_H

#include "base/strbuf.h"
#include "cli/command.h"

enum { PRODUCE_HEADERS_MAX = 100, PRODUCE_LINE_MAX = 1 << 30 };

struct produce_header {
    const char *name;
    const void *value; /* NULL: null */
    size_t name_len, value_len;
    long at; /* while a line is parsed: where the value is in `bytes`; -1: it is not */
};

/* One record to send. Pointers borrow from the line, or from the record's own memory. */
struct produce_record {
    const void *key, *value; /* NULL: null */
    size_t key_len, value_len;
    int32_t partition; /* -1: by key */
    int64_t timestamp; /* 0: now */
    struct produce_header headers[PRODUCE_HEADERS_MAX];
    int headers_n;
    struct strbuf bytes; /* decoded base64 and values that are JSON */
    void *json;          /* the parsed line */
};

void produce_record_init(struct produce_record *r);
/* Forgets the record, keeps its memory for the next. */
void produce_record_reset(struct produce_record *r);
void produce_record_free(struct produce_record *r);
/* "key<delimiter>value", or all value when there is no delimiter in the line (then key is null). */
void produce_split(struct produce_record *r, const char *line, size_t n, const char *delimiter,
                   size_t delimiter_len);
/* {"key":…, "value":…, "headers":{…}, "partition":n, "timestamp":ms}; as `ottla consume -f json` prints it:
 * other names are ignored; keyBase64 and valueBase64 for bytes that are not text. headers may also be [[name,
 * value], …]; a header's value may be {"base64":…}. A value that is not a string is sent as JSON. 0 or
 * OE_MALFORMED with `why`. */
int produce_parse_json(struct produce_record *r, const char *line, size_t n, char why[200]);

extern const struct cli_command cli_produce_command;

#endif
