"""Any request of any version to a broker, and its answer as a dict. The schema is the project's own
(schema/api, read by gen/schema.py); fields have its names, structs are dicts, arrays lists, uuids hexadecimal
text, records and bytes are bytes.

A field that is left out has its default; one that the version does not have is not sent.
"""

import itertools
import os
import socket
import struct
import sys

from lib.case import ROOT

sys.path.insert(0, os.path.join(ROOT, "gen"))
import schema  # noqa: E402  pylint: disable=wrong-import-position

NUMBERS = {
    "bool": ">?",
    "int8": ">b",
    "int16": ">h",
    "int32": ">i",
    "int64": ">q",
    "uint16": ">H",
    "uint32": ">I",
    "float64": ">d",
}
MOST = 64 << 20  # bytes of an answer that this client takes


class Malformed(Exception):
    """An answer that does not follow the schema."""


def load():
    messages = schema.load(os.path.join(ROOT, "schema", "api"))
    apis = {m.api.name: m.api for m in messages if m.api}
    headers = {m.name: m for m in messages if m.kind == "header"}
    return apis, headers


APIS, HEADERS = load()
KEYS = {api.key: api for api in APIS.values()}


def versions(name):
    """The versions that a 4.3.1 broker advertises, as a range."""
    api = APIS[name]
    first, last = api.request.versions
    return range(first, last + (0 if api.unstable else 1))


def errors():
    """Names of the error codes, from schema/errors."""
    names = {}
    with open(os.path.join(ROOT, "schema", "errors"), encoding="utf-8") as f:
        for line in f:
            words = line.split()
            for word in words[:2]:
                if word.lstrip("-").isdigit():
                    names[int(word)] = next(w for w in words if w.isupper() or "_" in w)
    return names


def default(field):
    """What a field has when nobody sets it."""
    if field.default_null:
        return None
    if field.array:
        return []
    if field.of:
        return {}
    text = field.default
    if field.type == "bool":
        return text == "true"
    if field.type == "float64":
        return float(text or 0)
    if field.type in NUMBERS:
        return int(text or "0", 0)
    if field.type == "uuid":
        return text or "00" * 16
    return text if field.type == "string" else b""


class Writer:
    """Bytes of one message in one version."""

    def __init__(self, message, version):
        self.message, self.version, self.out = message, version, bytearray()
        self.is_flexible = schema.within(message.flexible, version)

    def flexible(self, field):
        return schema.within(field.flexible, self.version) if field.flexible is not None else self.is_flexible

    def number(self, kind, value):
        self.out += struct.pack(NUMBERS[kind], value)

    def varint(self, value):
        while value > 127:
            self.out.append(value & 127 | 128)
            value >>= 7
        self.out.append(value)

    def length(self, count, flexible, kind):
        """count None is null."""
        if flexible:
            self.varint(0 if count is None else count + 1)
        else:
            self.number(kind, -1 if count is None else count)

    def one(self, field, value):
        if field.of:
            if not field.array and schema.within(field.nullable, self.version):
                self.number("int8", -1 if value is None else 1)
                if value is None:
                    return
            self.fields(field.of.fields, value)
        elif field.type in NUMBERS:
            self.number(field.type, value)
        elif field.type == "uuid":
            self.out += bytes.fromhex(value)
        else:
            raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
            self.length(
                None if raw is None else len(raw),
                self.flexible(field),
                "int16" if field.type == "string" else "int32",
            )
            self.out += raw or b""

    def field(self, field, value):
        if field.array:
            self.length(None if value is None else len(value), self.flexible(field), "int32")
            for item in value or ():
                self.one(field, item)
        else:
            self.one(field, value)

    def fields(self, fields, values):
        unknown = set(values) - {f.name for f in fields} - {"_tags"}
        if unknown:
            raise KeyError(f"{self.message.name} has no field {', '.join(unknown)}")
        tagged = dict(values.get("_tags", {}))  # number: bytes, for tags that the schema does not know
        for field in fields:
            if not schema.within(field.versions, self.version):
                continue
            value = values.get(field.name, default(field))
            if schema.within(field.tagged, self.version):
                if field.name in values and value != default(field):
                    tagged[field.tag] = self.apart(field, value)
            else:
                self.field(field, value)
        if self.is_flexible:
            self.varint(len(tagged))
            for tag, data in sorted(tagged.items()):
                self.varint(tag)
                self.varint(len(data))
                self.out += data

    def apart(self, field, value):
        inner = Writer(self.message, self.version)
        inner.field(field, value)
        return inner.out


