"""Kafka's tools and ottla under their names: the same arguments on the same broker must give the same standard output and exit
status. The tools run in one JVM (KafkaTools.java). Where a command changes something each side has its own topics and groups,
whose names differ in the first letters only: @ stands for them, % for those of the first side, where both
only look.
"""
import base64
import json
import os
import re
import subprocess
import sys
import tempfile

from lib.case import Failure, ROOT, bootstrap, case, check, equal, main, run, unique, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "reference"))
import reference  # noqa: E402  pylint: disable=wrong-import-position

HERE = os.path.dirname(os.path.abspath(__file__))
UUID = re.compile(r"\b[A-Za-z0-9_-]{22}\b")


class Sides:
    """The two sides, and the differences that were found."""

    def __init__(self):
        name = unique("x")
        self.prefix = {"kafka": "jj" + name, "ottla": "oo" + name}
        self.folder = tempfile.mkdtemp(prefix="kafka-names-")
        self.links = os.path.join(self.folder, "bin")
        os.mkdir(self.links)
        run([os.environ["OTTLA"], "install-kafka-names", self.links])
        command = reference.java(os.path.join(HERE, "KafkaTools.java"))
        self.jvm = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # pylint: disable=consider-using-with
        self.differences, self.count = [], 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.jvm.stdin.close()
        self.jvm.wait(30)

    def words(self, side, words):
        where = {"@": self.prefix[side], "%": self.prefix["kafka"], "BOOTSTRAP": bootstrap(), "FOLDER": self.folder}
        return [re.sub("@|%|BOOTSTRAP|FOLDER", lambda m: where[m[0]], w) for w in words]

    def kafka(self, tool, words, stdin):
        line = " ".join(base64.b64encode(w if isinstance(w, bytes) else w.encode()).decode()
                        for w in [reference.TOOLS[tool], stdin, *words])
        self.jvm.stdin.write(line + "\n")
        self.jvm.stdin.flush()
        for line in self.jvm.stdout:
            if line.startswith("@ "):
                _, status, out, err = line.rstrip("\n").split(" ")
                return int(status), base64.b64decode(out).decode(), base64.b64decode(err).decode()
        raise OSError("the JVM has ended")

    def ottla(self, tool, words, stdin):
        got = subprocess.run([os.path.join(self.links, f"kafka-{tool}.sh"), *words], input=stdin, capture_output=True, timeout=60,
                             check=False)
        return got.returncode, got.stdout.decode(), got.stderr.decode()

    def masked(self, side, text, any_order):
        for prefix in self.prefix.values():
            text = text.replace(prefix, "@")
        text = UUID.sub("<id>", text)
        return "\n".join(sorted(text.split("\n"))) if any_order else text

    def call(self, tool, *words, stdin=b"", any_order=False, words_of_error=(), mask=None):
        """Runs both; a difference is kept for the end. words_of_error: what both must say on standard error."""
        self.count += 1
        got = {}
        for side, call in (("kafka", self.kafka), ("ottla", self.ottla)):
            status, out, err = call(tool, self.words(side, words), stdin)
            out = self.masked(side, out, any_order)
            got[side] = (status, mask(out) if mask else out)
            err = self.masked(side, err, False)
            for word in words_of_error:
                if word not in err:
                    self.differences.append(f"{tool} {' '.join(words)}: {side} does not say {word!r}: {err[:600]!r}")
        if got["kafka"] != got["ottla"]:
            self.differences.append(f"{tool} {' '.join(words)}:\n  kafka {got['kafka']!r}\n  ottla {got['ottla']!r}")
        return got["ottla"][1]

    def both(self, *words, stdin=b""):
        """One of our own verbs for each side: what both find."""
        for side in self.prefix:
            run([os.environ["OTTLA"], *self.words(side, words)], stdin=stdin, env={"OTTLA_BOOTSTRAP": bootstrap()})

    def end(self):
        check(not self.differences, f"{len(self.differences)} differences in {self.count} calls\n" + "\n".join(self.differences))
        print(f"{self.count} calls are the same")


