"""One line of an extraction as a row: a tuple of texts whose attributes are the columns that the file has."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final, overload

from ror_sante.api.annuaire.columns import SEPARATOR, BrokenExtractionError, Header

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self


class Column:
    """An attribute of a typed row: the text of a column, or an empty text when the file has no such column.

    Args:
        *names: what the column may be called, now or in earlier files.
    """

    def __init__(self, *names: str) -> None:
        self.names = names

    @overload
    def __get__(self, row: None, kind: type[Row]) -> Self: ...
    @overload
    def __get__(self, row: Row, kind: type[Row]) -> str: ...
    def __get__(self, row: Row | None, kind: type[Row]) -> Self | str:
        """Give the text; the class that a file makes (`row_class`) has quicker attributes in this place."""
        return self if row is None else row.get(*self.names)


class Row(tuple[str, ...]):
    """One row: the texts of its cells, in the order of the header.

    Every value is text, so that no leading zero is lost; an empty cell is an empty text. Its ``repr`` shows nothing of
    what it holds: rows are personal data.

    Attributes:
        header: the columns of the file.
    """

    __slots__ = ()

    header: ClassVar[Header]

    def get(self, *names: str, default: str = "") -> str:
        """Give the text of a column.

        Args:
            *names: what it may be called, whatever the accents, the case and the punctuation.
            default: for a file that has no such column.
        """
        place = self.header.place(*names)
        return default if place < 0 else self[place]

    def as_dict(self) -> dict[str, str]:
        """Give the row as a dict by header."""
        return dict(zip(self.header.names, self, strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the columns: the class of a file is made when the file is read."""
        return _rebuild, (SEPARATOR.join(self.header.names), tuple(self))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} columns>"


class _PersonRow(Row):
    """A row that says whom it is about."""

    __slots__ = ()

    id_type = Column("Type d'identifiant PP", "Type Identifiant PP")
    local_id = Column("Identifiant PP")
    national_id = Column("Identification nationale PP")
    last_name = Column("Nom d'exercice", "Nom")
    first_name = Column("Prénom d'exercice", "Prénom")
    profession_code = Column("Code profession")
    profession = Column("Libellé profession")
    skill_code = Column("Code savoir-faire")
    skill = Column("Libellé savoir-faire")

    @property
    def rpps(self) -> str:
        """The RPPS number, 11 digits; empty for a person who has none (type of identifier other than 8)."""
        return self.local_id if self.id_type == _RPPS else ""

    @property
    def first_names(self) -> tuple[str, ...]:
        """The first names one by one: the file separates them by apostrophes and pads them."""
        return tuple(name for part in self.first_name.split("'") if (name := part.strip()))


class PersonActivity(_PersonRow):
    """One activity of a health professional: a row of ``..._Personne_activite_...``.

    A person who works at two places has two rows; `national_id` is the key that joins them.
    """

    __slots__ = ()

    practice_title_code = Column("Code civilité d'exercice")
    practice_title = Column("Libellé civilité d'exercice")
    title_code = Column("Code civilité")
    title = Column("Libellé civilité")
    category_code = Column("Code catégorie professionnelle")
    category = Column("Libellé catégorie professionnelle")
    skill_type_code = Column("Code type savoir-faire")
    skill_type = Column("Libellé type savoir-faire")
    practice_mode_code = Column("Code mode exercice")
    practice_mode = Column("Libellé mode exercice")
    siret = Column("Numéro SIRET site")
    siren = Column("Numéro SIREN site")
    finess = Column("Numéro FINESS site")
    legal_finess = Column("Numéro FINESS établissement juridique")
    structure_id = Column("Identifiant technique de la structure")
    structure_name = Column("Raison sociale site")
    trade_name = Column("Enseigne commerciale site")
    addressee = Column("Complément destinataire")
    place_detail = Column("Complément point géographique")
    street_number = Column("Numéro Voie")
    street_suffix = Column("Indice répétition voie")
    street_type_code = Column("Code type de voie")
    street_type = Column("Libellé type de voie")
    street = Column("Libellé Voie")
    distribution = Column("Mention distribution")
    cedex = Column("Bureau cedex")
    postal_code = Column("Code postal")
    commune_code = Column("Code commune")
    commune = Column("Libellé commune")
    country_code = Column("Code pays")
    country = Column("Libellé pays")
    phone = Column("Téléphone (coord. structure)", "Téléphone")
    phone_2 = Column("Téléphone 2")
    fax = Column("Télécopie")
    email = Column("Adresse e-mail")
    department_code = Column("Code Département (structure)", "Code département")
    department = Column("Libellé Département (structure)", "Libellé département")
    former_structure_id = Column("Ancien identifiant de la structure")
    registration_authority = Column("Autorité d'enregistrement")
    sector_code = Column("Code secteur d'activité")
    sector = Column("Libellé secteur d'activité")
    pharmacist_section_code = Column("Code section tableau pharmaciens")
    pharmacist_section = Column("Libellé section tableau pharmaciens")
    role_code = Column("Code rôle")
    role = Column("Libellé rôle")
    activity_kind_code = Column("Code genre activité", "Code genre d'activité")
    activity_kind = Column("Libellé genre activité", "Libellé genre d'activité")


