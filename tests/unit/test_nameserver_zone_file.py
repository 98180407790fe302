"""Zone files, streams of updates and record data: read, written back, and refused line by line."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from apps.nameserver.packing import ADD, REMOVE, Change
from apps.nameserver.record_data import (
    KINDS,
    InvalidRecordError,
    data_text,
    enough_to_remove,
    kind_name,
    kind_number,
    owner_name,
    pack_data,
)
from apps.nameserver.zone_file import MalformedFileError, find_input, read_updates, read_zone

DATA = Path(__file__).parents[3] / "shared" / "data" / "dns"
SIGNATURE = "DS 8 1 86400 20191115050000 20191102040000 22545 . AAEC/w=="
TEXTS = [
    ("A", "192.5.6.30"),
    ("NS", "a.root-servers.net."),
    ("NS", "."),
    ("CNAME", "other.example."),
    ("SOA", "a.example. admin.example. 2019110200 1800 900 604800 86400"),
    ("MX", "10 mail.example."),
    ("AAAA", "2001:503:ba3e:0:0:0:2:30"),
    ("DS", "30909 8 2 E2D3C916F6DEEAC73294E8268FB5885044A833FC5459588F4A9184CFC41A5766"),
    ("RRSIG", SIGNATURE),
    ("NSEC", "aaa. NS SOA RRSIG NSEC DNSKEY"),
    ("NSEC", "b. A TYPE1234"),
    ("DNSKEY", "257 3 8 AwEAAQ=="),
    ("TYPE99", "\\# 3 0a0b0c"),
    ("TYPE99", "\\# 0"),
]


@pytest.mark.parametrize(("kind", "text"), TEXTS)
def test_data_are_read_and_written_back(kind: str, text: str) -> None:
    number = kind_number(kind)
    assert kind_name(number) == kind
    assert data_text(number, pack_data(number, text)) == text


def test_data_are_those_of_a_packet() -> None:
    assert pack_data(KINDS["A"], "1.2.3.4") == b"\1\2\3\4"
    assert pack_data(KINDS["NS"], "Ns1.Example.") == b"\3ns1\7example\0"
    assert pack_data(KINDS["NSEC"], "aaa. NS SOA RRSIG NSEC DNSKEY").hex() == "0361616100000722000000000380"


def test_a_signature_is_removed_without_sending_it() -> None:
    data = pack_data(KINDS["RRSIG"], SIGNATURE)
    assert enough_to_remove(KINDS["RRSIG"], data) == data[:-4]
    assert enough_to_remove(KINDS["A"], b"1234") == b"1234"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("A", "1.2.3"),
        ("A", "1.2.3.4 5"),
        ("AAAA", "1::2::3"),
        ("NS", "relative.name"),
        ("NS", "a..b."),
        ("NS", "x" * 64 + "."),
        ("SOA", "a. b. 1 2 3"),
        ("MX", "70000 a."),
        ("DS", "1 2 3 xyz"),
        ("DS", "1"),
        ("RRSIG", "DS 8 1 86400 20191315050000 20191102040000 22545 . AAEC/w=="),
        ("RRSIG", "DS 8 1 86400 20191115050000 20191102040000 22545 . !"),
        ("NSEC", "a. NOTHING"),
        ("TYPE99", "abc"),
        ("TYPE99", "\\# 2 0a"),
    ],
)
def test_wrong_data_are_refused(kind: str, text: str) -> None:
    with pytest.raises(InvalidRecordError, match=r"expected .* found"):
        pack_data(kind_number(kind), text)


def test_names_are_lower_case_and_full() -> None:
    assert owner_name("NS1.Example.") == b"ns1.example."
    assert owner_name(".") == b"."
    for wrong in ("example", "a..", "ü.", ("x" * 63 + ".") * 4):
        with pytest.raises(InvalidRecordError):
            owner_name(wrong)


def test_a_zone_is_read_without_comments_and_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "zone"
    path.write_text("; a zone\n\nA.\t60\tIN\tA\t1.2.3.4 ; an address\n.  0 in ns b.\n")
    assert [(name, *record) for name, record in read_zone(path)] == [
        (b"a.", 1, 60, b"\1\2\3\4"),
        (b".", 2, 0, b"\1b\0"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a. 60 IN A", "line 2: expected 'name ttl IN type data', found 'a. 60 IN A'"),
        ("a. 60 CH A 1.2.3.4", "line 2: expected 'name ttl IN type data'"),
        ("a. soon IN A 1.2.3.4", "line 2: expected 'name ttl IN type data'"),
        ("a. 60 IN B 1.2.3.4", "line 2: expected a record type .* found 'B'"),
        ("a. 60 IN A 1.2.3.400", "line 2: expected the data of a A record, found '1.2.3.400'"),
        ("a 60 IN A 1.2.3.4", "line 2: expected a full name, which ends in a dot, found 'a'"),
        ("a. 9999999999 IN A 1.2.3.4", "line 2: expected a ttl below"),
        ("a. 60", "line 2: expected 'name ttl IN type data'"),
    ],
)
def test_a_malformed_line_of_a_zone_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "bad.zone"
    path.write_text(f"a. 60 IN A 1.2.3.4\n{line}\n")
    with pytest.raises(MalformedFileError, match=rf"bad\.zone, {message}"):
        list(read_zone(path))


def test_updates_are_read_block_by_block(tmp_path: Path) -> None:
    path = tmp_path / "updates.txt.xz"
    text = f"@ one\n- b. 5 IN A 1.2.3.4\n+ a. 6 IN A 1.1.1.1\n+ b. 7 IN A 1.2.3.5\n@ two\n- c. 5 IN RRSIG {SIGNATURE}\n"
    path.write_bytes(lzma.compress(text.encode()))
    first, second = read_updates(path)
    assert (first.time, first.line, second.time, second.line) == ("one", 1, "two", 5)
    assert first.sections() == [
        (b"b.", [Change(REMOVE, 1, 0, b"\1\2\3\4"), Change(ADD, 1, 7, b"\1\2\3\5")]),
        (b"a.", [Change(ADD, 1, 6, b"\1\1\1\1")]),
    ]
    assert second.sections()[0][1][0].data == pack_data(46, SIGNATURE)[:-4]


def test_a_line_that_a_broken_download_cut_off_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "updates.txt"
    path.write_text("@ one\n+ b. 5 IN A 1.2.3.4\n+ a. 86400\n")
    (update,) = read_updates(path)
    assert update.cut_off == [3]
    assert [name for name, _ in update.sections()] == [b"b."]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("+ a. 5 IN A 1.2.3.4\n", "line 1: expected '@ time', found"),
        ("@ one\n* a. 5 IN A 1.2.3.4\n", "line 2: expected '@ time', '- record' or '\\+ record', found '\\* a"),
        ("@ one\n\n", "line 2: expected '@ time', '- record'"),
        ("@ one\n+ a. 5 IN A\n", "line 2: expected 'name ttl IN type data', found 'a. 5 IN A'"),
    ],
)
def test_a_malformed_line_of_a_stream_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(MalformedFileError, match=rf"bad\.txt, {message}"):
        list(read_updates(path))


def test_input_is_a_zone_or_its_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"root\.zone: expected a zone file"):
        find_input(tmp_path)
    zone = tmp_path / "root.zone"
    zone.touch()
    assert find_input(tmp_path) == find_input(zone)
    assert find_input(zone).updates is None
    (tmp_path / "updates.txt.xz").touch()
    assert find_input(zone).updates == tmp_path / "updates.txt.xz"


def test_the_real_zone_is_written_back_as_it_was() -> None:
    path = DATA / "root.zone"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    lines = path.read_text().splitlines()
    records = list(read_zone(path))
    assert len(records) == len(lines) == 22_242
    for line, (name, record) in zip(lines, records, strict=True):
        owner, ttl, _, kind, data = line.split(None, 4)
        assert (owner.encode(), int(ttl), kind_number(kind)) == (name, record.ttl, record.kind)
        assert data_text(record.kind, record.data) == data.strip()
