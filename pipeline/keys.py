"""Which records speak of the same call, which of them counts, and which session owns it.

Decides *same call?* for the whole program. An identity is 128 bits over content that the agent or the provider wrote: never a path,
a line number or an offset. A record claims some identities and merely offers others. Two records are the same call when they share
an identity that at least one of them claims, or when a chain of such records joins them.

The claim/offer distinction is what keeps two real calls apart that share half of their names: a reply known by (message, request)
offers its message id, so a record that knows nothing but the message id finds it, while two replies with one message id and two
request ids stay two.

An identity's first 8 bytes are its *handle*, under which the journal finds it; its last byte says of which kind it is. What a reply of
the Anthropic API offers follows from its key and its counts alone (`implied`), so neither the log nor the journal keeps it: the key is
made of the digests of the message and of the request, and the prompt is named under the message's handle.
"""

from collections.abc import Iterable
from datetime import date, datetime

from pipeline.digests import blake2b
from pipeline.events import Tokens

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_TIME_BITS = 52
_TIME_MAX = (1 << _TIME_BITS) - 1
_DIGEST_BITS = 34
_COMPLETE = 1 << (127 - _DIGEST_BITS)
HANDLE_BYTES = 8
_NOTHING = bytes(7)
# Kinds of identities, their last byte. All others are below 0x80.
_REPLY, _PART, _PROMPT, _REQUEST, _REQUEST_PART = b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4"
_REPLY_KINDS = (_REPLY[0], _PART[0])
_REQUEST_KINDS = (_REQUEST[0], _REQUEST_PART[0])
_ASKED = b"r"
# A large import makes millions of digests; going on from a digest that has taken the kind in is twice as fast as starting one.
_MESSAGE, _CALLED, _COUNTS = (blake2b(b"anthropic.%b\x1f" % kind, digest_size=8) for kind in (b"message", b"request", b"prompt"))
_FACTS = blake2b(digest_size=5)
_PRIME = (1 << 61) - 1
_MIXED_AWAY = 61 - _DIGEST_BITS
_KNOWS = 1 << (_DIGEST_BITS - 1)


def identity(kind: str, *parts: str | int | None) -> bytes:
    """16 bytes that name one call within `kind`, a name space such as `anthropic.message`; parts are what the provider or agent wrote."""
    text = "\x1f".join([kind, *("\x00" if part is None else str(part) for part in parts)])
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return digest[:15] + bytes((digest[15] & 0x7F,))


