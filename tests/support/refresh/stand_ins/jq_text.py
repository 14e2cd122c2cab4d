"""JSON as jq 1.6 reads and prints it, which is not quite JSON (jv_parse.c, jv_print.c)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

BOM = b"\xef\xbb\xbf"
DEEPEST = 256
DIGITS = b"0123456789"
HEX_DIGITS = b"0123456789abcdefABCDEF"
ESCAPES = {b"b": b"\b", b"f": b"\f", b"t": b"\t", b"n": b"\n", b"r": b"\r",
           b'"': b'"', b"\\": b"\\", b"/": b"/"}  # fmt: skip
LITERALS = {b"t": (b"true", True), b"f": (b"false", False), b"n": (b"null", None)}
# Characters that cannot be copied unchanged: the backslash and control characters.
SPECIAL = b"\\" + bytes(range(0x20))
INFINITIES = (b"inf", b"infinity")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()
LARGEST = b"1.7976931348623157e+308"
NOTHING = object()


class ParseError(Exception):
    """jq's message for invalid input."""


class Parser:
    """Reads a file's documents in sequence. `documents` raises ParseError at an invalid one.

    Texts are bytes, and every number is a float, as in jq.
    """

    def __init__(self, data: bytes) -> None:
        self._data = _as_read(data)
        self._stack: list[Any] = []
        self._next: Any = NOTHING
        self._token = b""

    def documents(self) -> Iterator[Any]:
        """Yields each document as soon as it is complete."""
        data, position = self._data, 0
        while position < len(data):
            byte = data[position]
            position += 1
            if byte == ord('"'):
                self._literal()
                yield from self._done()
                position = self._string(position)
            elif byte in b" \t\r\n[{:,]}":
                self._literal()
                yield from self._done()
                if byte in b"[{:,]}":
                    self._structure(chr(byte))
            else:
                self._token += bytes([byte])
            yield from self._done()
        self._literal()
        if self._stack:
            raise ParseError("Unfinished JSON term")
        yield from self._done()

    def _done(self) -> Iterator[Any]:
        if not self._stack and self._next is not NOTHING:
            value, self._next = self._next, NOTHING
            yield value

    def _value(self, value: Any) -> None:
        if self._next is not NOTHING:
            raise ParseError("Expected separator between values")
        self._next = value

    def _literal(self) -> None:
        token, self._token = self._token, b""
        if not token:
            return
        name, value = LITERALS.get(token[:1], (b"", NOTHING))
        if not name:
            self._value(_number(token.partition(b"\0")[0]))
        elif token == name:
            self._value(value)
        else:
            raise ParseError("Invalid literal")

    def _string(self, start: int) -> int:
        """Reads the string whose text starts at `start`. Returns the position after it."""
        data, end = self._data, start
        while end < len(data) and data[end] != ord('"'):
            end += 2 if data[end] == ord("\\") else 1
        if end >= len(data):
            raise ParseError("Unfinished string")
        self._value(_unescaped(data[start:end]))
        return end + 1

    def _structure(self, sign: str) -> None:
        stack, top = self._stack, self._stack[-1] if self._stack else None
        if sign in "[{":
            if len(stack) >= DEEPEST:
                raise ParseError("Exceeds depth limit for parsing")
            if self._next is not NOTHING:
                raise ParseError("Expected separator between values")
            stack.append([] if sign == "[" else {})
        elif sign == ":":
            if not isinstance(top, dict) or not isinstance(self._next, bytes):
                raise ParseError("':' not after a key of an object")
            stack.append(self._next)
            self._next = NOTHING
        elif sign == ",":
            self._put()
        else:
            self._close(list if sign == "]" else dict)

    def _put(self) -> None:
        """Puts the current value into the open array or object."""
        if self._next is NOTHING:
            raise ParseError("Expected value")
        value, self._next = self._next, NOTHING
        top = self._stack[-1] if self._stack else None
        if isinstance(top, list):
            top.append(value)
        elif isinstance(top, bytes):
            self._stack.pop()
            self._stack[-1][top] = value
        else:
            raise ParseError("Objects must consist of key:value pairs")

    def _close(self, kind: type) -> None:
        top = self._stack[-1] if self._stack else None
        if self._next is not NOTHING and isinstance(top, list if kind is list else bytes):
            self._put()
        elif self._next is not NOTHING or not isinstance(top, kind) or top:
            raise ParseError("Unmatched bracket, or a value is missing before it")
        self._next = self._stack.pop()


def floor(value: float) -> float:
    """Returns the largest whole number that is not above `value`. -0 stays -0."""
    if value != value or abs(value) >= 2**53:  # noqa: PLR0124 - NaN, without math
        return value
    whole = float(int(value))
    if whole == value:
        return value
    return whole if whole < value else whole - 1


def compact(value: Any) -> bytes:
    """Returns a value as `jq -c` prints it."""
    if isinstance(value, bytes):
        return b'"' + b"".join(_printed(byte) for byte in value) + b'"'
    if isinstance(value, list):
        return b"[" + b",".join(map(compact, value)) + b"]"
    if isinstance(value, dict):
        pairs = (compact(key) + b":" + compact(item) for key, item in value.items())
        return b"{" + b",".join(pairs) + b"}"
    if isinstance(value, float):
        return _printed_number(value)
    return {True: b"true", False: b"false", None: b"null"}[value]