AT = ("--bootstrap-server", "BOOTSTRAP")


@case(seconds=180, needs=("broker", "java"))
def topics():
    """kafka-topics."""
    with Sides() as both:
        def topic(*words, **more):
            return both.call("topics", *AT, *words, **more)

        topic("--create", "--topic", "@-a", "--partitions", "3", "--replication-factor", "1", "--config", "retention.ms=86400000",
              "--config", "cleanup.policy=compact,delete")
        topic("--create", "--topic", "@-a")
        topic("--create", "--topic", "@-a", "--if-not-exists")
        topic("--create", "--topic", "@_b.c")
        topic("--create", "--topic=@-d", "--replica-assignment", "1,1")
        topic("--create", "--topic", "@-e", "--partitions", "0")
        topic("--create", "--topic", "@-e", "--replication-factor", "0")
        topic("--create", "--topic", "@-e", "--replication-factor", "3")
        topic("--create", "--topic", "@-e", "--config", "no.such=1")
        topic("--create", "--topic", "@-e", "--config", "retention.ms=abc")
        topic("--create", "--topic", "@-e", "--config", "retention.ms")
        topic("--create", "--topic", "@ e")
        topic("--create", "--topic", "@-e", "--replica-assignment", "1:1")
        topic("--create", "--topic", "@-e", "--replica-assignment", "1:2,1")
        topic("--list", "--topic", "@.*")
        topic("--list", "--topic", "@-a,@-d", "--exclude-internal")
        topic("--list", "--topic", "nothing-@")
        topic("--describe", "--topic", "@-a")
        topic("--describe", "--topic", "@.*", any_order=True)
        topic("--describe", "--topic", "%.*", "--topics-with-overrides")
        for report in ("under-replicated-partitions", "unavailable-partitions", "under-min-isr-partitions"):
            topic("--describe", "--topic", "@.*", f"--{report}")
        topic("--describe", "--topic", "@-a", "--at-min-isr-partitions")
        topic("--describe", "--topic", "@-none")
        topic("--describe", "--topic", "@-none", "--if-exists")
        topic("--describe", "--topic-id", "AAAAAAAAAAAAAAAAAAAABB")
        topic("--describe", "--topic", "@-a", "--partition-size-limit-per-response", "1")
        topic("--alter", "--topic", "@-a", "--partitions", "5")
        topic("--alter", "--topic", "@-a", "--partitions", "2")
        topic("--alter", "--topic", "@-none", "--partitions", "2")
        topic("--alter", "--topic", "@-none", "--partitions", "2", "--if-exists")
        topic("--alter", "--topic", "@-d", "--partitions", "3", "--replica-assignment", "1,1,1")
        topic("--describe", "--topic", "@-[ad]", any_order=True)
        topic("--delete", "--topic", "@-a")
        topic("--delete", "--topic", "@-a")
        topic("--delete", "--topic", "@-a", "--if-exists")
        topic("--delete", "--topic", "@.*")
        for wrong, said in (
            (("--list", "--create"), "exactly one action"),
            (("--create",), 'Missing required argument "[topic]"'),
            (("--alter", "--topic", "@-a"), 'Missing required argument "[partitions]"'),
            (("--create", "--topic", "@-a", "--if-exists"), "can't be used with option"),
            (("--list", "--partitions", "1"), "can't be used with option"),
            (("--lst",), "lst is not a recognized option"),
            (("--create", "--topic"), "Option topic requires an argument"),
            (("--create", "--topic", "@-a", "--partitions", "x"), ""),
            (("--help",), "This tool helps to create, delete, describe, or change a topic."),
        ):
            topic(*wrong, words_of_error=[said])
        both.call("topics", "--list", words_of_error=["--bootstrap-server must be specified"])
        both.call("topics", words_of_error=["delete, describe, or change a topic."])
        both.call("topics", "--version")
        both.end()


