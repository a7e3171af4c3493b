"""What a FerretDB pod relies on, row by row, and the tests that show it: the one list of them. A row without a test, or a
test that is gone, fails here.

The letters are those of the deployment notes: K for a demand on the image or the process, S for a transcript that a user
types. K22 is about manifests of a cluster and has no test yet."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = "proto-tests/clients"
IMAGE = "proto-tests/image/test_image.py"
LEVEL1 = "proto-tests/tests/level1"

ROWS = {
    "K1 runs as 1000:1000 and as any uid with gid 0, without capabilities, on a read-only root": [
        (IMAGE, "test_files"),
        (IMAGE, "test_starts_before_postgresql_and_serves_when_it_comes"),
    ],
    "K2 a bare entry point and FERRETDB_*; what is old or unknown is ignored": [
        (IMAGE, "test_environment_and_labels"),
        (f"{CLIENTS}/test_drop_in.py", "test_passwords_stand_unencoded"),
    ],
    "K3 passwords stand in the URL as they are": [(f"{CLIENTS}/test_drop_in.py", "test_passwords_stand_unencoded")],
    "K4 user and password from FERRETDB_PG_USER and FERRETDB_PG_PASSWORD": [
        (f"{CLIENTS}/test_drop_in.py", "test_passwords_stand_unencoded"),
    ],
    "K5 listens at once without PostgreSQL, and recovers": [
        (IMAGE, "test_starts_before_postgresql_and_serves_when_it_comes"),
    ],
    "K6 ends within four seconds of SIGTERM": [(IMAGE, "test_stops_within_four_seconds")],
    "K7 the quickstart's transcript": [
        (f"{CLIENTS}/test_mongosh.py", "test_greeting"),
        (f"{CLIENTS}/test_mongosh.py", "test_primary_endpoint"),
        (f"{CLIENTS}/test_mongosh.py", "test_show_dbs"),
    ],
    "K8 any authSource, on both endpoints; PLAIN over TLS": [
        (f"{CLIENTS}/test_drop_in.py", "test_any_auth_source"),
        (f"{CLIENTS}/test_tls.py", "test_plain_over_tls_only"),
    ],
    "K9 the operator's health check": [(f"{CLIENTS}/test_drop_in.py", "test_the_health_check")],
    "K10 the transcript of both endpoints": [(f"{CLIENTS}/test_mongosh.py", "test_secondary_endpoint")],
    "K11 the secondary endpoint says what it is and refuses every write": [
        (f"{CLIENTS}/test_endpoints.py", "test_hello_tells_the_endpoint"),
        (f"{CLIENTS}/test_endpoints.py", "test_writes_are_refused_on_the_secondary"),
        (f"{LEVEL1}/matrix.rs", "the_secondary_endpoint_refuses_every_write"),
    ],
    "K12 failover under load": [
        (f"{CLIENTS}/test_failures.py", "test_primary_dies_and_comes_back"),
        (f"{CLIENTS}/test_failures.py", "test_standby_dies_and_comes_back"),
        (f"{CLIENTS}/service/test_promotion.py", "test_one_address_follows_postgresql"),
        (f"{LEVEL1}/failover.rs", "acknowledged_writes_survive_a_crash_and_are_applied_once"),
        (f"{LEVEL1}/failover.rs", "a_promoted_standby_takes_the_writes"),
    ],
    "K13 client certificates, and keys in every form": [
        (f"{CLIENTS}/test_tls.py", "test_every_form_of_key"),
        (f"{CLIENTS}/test_tls.py", "test_client_certificates_are_required_with_a_ca"),
    ],
    "K14 certificates and issuers change without a restart": [
        (f"{CLIENTS}/test_tls.py", "test_exchanged_files_are_taken_up_and_broken_ones_are_not"),
    ],
    "K15 TLS by variables alone; no plain port where TLS is asked for": [
        (f"{CLIENTS}/test_day_two.py", "test_tls_is_added_renewed_reissued_and_removed"),
        (f"{CLIENTS}/test_tls.py", "test_tls_on_the_common_port"),
    ],
    "K16 /debug/metrics: names kept, no reserved labels": [(f"{CLIENTS}/test_debug.py", "test_metrics")],
    "K17 livez and readyz, also with TLS alone and a late standby": [
        (f"{CLIENTS}/test_debug.py", "test_pages"),
        (f"{CLIENTS}/test_debug.py", "test_readyz_follows_postgresql"),
        (f"{CLIENTS}/test_tls.py", "test_ping_wants_the_configured_certificate"),
    ],
    "K18 pods come and go": [
        (f"{CLIENTS}/test_day_two.py", "test_pods_come_and_go_behind_a_service"),
        (f"{CLIENTS}/test_drop_in.py", "test_two_pods_behind_one_service"),
    ],
    "K19 little memory, and given back after a burst": [
        (f"{CLIENTS}/test_drop_in.py", "test_memory_is_given_back_after_a_burst"),
    ],
    "K20 passwords are exchanged without a restart": [
        (f"{CLIENTS}/test_drop_in.py", "test_a_rotated_user_password"),
        (f"{CLIENTS}/test_postgresql.py", "test_a_rotated_password_in_a_file"),
    ],
    "K21 a missing or old extension is told, and no crash": [
        (f"{CLIENTS}/test_debug.py", "test_readyz_wants_the_extension"),
        ("src/pool/storage.rs", "old_and_missing_extensions_are_faults"),
    ],
    "K23 no credentials in logs, metrics and pages": [(f"{CLIENTS}/test_drop_in.py", "test_nothing_tells_a_password")],
    "S1 quickstart": [
        (f"{CLIENTS}/test_mongosh.py", "test_greeting"),
        (f"{CLIENTS}/test_mongosh.py", "test_primary_endpoint"),
    ],
    "S4 TLS at creation": [(f"{CLIENTS}/test_tls.py", "test_the_guide_with_mongosh")],
    "S5 TLS reconfigured": [(f"{CLIENTS}/test_day_two.py", "test_tls_is_added_renewed_reissued_and_removed")],
    "S13 a custom user": [(f"{CLIENTS}/test_day_two.py", "test_a_custom_user")],
    "S14 a rotated password": [(f"{CLIENTS}/test_day_two.py", "test_a_password_is_exchanged")],
}  # fmt: skip


def test_every_row_is_here():
    rows = {row.split()[0] for row in ROWS}
    assert rows == {*(f"K{n}" for n in range(1, 24) if n != 22), "S1", "S4", "S5", "S13", "S14"}


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_its_tests(row):
    assert ROWS[row]
    for path, name in ROWS[row]:
        text = (ROOT / path).read_text()
        assert re.search(rf"^\s*(def|fn) {name}\(", text, re.MULTILINE), f"{path} has no {name}"