def _as_read(data: bytes) -> bytes:
    """Returns the input of jq's parser: no BOM, and the last line only up to its first NUL."""
    lines, newline, last = data.rpartition(b"\n")
    data = lines + newline + last.partition(b"\0")[0]
    if data[:1] == BOM[:1]:
        if not BOM.startswith(data[:3]):
            raise ParseError("Malformed BOM")
        return data[3:]
    return data


def _number(token: bytes) -> float:
    """Returns strtod's number for the whole token. An empty token is 0."""
    token = token.lstrip(b"\v\f") or token
    text = token[1:] if token[:1] in (b"+", b"-") else token
    if text.lower() in INFINITIES or text.lower() == b"nan" or not token:
        return float(token or b"0")
    mantissa, _, exponent = text.lower().partition(b"e")
    whole, _, fraction = mantissa.partition(b".")
    digits = exponent[1:] if exponent[:1] in (b"+", b"-") else exponent
    is_exponent = digits.isdigit() if b"e" in text.lower() else True
    if not is_exponent or not (whole + fraction).isdigit():
        raise ParseError("Invalid numeric literal")
    return float(token)


def _unescaped(text: bytes) -> bytes:
    if text.isascii() and text.translate(None, SPECIAL) == text:
        return text  # the loop below takes seconds for a large text
    result, position = b"", 0
    while position < len(text):
        byte = text[position : position + 1]
        position += 1
        if byte != b"\\":
            if b"\0" < byte < b"\x1f":
                raise ParseError("Invalid string: control characters must be escaped")
            result += byte
            continue
        byte = text[position : position + 1]
        position += 1
        if byte == b"u":
            code, position = _code_point(text, position)
            result += chr(code).encode("utf-8", "surrogatepass")
        elif byte in ESCAPES:
            result += ESCAPES[byte]
        else:
            raise ParseError("Invalid escape")
    return _repaired(result)


def _code_point(text: bytes, position: int) -> tuple[int, int]:
    """Returns the code point of the escape whose digits start at `position`, and its end."""
    code = _hex4(text[position : position + 4])
    position += 4
    if not 0xD800 <= code <= 0xDBFF:
        return code, position
    if text[position : position + 2] != b"\\u":
        raise ParseError("Invalid \\uXXXX\\uXXXX surrogate pair escape")
    low = _hex4(text[position + 2 : position + 6])
    if not 0xDC00 <= low <= 0xDFFF:
        raise ParseError("Invalid \\uXXXX\\uXXXX surrogate pair escape")
    return 0x10000 + ((code - 0xD800) << 10 | (low - 0xDC00)), position + 6


def _hex4(digits: bytes) -> int:
    if len(digits) < 4 or any(digit not in HEX_DIGITS for digit in digits):
        raise ParseError("Invalid \\uXXXX escape")
    return int(digits, 16)


def _repaired(text: bytes) -> bytes:
    """Returns `text` with U+FFFD for each invalid UTF-8 sequence, split as in jq (jv_unicode.c)."""
    result, position = b"", 0
    while position < len(text):
        first = text[position]
        length = 1 if first < 0x80 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
        if 0x80 <= first < 0xC2 or first > 0xF4:
            length = 1
        sequence = text[position : position + length]
        # A sequence truncated by the end of the text takes the rest; one that another byte ends
        # does not.
        if len(sequence) == length:
            for index in range(1, length):
                if not 0x80 <= sequence[index] < 0xC0:
                    sequence = sequence[:index]
                    break
        position += len(sequence)
        try:
            result += sequence.decode().encode() if len(sequence) == length else REPLACEMENT
        except UnicodeDecodeError:
            result += REPLACEMENT
    return result


def _printed(byte: int) -> bytes:
    for escape, code in ESCAPES.items():
        if byte == code[0] and byte != ord("/"):
            return b"\\" + escape
    return b"\\u%04x" % byte if byte < 0x20 or byte == 0x7F else bytes([byte])


def _printed_number(value: float) -> bytes:
    if value != value:  # noqa: PLR0124 - NaN, without math
        return b"null"
    sign = b"-" if str(value).startswith("-") else b""
    if abs(value) == float("inf"):
        return sign + LARGEST
    # repr prints the shortest digits that round-trip, as jq does. Only their layout differs.
    mantissa, _, exponent = repr(abs(value)).encode().partition(b"e")
    whole, _, fraction = mantissa.partition(b".")
    all_digits = (whole + fraction).lstrip(b"0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(all_digits))
    digits = all_digits.rstrip(b"0") or b"0"
    if not value:
        return sign + b"0"
    if point <= -4 or point > len(digits) + 15:
        dot = b"." if len(digits) > 1 else b""
        return sign + digits[:1] + dot + digits[1:] + b"e%+03d" % (point - 1)
    if point <= 0:
        return sign + b"0." + b"0" * -point + digits
    if point >= len(digits):
        return sign + digits + b"0" * (point - len(digits))
    return sign + digits[:point] + b"." + digits[point:]