@case(seconds=180, needs=("broker", "java"))
def consumer_groups():
    """kafka-consumer-groups and kafka-groups, without members."""
    with Sides() as both:
        def group(*words, **more):
            return both.call("consumer-groups", *AT, *words, **more)

        both.both("topic", "create", "@-t", "-p", "3")
        both.both("topic", "create", "@-u", "-p", "1")
        for p in range(2):
            both.both("produce", "@-t", "-p", str(p), stdin=b"x\n" * (10 + p))
        both.both("consume", "@-t", "-e", "-g", "@-g")
        both.both("consume", "@-t", "-e", "-g", "@-h")
        group("--list", mask=lambda s: "\n".join(sorted(line for line in s.split("\n") if "@" in line)))
        both_mask = lambda s: "\n".join(sorted(re.sub(" +", " ", line) for line in s.split("\n") if "@" in line or "GROUP" in line))  # noqa: E731
        group("--list", "--state", mask=both_mask)
        group("--list", "--state", "Empty", mask=both_mask)
        group("--list", "--state", "stable,preparingrebalance", mask=both_mask)
        group("--list", "--type", mask=both_mask)
        group("--list", "--type", "consumer", mask=both_mask)
        group("--list", "--type", "classic", "--state", mask=both_mask)
        group("--describe", "--group", "@-g")
        group("--describe", "--group", "@-g", "--verbose")
        group("--describe", "--group", "@-g", "--offsets", "--group", "@-h")
        group("--describe", "--group", "@-g", "--members")
        group("--describe", "--group", "@-g", "--members", "--verbose")
        group("--describe", "--group", "@-g", "--state")
        group("--describe", "--group", "@-g", "--state", "--verbose")
        group("--describe", "--group", "@-none")
        group("--describe", "--group", "@-none", "--state")
        reset = ("--reset-offsets", "--group", "@-g", "--topic", "@-t")
        for to in (("--to-earliest",), ("--to-latest",), ("--to-current",), ("--to-offset", "4"), ("--to-offset", "4000"),
                   ("--shift-by", "-3"), ("--shift-by", "5"), ("--by-duration", "P1DT2H3M4.5S"), ("--by-duration", "PT0S"),
                   ("--to-datetime", "2020-01-01T00:00:00.000"), ("--to-datetime", "2020-01-01T00:00:00.000+02:00")):
            group(*[w.replace("@", "%") for w in reset], *to, "--dry-run")
        group("--reset-offsets", "--group", "@-g", "--topic", "@-t:1", "--to-earliest", "--export", "--dry-run")
        group("--reset-offsets", "--group", "@-g", "--group", "@-h", "--topic", "@-t:1", "--to-earliest", "--export", "--dry-run",
              any_order=True)
        group("--reset-offsets", "--group", "@-g", "--topic", "@-t:0", "--to-offset", "7", "--execute")
        group("--reset-offsets", "--group", "@-g", "--all-topics", "--shift-by", "-1", "--execute", any_order=True)
        group("--describe", "--group", "@-g")
        for side in both.prefix:
            with open(f"{both.folder}/{both.prefix[side]}.csv", "w", encoding="utf-8") as f:
                f.write(f'"{both.prefix[side]}-t",0,3\n{both.prefix[side]}-t,1,300\n')
            with open(f"{both.folder}/{both.prefix[side]}.4.csv", "w", encoding="utf-8") as f:
                f.write(f"{both.prefix[side]}-g,{both.prefix[side]}-t,0,2\n{both.prefix[side]}-h,{both.prefix[side]}-t,1,1\n")
        group("--reset-offsets", "--group", "@-g", "--from-file", "FOLDER/@.csv", "--dry-run", any_order=True)
        group("--reset-offsets", "--group", "@-g", "--group", "@-h", "--from-file", "FOLDER/@.4.csv", "--execute", any_order=True)
        group("--describe", "--group", "@-g", "--verbose")
        group("--reset-offsets", "--group", "@-new", "--topic", "@-u", "--to-latest", "--execute")
        group("--reset-offsets", "--group", "@-new", "--topic", "@-u", "--topic", "@-t:2", "--to-current", any_order=True)
        group("--reset-offsets", "--group", "@-g", "--topic", "@-none", "--to-latest")
        group("--reset-offsets", "--group", "@-g", "--topic", "@-none:0", "--to-latest")
        group("--reset-offsets", "--group", "@-g", "--topic", "@-t:7", "--to-latest")
        group("--delete-offsets", "--group", "@-g", "--topic", "@-t:1")
        group("--delete-offsets", "--group", "@-g", "--topic", "@-t", "--topic", "@-none")
        group("--delete-offsets", "--group", "@-none", "--topic", "@-t")
        group("--describe", "--group", "@-g")
        group("--delete", "--group", "@-h")
        group("--delete", "--group", "@-h", "--group", "@-new")
        group("--delete", "--group", "@-g")
        for wrong, said in (
            (("--describe",), "takes one of these options"),
            (("--describe", "--group", "@-g", "--members", "--state"), "takes at most one of these options"),
            (("--list", "--describe", "--group", "a"), "can't be used with option"),
            (("--reset-offsets", "--group", "@-g", "--to-latest", "--dry-run"), "One of the reset scopes should be defined"),
            (("--reset-offsets", "--group", "@-g", "--topic", "@-t", "--dry-run"), "requires one of the following scenarios"),
            (("--reset-offsets", "--group", "@-g", "--topic", "@-t", "--execute", "--dry-run"), "only accepts one of"),
            (("--reset-offsets", "--group", "@-g", "--topic", "@-t", "--to-latest", "--to-earliest"), "can't be used with option"),
            (("--reset-offsets", "--group", "@-zz", "--topic", "@-t", "--shift-by", "1"), "Cannot shift offset for partition"),
            (("--reset-offsets", "--group", "@-g", "--topic", "@-t:x", "--to-latest"), "Invalid partition"),
            (("--delete", "--group", "@-g", "--topic", "@-t"), "does not support topic-specific offset deletion"),
            (("--list", "--state", "nonsense"), "Invalid state list 'nonsense'"),
        ):
            group(*wrong, words_of_error=[said])
        both.call("consumer-groups", "--list", words_of_error=['Missing required argument "[bootstrap-server]"'])
        group("--validate-regex", "a.*b")
        both.end()


