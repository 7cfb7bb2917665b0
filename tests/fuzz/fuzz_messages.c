/* Every message decoder. Input: two bytes that choose the message, one that chooses the version, the rest is
 * the message. */
#include "tests/wire/check_message.h"
#include "fuzz.h"

enum { MEMORY = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3) return 0;
    const struct message *m = messages[get_u16(data) % messages_n];
    int16_t version = (int16_t)(m->first + data[2] % (m->last - m->first + 1));
    check_message(m, version, data + 3, size - 3, MEMORY);
    return 0;
}
