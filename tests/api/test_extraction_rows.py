"""Rows of extractions: columns by name, cells as text, classes that fit the file, nothing shown by accident."""

from __future__ import annotations

import pickle

import pytest

from ror_sante.api.annuaire.columns import BrokenExtractionError, Header, normal
from ror_sante.api.annuaire.rows import Mailbox, PersonActivity, Row, cells_of, row_class
from ror_sante.simulator.extraction_data import ACTIVITY_HEADER, MAILBOX_HEADER


def activity(header: str = ACTIVITY_HEADER, **values: str) -> Row:
    """Make a row whose cells are given by the plain name of their column."""
    columns = Header(header)
    cells = [values.get(normal(name).replace(" ", "_"), "") for name in columns.names]
    return row_class(columns)(cells)


@pytest.mark.parametrize(
    ("spelling", "place"),
    [
        ("Code département (structure)", 44),
        ("code DEPARTEMENT structure", 44),
        ("Numéro SIRET site", 19),
        ("numero siret", 19),
        ("Code postal", 35),
        ("Code", -1),
        ("No such column", -1),
    ],
)
def test_a_column_is_found_without_accents_and_case(spelling: str, place: int) -> None:
    """Punctuation does not count either, and a start counts when no other column has it."""
    assert Header(ACTIVITY_HEADER).place(spelling) == place


@pytest.mark.parametrize(("end", "count"), [("", 3), ("|", 3), ("||", 3)])
def test_the_empty_column_at_the_end_is_none(end: str, count: int) -> None:
    """Whether the header ends with a separator or not, there are as many columns as names."""
    assert len(Header(f"a|b|c{end}").names) == count


@pytest.mark.parametrize("line", ["", "alone", "|", "a||c", "<html>", "a|A", "Prénom|prenom"])
def test_a_first_line_that_names_no_columns_is_refused(line: str) -> None:
    """One column, an empty name in the middle, or two columns of one name are none."""
    with pytest.raises(BrokenExtractionError):
        Header(line)
    assert repr(Header("a|b")) == "<Header 2 columns>"


def test_the_class_follows_from_the_columns() -> None:
    """Activities, mailboxes, and anything else."""
    assert isinstance(activity(), PersonActivity)
    assert isinstance(row_class(Header(MAILBOX_HEADER))([""] * 31), Mailbox)
    assert type(row_class(Header("a|b"))(["1", "2"])).__mro__[1] is Row


def test_typed_attributes_are_texts() -> None:
    """Leading zeros stay; the RPPS is there for its type alone; first names are taken apart."""
    row = activity(
        type_d_identifiant_pp="8",
        identifiant_pp="09900000037",
        identification_nationale_pp="809900000037",
        prenom_d_exercice="Brigitte'Marie Pierre' ",
        code_postal_coord_structure="01000",
        numero_voie_coord_structure='12 "bis"',
    )
    assert isinstance(row, PersonActivity)
    assert (row.rpps, row.national_id, row.postal_code) == ("09900000037", "809900000037", "01000")
    assert row.first_names == ("Brigitte", "Marie Pierre")
    assert row.street_number == '12 "bis"'
    adeli = activity(type_d_identifiant_pp="0", identifiant_pp="990000003")
    assert isinstance(adeli, PersonActivity)
    assert (adeli.rpps, adeli.local_id) == ("", "990000003")


def test_a_column_that_has_gone_is_empty() -> None:
    """An older file lacks columns, and has others elsewhere: the attributes are the same."""
    row = activity("Code mode exercice|Identification nationale PP", identification_nationale_pp="8123")
    assert isinstance(row, PersonActivity)
    assert (row.national_id, row.email, row.activity_kind) == ("8123", "", "")


def test_a_mailbox_tells_what_it_is() -> None:
    """PER is a person's; paperless is yes, no, or not told."""
    header = Header(MAILBOX_HEADER)
    place = header.place("Dématérialisation")

    def box(kind: str, paperless: str) -> Mailbox:
        cells = [""] * 31
        cells[0], cells[place] = kind, paperless
        row = row_class(header)(cells)
        assert isinstance(row, Mailbox)
        return row

    assert [box("PER", "O").is_personal, box("ORG", "O").is_personal] == [True, False]
    assert [box("PER", word).paperless for word in ("O", "N", "")] == [True, False, None]


def test_a_row_is_a_tuple_and_gives_a_dict() -> None:
    """By place, by any spelling of a name, or by the header."""
    row = row_class(Header("Nom|Âge|"))(["NOËL", "042"])
    assert row == ("NOËL", "042")
    assert row.get("age") == "042"
    assert row.get("nothing", default="?") == "?"
    assert row.as_dict() == {"Nom": "NOËL", "Âge": "042"}


def test_a_row_shows_nothing_of_what_it_holds() -> None:
    """Rows are personal data: neither repr nor str nor a log line gives a cell away."""
    row = activity(nom_d_exercice="SECRET")
    assert "SECRET" not in f"{row!r} {row} %s" % row.__class__
    assert "56 columns" in repr(row)


def test_a_row_can_be_pickled() -> None:
    """The class of a file is made again from its columns."""
    row = activity(nom_d_exercice="NOËL")
    again = pickle.loads(pickle.dumps(row))
    assert again == row
    assert isinstance(again, PersonActivity)
    assert again.last_name == "NOËL"


def test_the_class_itself_names_its_columns() -> None:
    """Without a file an attribute is the description of its column, and a row of it asks the header."""

    class Small(PersonActivity):
        __slots__ = ()
        header = Header("Nom d'exercice|x")

    assert PersonActivity.last_name.names == ("Nom d'exercice", "Nom")
    assert Small(["NOËL", ""]).last_name == "NOËL"


@pytest.mark.parametrize(("line", "cells"), [("a|b", ["a", "b"]), ("a|b|", ["a", "b"]), ("|", ["", ""])])
def test_a_line_is_cut_at_its_separators(line: str, cells: list[str]) -> None:
    """There is no quoting; one separator more at the end is nothing."""
    assert cells_of(line, 2) == cells


@pytest.mark.parametrize("line", ["ZZ", "ZZ|b|c", "ZZ|b||"])
def test_a_line_that_does_not_fit_is_refused(line: str) -> None:
    """The message counts the cells, and says nothing of what stands in them."""
    with pytest.raises(BrokenExtractionError, match="2 columns") as caught:
        cells_of(line, 2)
    assert "ZZ" not in caught.value.message