class Reader:
    """A message of one version out of bytes."""

    def __init__(self, message, version, data, at=0):
        self.message, self.version, self.data, self.at = message, version, data, at
        self.is_flexible = schema.within(message.flexible, version)

    flexible = Writer.flexible

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise Malformed(
                f"{self.message.name} v{self.version}: {count} bytes wanted at {self.at} of {len(self.data)}"
            )
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, kind):
        form = NUMBERS[kind]
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 28:
                raise Malformed(f"{self.message.name} v{self.version}: a varint too long at {self.at}")

    def length(self, flexible, kind):
        count = self.varint() - 1 if flexible else self.number(kind)
        return None if count < 0 else count

    def one(self, field):
        if field.of:
            if not field.array and schema.within(field.nullable, self.version) and self.number("int8") < 0:
                return None
            return self.fields(field.of.fields)
        if field.type in NUMBERS:
            return self.number(field.type)
        if field.type == "uuid":
            return bytes(self.take(16)).hex()
        count = self.length(self.flexible(field), "int16" if field.type == "string" else "int32")
        if count is None:
            return None
        raw = bytes(self.take(count))
        return raw.decode("utf-8", "surrogateescape") if field.type == "string" else raw

    def field(self, field):
        if not field.array:
            return self.one(field)
        count = self.length(self.flexible(field), "int32")
        if count is None:
            return None
        if count > len(self.data) - self.at:
            raise Malformed(
                f"{self.message.name}.{field.name}: an array of {count} in {len(self.data) - self.at} bytes"
            )
        return [self.one(field) for _ in range(count)]

    def fields(self, fields):
        values, tagged = {}, {}
        for field in fields:
            if not schema.within(field.versions, self.version):
                continue
            if schema.within(field.tagged, self.version):
                tagged[field.tag] = field
                values[field.name] = self.default(field)
            else:
                values[field.name] = self.field(field)
        if self.is_flexible:
            for _ in range(self.varint()):
                tag, size = self.varint(), self.varint()
                end = self.at + size
                if tag in tagged:
                    values[tagged[tag].name] = self.field(tagged[tag])
                    if self.at != end:
                        raise Malformed(
                            f"{self.message.name}: tag {tag} has {self.at - end + size} bytes of {size}"
                        )
                else:
                    values.setdefault("_tags", {})[tag] = bytes(self.take(size))
        return values

    def default(self, field):
        """A tagged struct that is absent has the defaults of its fields."""
        if field.of and not field.array and not field.default_null:
            return {
                f.name: self.default(f) for f in field.of.fields if schema.within(f.versions, self.version)
            }
        return default(field)


def encode(message, version, values):
    writer = Writer(message, version)
    writer.fields(message.fields, values)
    return bytes(writer.out)


def decode(message, version, data, whole=True):
    reader = Reader(message, version, data)
    values = reader.fields(message.fields)
    if whole and reader.at != len(data):
        raise Malformed(f"{message.name} v{version}: {len(data) - reader.at} bytes more than it has")
    return values, reader.at


def request_header(key, version, correlation, client_id, flexible):
    return encode(
        HEADERS["RequestHeader"],
        2 if flexible else 1,
        {
            "requestApiKey": key,
            "requestApiVersion": version,
            "correlationId": correlation,
            "clientId": client_id,
        },
    )


def frame(data):
    return struct.pack(">i", len(data)) + data


class Closed(Exception):
    """The broker closed the connection."""


class Connection:
    """One TCP connection. Requests may be sent before earlier answers are read."""

    def __init__(self, bootstrap, client_id="ottla-compat", seconds=15):
        host, port = bootstrap.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client_id, self.numbers, self.waiting = client_id, itertools.count(1), []

    def send(self, name, version, **fields):
        """Sends a request; receive() gives its answer."""
        api, number = APIS[name], next(self.numbers)
        flexible = schema.within(api.request.flexible, version)
        body = encode(api.request, version, fields)
        self.send_raw(frame(request_header(api.key, version, number, self.client_id, flexible) + body))
        self.waiting.append((api, version, number))

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as e:
            raise Closed(str(e)) from None

    def receive(self):
        api, version, number = self.waiting.pop(0)
        data = self.receive_raw()
        flexible = schema.within(api.response.flexible, version) and api.name != "ApiVersions"
        header, at = decode(HEADERS["ResponseHeader"], 1 if flexible else 0, data, whole=False)
        if header["correlationId"] != number:
            raise Malformed(f"{api.name}: correlation {header['correlationId']}, wanted {number}")
        if api.name == "ApiVersions" and data[at : at + 2] == struct.pack(">h", 35):
            version = 0  # so that a client can read which versions there are
        return decode(api.response, version, data[at:])[0]

    def receive_raw(self):
        size = struct.unpack(">i", self.exactly(4))[0]
        if not 0 <= size <= MOST:
            raise Malformed(f"a frame of {size} bytes")
        return self.exactly(size)

    def exactly(self, count):
        parts = []
        while count:
            try:
                part = self.socket.recv(min(count, 1 << 20))
            except ConnectionResetError:
                part = b""
            if not part:
                raise Closed("the broker closed the connection")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def call(self, name, version, **fields):
        self.send(name, version, **fields)
        return self.receive()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