@case(seconds=120, needs=("broker", "java"))
def groups_offsets_records_and_directories():
    """kafka-groups, kafka-get-offsets, kafka-delete-records, kafka-log-dirs."""
    with Sides() as both:
        both.both("topic", "create", "@-t", "-p", "12")
        both.both("topic", "create", "@-u", "-p", "1")
        both.both("produce", "@-t", "-p", "2", stdin=b"x\n" * 12)
        both.both("produce", "@-u", stdin=b"x\n" * 5)
        both.both("consume", "@-t", "-e", "-g", "@-g")

        def rows(s):
            return "\n".join(sorted(re.sub(" +", " ", line) for line in s.split("\n") if "@" in line or "GROUP" in line))

        for words in ((), ("--consumer",), ("--share",), ("--streams",), ("--group-type", "classic"), ("--protocol", "consumer"),
                      ("--group-type", "share", "--protocol", "x")):
            both.call("groups", *AT, "--list", *words, mask=rows)
        both.call("groups", *AT, "--list", "--consumer", "--share", words_of_error=["can't be used with option"])
        both.call("groups", *AT, "--list", "--group-type", "x", words_of_error=["must be a valid group type"])
        both.call("groups", "--list", words_of_error=["Missing required option(s) [bootstrap-server]"])

        def offsets(*words, **more):
            both.call("get-offsets", *AT, *words, **more)

        offsets("--topic", "@.*")
        offsets("--topic", "@-t", "--partitions", "0,2,11", "--time", "earliest")
        offsets("--topic-partitions", "@-t:2,@-u")
        offsets("--topic-partitions", "@-t:1-3,@-t:10-,@-u:-1")
        offsets("--topic", "@-t", "--time", "-3")
        offsets("--topic", "@-t", "--time", "0")
        offsets("--topic", "@-t", "--time", "-4")
        offsets("--topic", "@-t", "--time", "latest-tiered")
        offsets("--topic", "@-t", "--time", "99999999999999")
        offsets("--topic", "@-t", "--time", "soon", words_of_error=["Malformed time argument soon"])
        offsets("--topic", "@-none", words_of_error=["Could not match any topic-partitions with the specified filters"])
        offsets("--topic", "@-t", "--topic-partitions", "@-t", words_of_error=["cannot be used with --topic or --partitions"])
        offsets("--topic", "@-t", "--partitions", "a", words_of_error=["expects a comma separated list of numeric"])
        both.call("get-offsets", "--topic", "a", words_of_error=['Missing required argument "[bootstrap-server]"'])
        for side in both.prefix:
            with open(f"{both.folder}/{both.prefix[side]}.json", "w", encoding="utf-8") as f:
                f.write('{"partitions":[{"topic":"%s-t","partition":2,"offset":3},{"topic":"%s-u","partition":0,"offset":-1}],"version":1}'
                        % ((both.prefix[side],) * 2))
            with open(f"{both.folder}/{both.prefix[side]}.wrong.json", "w", encoding="utf-8") as f:
                f.write('{"partitions":[{"topic":"%s-t","partition":2,"offset":300}]}' % both.prefix[side])
        both.call("delete-records", *AT, "--offset-json-file", "FOLDER/@.json", any_order=True)
        both.call("delete-records", *AT, "--offset-json-file", "FOLDER/@.wrong.json", any_order=True)
        offsets("--topic", "@.*", "--time", "earliest")
        both.call("log-dirs", *AT, "--describe", "--topic-list", "@-u")
        both.call("log-dirs", *AT, "--describe", "--topic-list", "@-u", "--broker-list", "1")
        both.call("log-dirs", *AT, "--describe", "--broker-list", "1,7", words_of_error=["The given brokers do not exist"])
        both.call("log-dirs", *AT, words_of_error=['Missing required argument "[describe]"'])
        both.end()


