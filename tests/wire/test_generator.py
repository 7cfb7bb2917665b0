#!/usr/bin/env python3
"""gen/schema.py and gen/messages.py: the notation, its errors, and the C of the cases that matter."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../gen"))
import messages  # noqa: E402
import schema  # noqa: E402

EXAMPLE = """\
# a comment
api 5 Ship listeners=broker,controller unstable

request 1-4 flexible=3+
  shipId string 0+ null=2+ default=null entity=topicName   # a note
  speed int32 2+ default=-1
  course int16 2+
  cargo []Crate
    weight int64
    owner Person 4+ null default=null tag=0
  crew []Person 2-3
  note string 3+ tag=1
  struct Person
    name string

response none
"""


def parse(text):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "ship")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return schema.Parser(path).parse()


class Notation(unittest.TestCase):
    def test_message(self):
        request, response = parse(EXAMPLE)
        self.assertEqual(
            (request.name, request.type, request.versions, request.flexible),
            ("ShipRequest", 5, (1, 4), (3, schema.LAST)),
        )
        self.assertEqual(request.api.listeners, ["broker", "controller"])
        self.assertTrue(request.api.unstable)
        self.assertEqual(response.versions, schema.NONE)
        ship_id, speed, _, cargo, crew, note = request.fields
        self.assertEqual(
            (ship_id.nullable, ship_id.default, ship_id.entity), ((2, schema.LAST), "null", "topicName")
        )
        self.assertEqual((speed.versions, speed.default), ((2, schema.LAST), "-1"))
        self.assertTrue(cargo.array)
        self.assertEqual([f.name for f in cargo.of.fields], ["weight", "owner"])
        self.assertIs(crew.of, cargo.of.fields[1].of)
        self.assertEqual((note.tag, note.tagged), (1, (3, schema.LAST)))
        self.assertEqual([s.name for s in request.structs], ["Person", "Crate"])
        self.assertEqual(crew.of.versions, (2, 4))  # what its two uses span

    def test_errors_name_the_line(self):
        for bad in (
            "data X 1-z\n",
            "data X 0\n  a\n",
            "data X 0\n  a int32 bad\n",
            "data X 0\n    a int32\n",
            "what X 0\n",
        ):
            with self.assertRaisesRegex(schema.Error, r"ship:\d+: "):
                parse(bad)
        with self.assertRaisesRegex(schema.Error, "there is no type Missing"):
            parse("data X 0\n  a Missing\n")

    def test_names(self):
        for camel, snake in (
            ("topicData", "topic_data"),
            ("KRaftVersionFeature", "kraft_version_feature"),
            ("enable2Pc", "enable2_pc"),
            ("v3AndBelowTopics", "v3_and_below_topics"),
            ("TopicId", "topic_id"),
        ):
            self.assertEqual(schema.snake(camel), snake)


class Generated(unittest.TestCase):
    def setUp(self):
        self.request = parse(EXAMPLE)[0]
        self.c = "\n".join(messages.source("api/ship", [self.request]))
        self.h = "\n".join(messages.header("api/ship", [self.request]))

    def test_struct(self):
        self.assertIn("struct ship_request_crate *cargo;\n    int32_t cargo_n;", self.h)
        self.assertIn("struct ship_request_person *owner; /* 4+, nullable, default null, tag 0 */", self.h)

    def test_versions_are_compared_only_where_they_differ(self):
        self.assertIn("x->ship_id = read_string(r, flexible, version >= 2);", self.c)
        self.assertIn(
            "    if (version >= 2) {\n        p = read_run(r, 6);\n        x->speed = get_i32(p);\n"
            "        x->course = get_i16(p + 4);\n    } else {\n"
            "        x->speed = -1;\n        x->course = 0;\n",
            self.c,
        )
        self.assertIn("if (version >= 2 && version <= 3) {", self.c)
        self.assertIn("    x->weight = read_i64(r);\n", self.c)

    def test_counts_are_compared_with_the_smallest_element(self):
        self.assertIn(
            "x->cargo_n = read_count(r, flexible, false, 8);", self.c
        )  # an int64; more when flexible
        self.assertIn("x->crew_n = read_count(r, flexible, false, 2);", self.c)

    def test_tags(self):
        self.assertIn("const bool has_owner = version >= 4 && x->owner;", self.c)
        self.assertIn("const bool has_note = x->note.len != 0;", self.c)
        self.assertIn("ship_request_crate_write(&x->cargo[i], w, version)", self.c)

    def test_what_cannot_be_generated_is_refused(self):
        for bad in (
            "  aB int32\n  a_b int32\n",
            "  a int32\n  aN int32\n  a []int8\n",
            "  a string default=x\n",
        ):
            with self.assertRaises(schema.Error):
                messages.source("api/x", parse("data X 0-2\n" + bad))
        with self.assertRaisesRegex(schema.Error, "nullable in some versions"):
            messages.source("api/x", parse("data X 0-2\n  a Y null=1+\n    b int8\n"))


unittest.main()
