/* Records of the internal topics, printed by the generated printers.
 *   metadata: value = frame version 1 | type | version (all unsigned varints) | message
 *   offsets, transactions, share: key = type 2 | message, value = version 2 | message
 *   control: key = version 2 | type 2, value = version 2 | message (for the markers the version is not a part
 * of the message) */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/log.h"
#include "record/control.h"
#include "wire/message.h"

enum decode_limits { NAME_MAX_LEN = 80 };

enum log_decode log_decode_of(const char *path) {
    static const struct {
        const char *topic;
        enum log_decode how;
    } topics[] = {{"__cluster_metadata-", DECODE_METADATA},
                  {"__consumer_offsets-", DECODE_OFFSETS},
                  {"__transaction_state-", DECODE_TRANSACTIONS},
                  {"__share_group_state-", DECODE_SHARE}};
    if (!strcmp(log_base_name(path), "bootstrap.checkpoint")) return DECODE_METADATA;
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        const char *at = strstr(path, topics[i].topic);
        if (at && (at == path || at[-1] == '/')) return topics[i].how;
    }
    return DECODE_NONE;
}

static bool decode_metadata(const struct record *r, struct strbuf *out) {
    if (!r->value) return false;
    const uint8_t *p = r->value, *end = p + r->value_len;
    uint32_t frame, type, version;
    char name[NAME_MAX_LEN];
    int n;
    if (!(n = get_uvarint(p, end, &frame)) || frame != 1) return false;
    p += n;
    if (!(n = get_uvarint(p, end, &type)) || type > INT16_MAX) return false;
    p += n;
    if (!(n = get_uvarint(p, end, &version)) || version > INT16_MAX) return false;
    p += n;
    const struct message *m = message_of_record("metadata", MESSAGE_RECORD, (int16_t)type);
    if (!m) return false;
    size_t start = out->len;
    message_constant_name(m, name, sizeof name);
    strbuf_addf(out, "\"payload\":{\"type\":\"%s\",\"version\":%u,\"data\":", name, version);
    if (message_print(m, p, (size_t)(end - p), (int16_t)version, out, NULL)) {
        out->len = start;
        return false;
    }
    strbuf_adds(out, "}");
    return true;
}

/* {"type":…,"data":{…}} of bytes that begin with the number. */
static bool add_numbered(const struct message *m, const char *what, const uint8_t *bytes, int32_t n,
                         int16_t version, struct strbuf *out) {
    strbuf_addf(out, "{\"%s\":\"%d\",\"data\":", what, get_i16(bytes));
    if (message_print(m, bytes + 2, (size_t)n - 2, version, out, NULL)) return false;
    strbuf_adds(out, "}");
    return true;
}

static bool decode_keyed(const char *family, const struct record *r, struct strbuf *out) {
    if (!r->key || r->key_len < 2) return false;
    int16_t type = get_i16(r->key);
    const struct message *key = message_of_record(family, MESSAGE_KEY, type);
    const struct message *value = message_of_record(family, MESSAGE_VALUE, type);
    if (!key || !value) return false;
    size_t start = out->len;
    strbuf_adds(out, "\"key\":");
    bool ok = add_numbered(key, "type", r->key, r->key_len, 0, out);
    strbuf_adds(out, ",\"value\":");
    if (!r->value)
        strbuf_adds(out, "null");
    else
        ok = ok && r->value_len >= 2 &&
             add_numbered(value, "version", r->value, r->value_len, get_i16(r->value), out);
    if (!ok) out->len = start;
    return ok;
}

bool log_decode_record(enum log_decode how, const struct record *r, struct strbuf *out) {
    switch (how) {
    case DECODE_METADATA: return decode_metadata(r, out);
    case DECODE_OFFSETS: return decode_keyed("group", r, out);
    case DECODE_TRANSACTIONS: return decode_keyed("txn", r, out);
    case DECODE_SHARE: return decode_keyed("share", r, out);
    case DECODE_NONE: break;
    }
    return false;
}

bool log_decode_control(const struct record *r, struct strbuf *out, const char **type) {
    static const struct {
        const char *type, *message;
    } kinds[] = {
        [CONTROL_ABORT] = {"ABORT", "EndTxnMarker"},
        [CONTROL_COMMIT] = {"COMMIT", "EndTxnMarker"},
        [CONTROL_LEADER_CHANGE] = {"LEADER_CHANGE", "LeaderChangeMessage"},
        [CONTROL_SNAPSHOT_HEADER] = {"SNAPSHOT_HEADER", "SnapshotHeaderRecord"},
        [CONTROL_SNAPSHOT_FOOTER] = {"SNAPSHOT_FOOTER", "SnapshotFooterRecord"},
        [CONTROL_KRAFT_VERSION] = {"KRAFT_VERSION", "KRaftVersionRecord"},
        [CONTROL_KRAFT_VOTERS] = {"KRAFT_VOTERS", "VotersRecord"},
    };
    if (!r->key || r->key_len < 4 || !r->value || r->value_len < 2) return false;
    int16_t number = get_i16(r->key + 2);
    if (number < 0 || number > CONTROL_KRAFT_VOTERS) return false;
    bool marker = number <= CONTROL_COMMIT;
    const struct message *m = message_by_name(kinds[number].message);
    *type = kinds[number].type;
    return m && !message_print(m, r->value + (marker ? 2 : 0), (size_t)r->value_len - (marker ? 2 : 0),
                               marker ? 0 : get_i16(r->value), out, NULL);
}