@case(seconds=180, needs=("broker", "java"))
def configs():
    """kafka-configs."""
    with Sides() as both:
        def config(*words, **more):
            return both.call("configs", *AT, *words, **more)

        both.both("topic", "create", "@-t", "-c", "retention.ms=1000")
        config("--describe", "--topic", "@-t")
        config("--describe", "--entity-type", "topics", "--entity-name", "@-t", "--all")
        config("--describe", "--topic", "@-none")
        config("--alter", "--topic", "@-t", "--add-config", "segment.ms=1000,cleanup.policy=[compact,delete]", "--delete-config",
               "retention.ms")
        config("--describe", "--topic", "@-t")
        config("--alter", "--topic", "@-t", "--add-config", "no.such=1", words_of_error=["Unknown topic config name"])
        config("--alter", "--topic", "@-none", "--add-config", "segment.ms=1", words_of_error=["UnknownTopicOrPartitionException"])
        config("--alter", "--topic", "@-t", "--add-config", "segment.ms", words_of_error=["all configs to be added must be"])
        config("--alter", "--topic", "@-t", "--add-config", "segment?ms=1", words_of_error=["Invalid character found for config key"])
        config("--describe", "--broker", "1")
        config("--describe", "--broker", "7")
        config("--describe", "--broker-defaults")
        config("--describe", "--entity-type", "brokers", "--entity-default")
        config("--describe", "--group", "@-g")
        config("--alter", "--group", "@-g", "--add-config", "consumer.session.timeout.ms=50000")
        config("--describe", "--group", "@-g")
        config("--alter", "--client-metrics", "@-m", "--add-config", "interval.ms=1000,metrics=a.b")
        config("--describe", "--client-metrics", "@-m")
        config("--alter", "--client-metrics", "@-m", "--delete-config", "interval.ms,metrics")
        config("--describe", "--client-metrics", "@-m")
        config("--alter", "--user", "@-u", "--add-config", "producer_byte_rate=1024,consumer_byte_rate=123456789.5")
        config("--alter", "--entity-type", "users", "--entity-name", "@-u", "--entity-type", "clients", "--entity-name", "@-c",
               "--add-config", "request_percentage=12.5")
        config("--describe", "--user", "@-u")
        config("--describe", "--user", "@-u", "--client", "@-c")
        config("--alter", "--user", "@-u", "--delete-config", "request_percentage", words_of_error=["Invalid config(s): request_percentage"])
        config("--alter", "--user", "@-u", "--delete-config", "producer_byte_rate,consumer_byte_rate")
        config("--alter", "--user", "@-u", "--add-config", "producer_byte_rate=x", words_of_error=["Cannot parse quota configuration value"])
        config("--alter", "--user", "@-u", "--add-config", "nothing=1", words_of_error=["Only quota and SCRAM credential configs"])
        config("--alter", "--user", "@-u", "--add-config", "SCRAM-SHA-256=[iterations=8192,password=secret]")
        config("--describe", "--user", "@-u")
        config("--alter", "--user", "@-u", "--add-config", "SCRAM-SHA-256=[iterations=10,password=secret]",
               words_of_error=["less than the minimum"])
        config("--alter", "--user", "@-u", "--delete-config", "SCRAM-SHA-256")
        config("--describe", "--user", "@-u")
        for wrong, said in (
            (("--describe", "--alter", "--topic", "a"), "exactly one action"),
            (("--describe",), "At least one entity type must be specified"),
            (("--describe", "--entity-type", "x"), "Invalid entity type x"),
            (("--alter", "--topic", "a"), "At least one of --add-config"),
            (("--alter", "--entity-type", "topics", "--add-config", "a=b"), "An entity name must be specified"),
            (("--describe", "--broker", "x"), "must be a valid integer broker id"),
            (("--describe", "--topic", "a", "--broker", "1"), "entity types may be specified together"),
        ):
            config(*wrong, words_of_error=[said])
        both.call("configs", "--describe", "--topic", "a", words_of_error=["must be specified"])
        both.end()


