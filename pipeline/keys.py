"""Which records speak of the same call, which of them counts, and which session owns it.

Decides *same call?* for the whole program. An identity is 128 bits over content that the agent or the provider wrote: never a path,
a line number or an offset. A record claims some identities and merely offers others. Two records are the same call when they share
an identity that at least one of them claims, or when a chain of such records joins them.

The claim/offer distinction is what keeps two real calls apart that share half of their names: a reply known by (message, request)
offers its message id, so a record that knows nothing but the message id finds it, while two replies with one message id and two
request ids stay two.

An identity's first 8 bytes are its *handle*. Identities that always travel together share one, so that the journal finds all of them
under a single entry: whoever knows a reply's (message, request) pair or its prompt also knows its message. A handle followed by zeros is
its *bare* identity; where it is ever claimed, every record that names another identity under the handle offers it.
"""

from datetime import date, datetime

from pipeline.digests import blake2b
from pipeline.events import Tokens

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_TIME_BITS = 52
_TIME_MAX = (1 << _TIME_BITS) - 1
_DIGEST_BITS = 34
_COMPLETE = 1 << (127 - _DIGEST_BITS)
_BARE = bytes(7)
_WHOLE = _BARE + b"\1"
_PART = _BARE + b"\0"
# A large import makes millions of digests; going on from a digest that has taken the kind in is twice as fast as starting one.
_MESSAGE, _PROMPT, _REQUEST, _CALL = (
    blake2b(b"anthropic.%b\x1f" % kind, digest_size=16) for kind in (b"message", b"prompt", b"request", b"call")
)
_FACTS = blake2b(digest_size=5)


