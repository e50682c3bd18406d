"""What the type of a caught exception says about how much is lost with it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache

from audits.silent.words import all_words, group, words


class Kind(IntEnum):
    """From what is expected to what may be anything: the greatest of several types counts."""

    IMPORT = 0
    ENDING = 1
    """A peer gone, a queue empty, a generator done, a cancellation."""
    ABSENCE = 2
    """What was looked for is not there."""
    SIGNAL = 3
    """An exception of the project's own, for one named case."""
    SHAPE = 4
    """A value that cannot be read as what it ought to be."""
    OUTSIDE = 5
    """Disk, network, database, another process."""
    EVERYTHING = 6


_KNOWN = {
    **dict.fromkeys(("ImportError", "ModuleNotFoundError", "PackageNotFoundError"), Kind.IMPORT),
    **dict.fromkeys(
        ("StopIteration", "StopAsyncIteration", "GeneratorExit", "KeyboardInterrupt", "SystemExit",
         "CancelledError", "Cancelled", "Empty", "Full", "QueueEmpty", "QueueFull", "QueueShutDown",
         "ShutDown", "EOFError", "BrokenPipeError", "ConnectionResetError",
         "ConnectionAbortedError", "ClientDisconnect", "WebSocketDisconnect", "EndOfStream",
         "ClosedResourceError", "BrokenResourceError", "WouldBlock", "BlockingIOError",
         "InterruptedError", "IncompleteReadError", "InvalidStateError", "SSLEOFError",
         "SSLWantReadError", "SSLWantWriteError", "BusyResourceError"), Kind.ENDING,
    ),
    **dict.fromkeys(
        ("KeyError", "IndexError", "LookupError", "AttributeError", "NameError",
         "UnboundLocalError", "FileNotFoundError", "FileExistsError", "NotADirectoryError",
         "IsADirectoryError", "ProcessLookupError", "ChildProcessError", "NotImplementedError",
         "NoResultFound", "AccessDenied", "ZombieProcess", "UnsupportedOperation",
         "NoOptionError", "NoSectionError", "DoesNotExist"), Kind.ABSENCE,
    ),
    **dict.fromkeys(
        ("ValueError", "TypeError", "JSONDecodeError", "ValidationError", "UnicodeDecodeError",
         "UnicodeEncodeError", "UnicodeError", "SyntaxError", "ArithmeticError", "OverflowError",
         "ZeroDivisionError", "InvalidOperation", "ParserError", "ParseError", "YAMLError",
         "TOMLDecodeError", "InvalidURL", "DecodeError", "BadZipFile"), Kind.SHAPE,
    ),
    **dict.fromkeys(
        ("OSError", "IOError", "EnvironmentError", "PermissionError", "ConnectionError",
         "ConnectionRefusedError", "TimeoutError", "HTTPError", "HTTPStatusError", "RequestError",
         "RequestException", "ClientError", "TransportError", "SQLAlchemyError", "DatabaseError",
         "OperationalError", "IntegrityError", "InterfaceError", "ProgrammingError", "RedisError",
         "PsycopgError", "PostgresError", "PyMongoError", "SubprocessError", "CalledProcessError",
         "TimeoutExpired", "SSLError", "URLError", "SMTPException", "BotoCoreError", "APIError",
         "gaierror", "MemoryError", "RuntimeError", "Error"), Kind.OUTSIDE,
    ),
    **dict.fromkeys(
        ("Exception", "BaseException", "StandardError", "ExceptionGroup", "BaseExceptionGroup",
         "AssertionError"), Kind.EVERYTHING,
    ),
}  # fmt: skip
_ENDING = group("closed disconnect disconnected gone cancelled canceled stop stopped exit abort "
                "aborted interrupt empty eof done shutdown reset end")  # fmt: skip
_ABSENCE = group("missing unknown found such exists exist duplicate unavailable unsupported "
                 "supported implemented configured populated registered mapped "
                 "already")  # fmt: skip
_SHAPE = group("value parse parsing parser decode decoding encode encoding format validation "
               "validate invalid malformed syntax conversion type schema unicode")  # fmt: skip
_ANY = group("error errors exception exceptions base operation runtime failure failed")
_OUTSIDE = group("http request connection connect timeout network database db sql redis storage "
                 "io os api service transport client server remote rpc ssl socket backend "
                 "operational provider auth error")  # fmt: skip


@lru_cache(maxsize=4096)
def kind_of(name: str) -> Kind:
    """The kind of one type by its dotted name, by its words where nobody knows it."""
    last = name.rpartition(".")[2]
    if last == "TimeoutError" and name.startswith(("asyncio", "concurrent", "anyio")):
        return Kind.ENDING
    if last == "Error" and name.startswith("binascii"):
        return Kind.SHAPE
    if last == "AuthError" or last in _KNOWN:
        return _KNOWN.get(last, Kind.OUTSIDE)
    said = words(last)
    for meant, kind in ((_ABSENCE, Kind.ABSENCE), (_ENDING, Kind.ENDING), (_SHAPE, Kind.SHAPE)):
        if said & meant:
            return kind
    if said & (_OUTSIDE - {"error"}) or _is_base(name, said):
        return Kind.OUTSIDE
    return Kind.SIGNAL


def _is_base(name: str, said: frozenset[str]) -> bool:
    """`acoustid.AcoustidError`: whatever goes wrong in a library, by the library's own name."""
    stem = said - _ANY
    return stem <= all_words(name.rpartition(".")[0]) if stem else True


def kind_of_all(types: Iterable[str]) -> Kind:
    """The gravest kind; a bare `except` names none and catches everything."""
    kinds = [kind_of(each) for each in types]
    return max(kinds, default=Kind.EVERYTHING)