@case(seconds=120, needs=("broker", "java"))
def cluster_and_quorum():
    """kafka-cluster, kafka-metadata-quorum."""
    with Sides() as both:
        both.call("cluster", "cluster-id", *AT)
        both.call("cluster", "cluster-id", "-b", "BOOTSTRAP")
        both.call("cluster", "list-endpoints", *AT)
        both.call("cluster", "list-endpoints", *AT, "--include-fenced-brokers")
        both.call("cluster", "unregister", *AT, "--id", "77", words_of_error=["BrokerIdNotRegisteredException"])

        def quorum(*words, **more):
            both.call("metadata-quorum", *AT, "describe", *words,
                      mask=lambda s: re.sub(r"\d+ ms ago|\d\d+", "<n>", re.sub(" +", " ", s)), **more)

        quorum("--status")
        quorum("--replication")
        quorum("--replication", "--human-readable")
        quorum(words_of_error=["One of --status or --replication must be specified"])
        quorum("--status", "--replication", words_of_error=["Only one of --status or --replication"])
        both.end()


@case(seconds=150, needs=("broker", "java"))
def console_consumer():
    """kafka-console-consumer."""
    with Sides() as both:
        both.both("topic", "create", "@-t")
        both.both("produce", "@-t", "-k", ":", "-H", "a=1", "-H", "b=2", stdin=b"k:v\nnone\nx:y\n")
        both.both("produce", "@-t", "-f", "json", stdin=b'{"value":null,"key":"gone","timestamp":1700000000000}\n')

        def consume(*words, **more):
            both.call("console-consumer", *AT, *words, **more)

        every = [w for name in ("key", "offset", "partition", "headers", "epoch", "delivery") for w in
                 ("--formatter-property", f"print.{name}=true")]
        consume("--topic", "@-t", "--from-beginning", "--max-messages", "3", words_of_error=["Processed a total of 3 messages"])
        consume("--topic", "@-t", "--from-beginning", "--timeout-ms", "1500", words_of_error=["Processed a total of 4 messages"])
        consume("--topic", "@-t", "--partition", "0", "--offset", "earliest", "--max-messages", "4", *every)
        consume("--topic", "@-t", "--partition", "0", "--offset", "3", "--max-messages", "1", "--property", "print.timestamp=true",
                "--property", "key.separator=|", "--property", "print.key=true", "--property", "null.literal=NIL")
        consume("--topic", "@-t", "--partition", "0", "--from-beginning", "--max-messages", "2", "--formatter-property",
                "line.separator=;", "--formatter-property", "headers.separator=/", "--formatter-property", "print.headers=true")
        consume("--include", "@-.*", "--from-beginning", "--max-messages", "1", "--group", "@-g")
        both.call("consumer-groups", *AT, "--describe", "--group", "@-g")
        for wrong, said in (((), "Exactly one of the following arguments is required"),
                            (("--topic", "a", "--offset", "1"), "The partition is required when offset is specified"),
                            (("--topic", "a", "--partition", "0", "--offset", "x"), "is incorrect"),
                            (("--topic", "a", "--partition", "0", "--group", "g"), "cannot be specified together")):
            consume(*wrong, words_of_error=[said])
        both.end()