class Mailbox(_PersonRow):
    """One MSSanté mailbox: a row of ``Extraction_Correspondance_MSSante_...``.

    A mailbox may stand on several rows, and one of an organisation names no person.
    """

    __slots__ = ()

    kind = Column("Type de BAL")
    address = Column("Adresse BAL")
    structure_id_type = Column("Type identifiant structure")
    structure_id = Column("Identification Structure")
    service = Column("Service de rattachement")
    practice_title = Column("Civilité d'exercice", "Civilité Exercice")
    category_code = Column("Catégorie professionnelle", "Catégorie profession", "Code catégorie professionnelle")
    category = Column("Libellé catégorie professionnelle", "Libellé catégorie profession")
    structure_name = Column("Raison Sociale")
    trade_name = Column("Enseigne Commerciale", "Enseigne")
    postal_code = Column("Code postal")
    department = Column("Département")
    country = Column("Pays")
    _paperless = Column("Dématérialisation")

    @property
    def paperless(self) -> bool | None:
        """Whether its holder takes messages in place of paper; None when the file does not say."""
        return {"O": True, "N": False}.get(self._paperless.strip().upper()[:1])

    @property
    def is_personal(self) -> bool:
        """Whether it belongs to one person (``PER``)."""
        return self.kind == "PER"


_RPPS: Final = "8"


def row_class(header: Header) -> type[Row]:
    """Make the class of a file's rows: its attributes are found once a file, and read as quickly as any tuple's."""
    kind = _kind_of(header)
    attributes: dict[str, Any] = {"__slots__": (), "__doc__": kind.__doc__, "header": header}
    for name, column in _columns(kind):
        place = header.place(*column.names)
        attributes[name] = "" if place < 0 else property(itemgetter(place))
    return type(kind.__name__, (kind,), attributes)


def _columns(kind: type[Row]) -> Iterator[tuple[str, Column]]:
    for parent in kind.__mro__:
        yield from ((name, value) for name, value in vars(parent).items() if isinstance(value, Column))


def _rebuild(header: str, cells: tuple[str, ...]) -> Row:
    return row_class(Header(header))(cells)


def _kind_of(header: Header) -> type[Row]:
    """Tell the class of a file's rows by its columns; `Row` for the files that have no class of their own."""
    if header.place("Adresse BAL") >= 0 and header.place("Type de BAL") >= 0:
        return Mailbox
    if header.place("Identification nationale PP") >= 0 and header.place("Code mode exercice") >= 0:
        return PersonActivity
    return Row


def cells_of(line: str, columns: int) -> list[str]:
    """Cut a line at its separators; there is no quoting.

    Args:
        line: without its end of line.
        columns: how many columns the header names. A line may have one separator more than that needs, at its end.

    Raises:
        BrokenExtractionError: the line has another number of cells.
    """
    cells = line.split(SEPARATOR)
    if len(cells) == columns + 1 and not cells[-1]:
        del cells[-1]
    if len(cells) != columns:
        raise BrokenExtractionError(f"a row has {len(cells)} cells, and the header names {columns} columns")
    return cells


def key_of(header: Header) -> int:
    """Find the column that names the person.

    Raises:
        BrokenExtractionError: the file has none.
    """
    place = header.place("Identification nationale PP")
    if place < 0:
        raise BrokenExtractionError("the file has no column 'Identification nationale PP' to group by")
    return place
