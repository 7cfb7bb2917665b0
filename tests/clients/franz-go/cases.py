"""franz-go: our program with its client kgo, and kgo's own test suite run against the broker.

Of the suite, the tests that need a broker are run. Left out,
with the reason:
  TestSCRAMAuth*                                                             SASL
  all others                                                                 they test the client alone,
                                                                             without a broker
"""

import os

from lib.case import bootstrap, case, check, main, run
from lib.suite import register

SUITE = [
    "TestUnknownGroupOffsetFetchPinned",
    "TestPing",
    "TestIssue1034",
    "TestIssue325",
    "TestConsumeTopicRetrieval",
    "TestConsumeTopicRetrieval_Many",
    "TestConsumeRegex",
    "TestIssue337",
    "TestDirectPartitionPurge",
    "TestIssue434",
    "TestAddRemovePartitions",
    "TestPauseIssue489",
    "TestPauseIssueOct2023",
    "TestIssue523",
    "TestIssue648",
    "TestIssue810",
    "TestIssue865",
    "TestIssueFetchLargerThanBrokerMaxReadBytes",
    "TestPooling",
    "TestHookPollStart",
    "TestConsumeMaxDecompressBatchBytes",
    "TestClient_Produce",
    "TestIssue769",
    "TestIssue831",
    "TestClient_ProduceLargeMessages",
]
SHARE = [
    "TestShareGroup",
    "TestShareGroupAckOnClose",
    "TestShareGroupOffsetsAdmin",
    "TestConsumeRegexShareSkipsInternal",
]
ETL = [
    "range",
    "cooperative-sticky",
    "cooperative-sticky/static",
    "range/848",
    "sticky/848",
    "sticky/848/static",
]

register(
    lambda: [os.path.join(os.environ["KGO"], "client")],
    ["kgo", "broker"],
    assignors=("range", "cooperative-sticky"),
)


def suite(pattern, seconds, **env):
    printed = run(
        [os.path.join(os.environ["KGO"], "kgo.test"), "-test.v", "-test.run", pattern],
        seconds=seconds,
        env={"KGO_SEEDS": bootstrap(), "KGO_LOG_LEVEL": "none", "KGO_TEST_RF": "1", **env},
        cwd=os.path.join(os.environ["KGO"], "module", "pkg", "kgo"),
    )
    return [line.split()[2] for line in printed.splitlines() if line.strip().startswith("--- PASS: ")]


@case(seconds=150, needs=["kgo", "broker"])
def kgo_suite():
    passed = suite(f"^({'|'.join(SUITE)})$", 140)
    check(set(SUITE) <= set(passed), lambda: f"did not pass: {', '.join(set(SUITE) - set(passed))}")


@case(seconds=60, needs=["kgo", "broker"])
def kgo_group_simple():
    check("TestGroupSimple/classic" in suite("^TestGroupSimple$/^classic$", 50), "the test did not run")


@case(seconds=120, needs=["kgo", "broker"])
def kgo_kip848():
    """The first of the two finds out whether the broker serves KIP-848, the second looks at what it found."""
    passed = suite("^(Test848RegexBrokerResolves|TestGroupSimple)$", 110)
    for name in ("Test848RegexBrokerResolves", "TestGroupSimple/848"):
        check(name in passed, f"{name} did not run")


@case(seconds=240, needs=["kgo", "broker"])
def kgo_etl():
    """Chains of groups of both protocols whose members come and go, 20,000 records each: none lost, none twice, order
    kept. All at once: the test waits for ever when some are left out."""
    passed = suite("^TestGroupETL$", 230, KGO_TEST_RECORDS="20000")
    for name in ETL:
        check(f"TestGroupETL/{name}" in passed, f"{name} did not run")


@case(seconds=120, needs=["kgo", "broker"])
def kgo_share():
    passed = suite(f"^({'|'.join(SHARE)})$", 110)
    check(set(SHARE) <= set(passed), lambda: f"did not pass: {', '.join(set(SHARE) - set(passed))}")


@case(seconds=240, needs=["kgo", "broker"])
def kgo_share_etl():
    """A chain of share groups whose members come and go, give back and reject: no record lost."""
    passed = suite("^TestShareGroupETL$", 230, KGO_TEST_RECORDS="20000")
    check("TestShareGroupETL" in passed, "the test did not run")


@case(seconds=240, needs=["kgo", "broker"])
def kgo_transactions():
    """A chain of transactional consumers and producers that come and go, and that abort: each record once."""
    passed = suite("^TestTxnEtl$", 230, KGO_TEST_RECORDS="20000")
    check("TestTxnEtl" in passed, "the test did not run")


if __name__ == "__main__":
    main()
