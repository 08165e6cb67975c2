"""Long answers in which every value is text: read and validated as a whole, in half the time of row by row.

The rows are always the ones that the `Shape` would have read. Pure; mentions no exchange.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import msgspec

from feeds.exchange.shapes import Shape, list_at, read
from feeds.exchange.venue import Row


class Table(Sequence[Row]):
    """Decoded rows of the same fields; each becomes a `Row` only on access.

    Attributes:
        fields: our names for their values, in order.
        sent: a struct for each row, with these fields and `wire`.
        texts: the same as tuples, the wire name last; they compare and validate much faster than rows.
    """

    def __init__(self, fields: Sequence[str], sent: Sequence[msgspec.Struct]) -> None:
        self.fields = tuple(fields)
        self.sent = sent
        self.texts: list[tuple[str, ...]] = list(map(msgspec.structs.astuple, sent))

    def __len__(self) -> int:
        return len(self.sent)

    @overload
    def __getitem__(self, i: int) -> Row: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[Row]: ...
    def __getitem__(self, i: int | slice) -> Row | Sequence[Row]:
        if isinstance(i, slice):
            return [self[j] for j in range(len(self))[i]]
        values = msgspec.structs.asdict(self.sent[i])
        return Row(values.pop("wire"), values)


class Bulk:
    """Reads lists of rows of one shape, which has a `change_pct`, but no `time`, `seq` or `optional` fields.

    If a value in any row is absent or not text, the shape itself reads the answer, row by row.
    """

    def __init__(self, shape: Shape) -> None:
        assert shape.wire, "the rows of a long answer must name their instruments"
        assert "change_pct" in shape.fields, "computing it would take the row before"
        assert not any((shape.time, shape.optional, shape.seq)), "such a shape is read row by row"
        self._shape = shape
        names = {**shape.fields, "wire": shape.wire}
        fields = [(ours, str, msgspec.field(name=theirs)) for ours, theirs in names.items()]
        self._decoder = msgspec.json.Decoder(list[msgspec.defstruct("Sent", fields, gc=False)])  # type: ignore[misc]

    def rows(self, body: bytes) -> Sequence[Row]:
        """The rows of a body that is a list; raises ValueError for any other body."""
        try:
            table = Table(tuple(self._shape.fields), self._decoder.decode(body.decode()))
        except (msgspec.DecodeError, RecursionError):
            return self._shape.rows(list_at(read(body)))
        if any(not texts[-1] for texts in table.texts):
            return self._shape.rows(list_at(read(body)))
        return table
