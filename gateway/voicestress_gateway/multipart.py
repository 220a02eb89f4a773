"""The recording in a multipart form, found while the form comes in."""

from __future__ import annotations

from collections.abc import Callable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from voicestress_gateway.problems import MALFORMED, Problem

FIELD = "file"
# A browser sends two or three headers with a part; a form of nothing but parts would keep the parser busy.
_MOST_PARTS = 100


class RecordingInForm:
    """Feeds the bytes of the form's first part named ``file`` to ``take``, and drops everything else.

    Args:
        boundary: of the form, from its content type.
        take: is given the recording, piece by piece.

    Raises:
        Problem: no form has such a boundary.
    """

    def __init__(self, boundary: bytes, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._parts = 0
        self._field, self._value = b"", b""
        self._disposition = b""
        self._is_ours = False
        self._ended = False
        self.found = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._take_field,
                    "on_header_value": self._take_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._take_data,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise Problem(MALFORMED, "the multipart form's boundary can't be used") from error

    def push(self, chunk: bytes) -> None:
        """The next bytes of the form.

        Raises:
            Problem: it is no such form.
        """
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise Problem(MALFORMED, "the multipart form can't be read; send it as browsers do") from error

    def finish(self) -> None:
        """The form is there.

        Raises:
            Problem: it is not whole.
        """
        if not self._ended:
            raise Problem(MALFORMED, "the multipart form ends before its last boundary; send it again")

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise Problem(MALFORMED, f"the multipart form has more than {_MOST_PARTS} parts; send one named `file`")
        self._disposition = b""

    def _take_field(self, chunk: bytes, start: int, end: int) -> None:
        self._field += chunk[start:end]

    def _take_value(self, chunk: bytes, start: int, end: int) -> None:
        self._value += chunk[start:end]

    def _end_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field, self._value = b"", b""

    def _end_headers(self) -> None:
        name = parse_options_header(self._disposition)[1].get(b"name")
        self._is_ours = name == FIELD.encode() and not self.found
        self.found |= self._is_ours

    def _take_data(self, chunk: bytes, start: int, end: int) -> None:
        if self._is_ours:
            self._take(chunk[start:end])

    def _end_part(self) -> None:
        self._is_ours = False

    def _end(self) -> None:
        self._ended = True