@case(seconds=150, needs=("broker", "java"))
def console_producer():
    """kafka-console-producer: what each side has sent, read by one consumer."""
    with Sides() as both:
        both.both("topic", "create", "@-t", "-p", "3")

        def produce(*words, **more):
            both.call("console-producer", *AT, "--topic", "@-t", *words, **more)

        key = ("--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
        produce(stdin=b"one\ntwo\r\n\nlast")
        produce(*key, stdin=b"a:1\nb:2\nc::\n:\nd\n", words_of_error=["No key separator found on line number 5: 'd'"])
        produce("--property", "parse.key=true", "--sync", "--compression-codec", "zstd", stdin=b"k\tv\n")
        produce(*key, "--reader-property", "parse.headers=true", "--reader-property", "null.marker=NIL", "--reader-property",
                "headers.delimiter=|", stdin=b"h:1,i:NIL|k:v\nNIL|NIL:NIL\nx:y|:z\n")
        produce(*key, "--reader-property", "ignore.error=true", stdin=b"none\nk:v\n")
        produce("--reader-property", "key.separator=x", "--reader-property", "null.marker=x",
                words_of_error=["null.marker and key.separator may not be equal"])
        both.call("console-producer", *AT, words_of_error=['Missing required argument "[topic]"'])

        def read(side):
            got = run([os.environ["OTTLA"], "consume", f"{both.prefix[side]}-t", "--from", "start", "-e", "-f", "json"],
                      env={"OTTLA_BOOTSTRAP": bootstrap()})
            records = [json.loads(line) for line in got.splitlines()]  # records without a key may be in any partition
            return sorted(json.dumps([r["partition"] if r["key"] is not None else None, r["key"], r["value"], r["headers"]])
                          for r in records)

        try:
            wait_for(lambda: read("ottla") == read("kafka"), "the records")  # the tool's producer lingers a second
        except Failure:
            equal(read("ottla"), read("kafka"), "the records")
        both.end()


if __name__ == "__main__":
    main()
