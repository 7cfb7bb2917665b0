"""Record batches (format v2): made with any field wrong on purpose, and read. Compression stores: the bytes
are valid for each codec without being smaller, so that the standard library is enough. Decompression knows
gzip and what this file stores.
"""

import struct
import time
import zlib

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
HEADER = struct.Struct(">qiibIhiqqqhii")
NAMES = (
    "baseOffset",
    "length",
    "partitionLeaderEpoch",
    "magic",
    "crc",
    "attributes",
    "lastOffsetDelta",
    "baseTimestamp",
    "maxTimestamp",
    "producerId",
    "producerEpoch",
    "baseSequence",
    "count",
)
CRC_FROM = 21  # the checksum is over what follows it


def crc_table():
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        yield n


CRC_TABLE = list(crc_table())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def varint(value):
    """A zigzag varint."""
    value = value << 1 ^ value >> 63
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def plain_varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def sized(data):
    return varint(-1) if data is None else varint(len(data)) + data


def record(value, key=None, headers=(), offset=0, time_delta=0):
    body = b"\0" + varint(time_delta) + varint(offset) + sized(key) + sized(value) + varint(len(headers))
    body += b"".join(sized(name.encode()) + sized(content) for name, content in headers)
    return varint(len(body)) + body


def store_snappy(data):
    out = plain_varint(len(data))
    for at in range(0, len(data), 60):
        part = data[at : at + 60]
        out += bytes([len(part) - 1 << 2]) + part
    return out


def store_lz4(data):
    """One frame of independent blocks of at most 64 KiB, none compressed; its header checksum is that of
    these two bytes."""
    blocks = [data[at : at + 65536] for at in range(0, len(data), 65536)]
    return (
        b"\x04\x22\x4d\x18\x60\x40\x82"
        + b"".join(struct.pack("<I", len(b) | 1 << 31) + b for b in blocks)
        + bytes(4)
    )


def store_zstd(data):
    """One frame of raw blocks, its window 128 KiB, no size and no checksum."""
    blocks = [data[at : at + 65536] for at in range(0, len(data), 65536)] or [b""]
    out = b"\x28\xb5\x2f\xfd\x00\x38"
    for i, block in enumerate(blocks):
        out += struct.pack("<I", len(block) << 3 | (i == len(blocks) - 1))[:3] + block
    return out


def compress(codec, data):
    if codec == "gzip":
        deflate = zlib.compressobj(1, zlib.DEFLATED, 31)
        return deflate.compress(data) + deflate.flush()
    return {"none": bytes, "snappy": store_snappy, "lz4": store_lz4, "zstd": store_zstd}[codec](data)


def batch(values, codec="none", now=None, payload=None, **wrong):
    """A batch of values: bytes, or (key, value, headers). wrong: header fields that differ from what is
    right; crc=None computes it."""
    now = int(time.time() * 1000) if now is None else now
    items = [v if isinstance(v, tuple) else (None, v, ()) for v in values]
    raw = b"".join(record(value, key, headers, i) for i, (key, value, headers) in enumerate(items))
    raw = compress(codec, raw) if payload is None else payload
    fields = {
        "baseOffset": 0,
        "length": 49 + len(raw),
        "partitionLeaderEpoch": -1,
        "magic": 2,
        "crc": None,
        "attributes": CODECS[codec],
        "lastOffsetDelta": len(items) - 1,
        "baseTimestamp": now,
        "maxTimestamp": now,
        "producerId": -1,
        "producerEpoch": -1,
        "baseSequence": -1,
        "count": len(items),
    }
    fields.update(wrong)
    if fields["crc"] is None:
        fields["crc"] = 0
        data = HEADER.pack(*[fields[n] for n in NAMES]) + raw
        fields["crc"] = crc32c(data[CRC_FROM:])
    return HEADER.pack(*[fields[n] for n in NAMES]) + raw


def headers_of(data):
    """The header of each whole batch in the bytes of a fetch, and the batch's own bytes."""
    at = 0
    while at + HEADER.size <= len(data):
        fields = dict(zip(NAMES, HEADER.unpack_from(data, at)))
        end = at + 12 + fields["length"]
        if end > len(data):
            return
        yield fields, data[at:end]
        at = end


class Varints:
    def __init__(self, data):
        self.data, self.at = data, 0

    def next(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value >> 1 ^ -(value & 1)

    def sized(self):
        size = self.next()
        if size < 0:
            return None
        self.at += size
        return bytes(self.data[self.at - size : self.at])


def records_of(data):
    """(offset, key, value, headers) of every record of uncompressed or gzip batches."""
    for fields, raw in headers_of(data):
        body = raw[HEADER.size :]
        codec = fields["attributes"] & 7
        if codec == 1:
            body = zlib.decompress(body, 31)
        elif codec:
            raise ValueError(f"codec {codec} is not read here")
        reader = Varints(body)
        for _ in range(fields["count"]):
            reader.next()
            reader.at += 1
            reader.next()
            offset = fields["baseOffset"] + reader.next()
            key, value = reader.sized(), reader.sized()
            headers = [(reader.sized().decode(), reader.sized()) for _ in range(reader.next())]
            yield offset, key, value, headers