def identity(kind: str, *parts: str | int | None) -> bytes:
    """16 bytes that name one call within `kind`, a name space such as `anthropic.message`; parts are what the provider or agent wrote."""
    text = "\x1f".join([kind, *("\x00" if part is None else str(part) for part in parts)])
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def microseconds(at: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z of an aware UTC or a naive-as-UTC time."""
    days = at.toordinal() - _EPOCH_ORDINAL
    return ((days * 24 + at.hour) * 60 + at.minute) * 60_000_000 + at.second * 1_000_000 + at.microsecond


def rank(*, complete: bool, output: int, at_us: int, facts: str, earliest: bool = False) -> bytes:
    """16 bytes that order the records of one call by what they say; the greatest is the record that counts.

    Complete before partial, then the larger output, then the later time (the earlier one with `earliest`: logs whose copies are stamped
    anew), then a digest of `facts`, the record's billing facts written out, so that equal ranks mean equal facts.
    Bits from the top: complete 1, output 41, time in microseconds 52, digest 34.
    """
    time = at_us if 0 <= at_us <= _TIME_MAX else 0 if at_us < 0 else _TIME_MAX
    if earliest:
        time = _TIME_MAX - time
    digest = _FACTS.copy()
    digest.update(facts.encode("utf-8", "surrogatepass"))
    head = (output << _TIME_BITS) | time | (_COMPLETE if complete else 0)
    return ((head << _DIGEST_BITS) | (int.from_bytes(digest.digest(), "big") >> 6)).to_bytes(16, "big")


def owner_rank(*, copied: bool, sidechain: bool, depth: int, session_start_us: int, session: str | None, rest: str = "") -> int:
    """An integer below 2^63 that orders the claims of several sessions on one call; the smallest owns it.

    A record that does not say it was copied comes first, then a main line before a sidechain, then the file with fewer path segments under
    its root (`depth`), then the session that began earlier, then a digest of the session id, then one of the `rest`: what else the record
    says of its owner, so that equal ranks name equal owners.
    Bits from the top: copied 1, sidechain 1, depth 5, start in seconds 34, digest 22 (with a `rest`, its lower 10 are the rest's).
    """
    start_s = min(max(session_start_us // 1_000_000, 0), (1 << 34) - 1)
    digest = int.from_bytes(blake2b((session or "").encode("utf-8", "surrogatepass"), digest_size=3).digest(), "big") >> 2
    if rest:
        further = int.from_bytes(blake2b(rest.encode("utf-8", "surrogatepass"), digest_size=2).digest(), "big") >> 6
        digest = (digest >> 10 << 10) | further
    return (int(copied) << 62) | (int(sidechain) << 61) | (min(depth, 31) << 56) | (start_s << 22) | digest


def anthropic(
    message_id: str | None, request_id: str | None, tokens: Tokens, *, sidechain: bool, part: str = ""
) -> tuple[bytes, tuple[bytes, ...], tuple[bytes, ...]] | None:
    """(key, claimed aliases, offers) of a reply of the Anthropic Messages API; None where neither id is known.

    `part` names a further billed call inside one reply (an advisor or compaction iteration). A sidechain record also claims the pair
    (message id, prompt-side counts): a replay of the parent's reply under a new request id is the parent's call, if the prompt agrees.
    Cache writes count there as their sum: one record of a reply may tell their lifetimes where another does not.
    """
    if not message_id:
        if not request_id:
            return None
        return _further(_REQUEST, f"{request_id}\x1f{part}")[:8] + (_PART if part else _WHOLE), (), ()
    counts = tokens.input, tokens.cache_read, tokens.cache_write_5m + tokens.cache_write_1h
    return anthropic_message(message_id, request_id, *counts, sidechain, part)


def anthropic_message(
    message_id: str,
    request_id: str | None,
    input: int,
    cache_read: int,
    cache_write: int,
    sidechain: bool,
    part: str = "",
) -> tuple[bytes, tuple[bytes, ...], tuple[bytes, ...]]:
    """As `anthropic`, of a reply whose message id is known; what a large import spends most on, so the digests are written out."""
    bare = _PART if part else _WHOLE
    digest = _MESSAGE.copy()
    digest.update(f"{message_id}\x1f{part}".encode("utf-8", "surrogatepass"))
    handle = digest.digest()[:8]
    digest = _PROMPT.copy()
    prompt_of = f"{message_id}\x1f{part}\x1f{input}\x1f{cache_read}\x1f{cache_write}"
    digest.update(prompt_of.encode("utf-8", "surrogatepass"))
    prompt = handle + digest.digest()[:8]
    if not request_id:
        return (handle + bare, (prompt,), ()) if sidechain else (handle + bare, (), (prompt,))
    digest = _REQUEST.copy()
    digest.update(f"{request_id}\x1f{part}".encode("utf-8", "surrogatepass"))
    request = digest.digest()[:8] + bare
    digest = _CALL.copy()
    digest.update(f"{message_id}\x1f{request_id}\x1f{part}".encode("utf-8", "surrogatepass"))
    call = handle + digest.digest()[:7] + bare[7:]
    return (call, (prompt,), (handle + bare, request)) if sidechain else (call, (), (handle + bare, request, prompt))


def _further(begun: blake2b, text: str) -> bytes:
    """The identity whose kind `begun` has taken in."""
    digest = begun.copy()
    digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.digest()


def claims_request(key: bytes, message_id: str | None, request_id: str | None) -> bool:
    """Whether a record knows its reply by nothing but the request, which no agent is known to do to this day."""
    return message_id is None and request_id is not None and key[8:15] == _BARE


def implied(key: bytes, message_id: str | None, request_id: str | None, tokens: Tokens) -> tuple[bytes, ...]:
    """The offers that follow from a whole reply's own columns, so that the log need not keep them.

    None where `anthropic` did not make `key`.
    """
    made = anthropic(message_id, request_id, tokens, sidechain=False)
    return made[2] if made is not None and made[0] == key else ()


def implies(key: bytes, offers: tuple[bytes, ...]) -> int:
    """How many of a record's offers are its `implied` ones; they stand first. Looks only at how they are built, so it costs nothing."""
    if not offers or key[15] != 1:
        return 0
    first = offers[0]
    if first[:8] != key[:8]:
        return 0
    if key[8:15] == _BARE:
        return 1
    if first[8:] != _WHOLE or len(offers) < 2 or offers[1][8:] != _WHOLE:
        return 0
    return 3 if len(offers) > 2 and offers[2][:8] == key[:8] else 2