def microseconds(at: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z of an aware UTC or a naive-as-UTC time."""
    days = at.toordinal() - _EPOCH_ORDINAL
    return ((days * 24 + at.hour) * 60 + at.minute) * 60_000_000 + at.second * 1_000_000 + at.microsecond


def rank(complete: bool, output: int, at_us: int, facts: str, *, earliest: bool = False) -> bytes:
    """16 bytes that order the records of one call by what they say; the greatest is the record that counts.

    Complete before partial, then the larger output, then the later time (the earlier one with `earliest`: logs whose copies are stamped
    anew), then a digest of `facts`, the record's billing facts written out, so that equal ranks mean equal facts.
    Bits from the top: complete 1, output 41, time in microseconds 52, digest 34.
    """
    return rank_of(complete, output, _TIME_MAX - _within(at_us) if earliest else at_us, digest_of(facts))


def rank_of(complete: bool, output: int, at_us: int, facts: int) -> bytes:
    """As `rank`, with a number of 34 bits that stands for the facts."""
    time = at_us if 0 <= at_us <= _TIME_MAX else _within(at_us)
    return ((output << _TIME_BITS | time | (_COMPLETE if complete else 0)) << _DIGEST_BITS | facts).to_bytes(16, "big")


def digest_of(facts: str) -> int:
    """34 bits over facts that are written out."""
    digest = _FACTS.copy()
    digest.update(facts.encode() if facts.isascii() else facts.encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest(), "big") >> 6


def rank_of_numbers(
    complete: bool, output: int, at_us: int, knows: bool, shared: int, key: bytes, a: int, b: int, c: int, d: int, e: int, f: int
) -> bytes:
    """As `rank_of`, over facts that many records share (`spread` over a number that stands for them), a key, and six numbers of the
    record's own, `informed` by whether the record `knows` more.

    The facts are a sum of products modulo a prime: those that differ come out equal about once in 2^33 times.
    """
    # The factors are odd and of no relation: fractions of the roots of the first primes.
    facts = (
        shared
        + int.from_bytes(key, "big")
        + a * 0x6A09E667F3BCC909
        + b * 0xBB67AE8584CAA73B
        + c * 0x3C6EF372FE94F82B
        + d * 0xA54FF53A5F1D36F1
        + e * 0x510E527FADE682D1
        + f * 0x9B05688C2B3E6C1F
    ) % _PRIME >> _MIXED_AWAY
    return rank_of(complete, output, at_us, informed(facts, knows))


def spread(facts: int) -> int:
    """A number of 34 bits, so far up that `rank_of_numbers` takes nothing of it away but the last bit."""
    return facts << _MIXED_AWAY


def informed(facts: int, knows: bool) -> int:
    """`facts`, so that of two records that differ in nothing that orders them the one that knows more counts."""
    return facts >> 1 | _KNOWS if knows else facts >> 1


def _within(at_us: int) -> int:
    return min(max(at_us, 0), _TIME_MAX)


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
    What is written to the cache counts as a whole there: a replay need not tell how long it lives.
    """
    if not message_id:
        if not request_id:
            return None
        kind = _REQUEST_PART if part else _REQUEST
        return _ASKED + _digested(_CALLED, f"{request_id}\x1f{part}")[:7] + _NOTHING + kind, (), ()
    key = reply(message_id, request_id, part)
    offers = implied(key, tokens.input, tokens.cache_read, tokens.cache_write_5m + tokens.cache_write_1h)
    return (key, offers[-1:], offers[:-1]) if sidechain else (key, (), offers)


def reply(message_id: str, request_id: str | None, part: str = "") -> bytes:
    """The key of a reply whose message id is known."""
    handle = _digested(_MESSAGE, f"{message_id}\x1f{part}")
    request = _digested(_CALLED, f"{request_id}\x1f{part}")[:7] if request_id else _NOTHING
    return handle + request + (_PART if part else _REPLY)


def replies(message_ids: Iterable[str], request_ids: Iterable[str | None]) -> list[bytes]:
    """As `reply` for each two ids."""
    # Two digests a call, of a million calls in one import: written out.
    message, request, kind, nothing = _MESSAGE.copy, _CALLED.copy, _REPLY, _NOTHING + _REPLY
    found: list[bytes] = []
    add = found.append
    for message_id, request_id in zip(message_ids, request_ids, strict=True):
        try:
            handle = message()
            handle.update((message_id + "\x1f").encode())
            if request_id:
                called = request()
                called.update((request_id + "\x1f").encode())
                add(handle.digest() + called.digest()[:7] + kind)
            else:
                add(handle.digest() + nothing)
        except UnicodeEncodeError:
            add(reply(message_id, request_id))
    return found


def prompt_of(key: bytes, input: int, cache_read: int, cache_write: int) -> bytes:
    """The identity of a reply's prompt under its message."""
    return key[:8] + _digested(_COUNTS, f"{input}\x1f{cache_read}\x1f{cache_write}")[:7] + _PROMPT


def implied(key: bytes, input: int, cache_read: int, cache_write: int) -> tuple[bytes, ...]:
    """What a record offers without saying so, from its key and its prompt-side counts; its prompt comes last.

    A reply known by message and request offers both alone, and every reply its prompt; no other record offers anything so.
    """
    return (*following(key), prompt_of(key, input, cache_read, cache_write)) if key[15] in _REPLY_KINDS else ()


def following(key: bytes) -> tuple[bytes, ...]:
    """As `implied`, without the prompt: what even a call offers that gave this key up for a better one."""
    if key[15] not in _REPLY_KINDS or key[8:15] == _NOTHING:
        return ()
    kind = key[15:]
    return key[:8] + _NOTHING + kind, _ASKED + key[8:15] + _NOTHING + (_REQUEST if kind == _REPLY else _REQUEST_PART)


def is_request(identity: bytes) -> bool:
    """Whether it names a reply by its request alone, which no agent is known to do to this day."""
    return identity[15] in _REQUEST_KINDS


def request_in(identity: bytes) -> bytes:
    """The 7 bytes that an identity of a request and the keys of its replies have in common; of a key they are its bytes 8 to 14."""
    return identity[1:8]


def _digested(begun: blake2b, text: str) -> bytes:
    digest = begun.copy()
    # Text of ASCII needs nobody to say how it is encoded.
    digest.update(text.encode() if text.isascii() else text.encode("utf-8", "surrogatepass"))
    return digest.digest()
