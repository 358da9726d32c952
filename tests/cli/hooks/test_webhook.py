"""Messages to addresses: how they are signed, where they never go, and what an attempt ends with."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.ask import WrongUsage
from cli.hooks import webhook
from tests.cli.hooks.receiving import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as listening:
        yield listening


def send(url: str, *, private: bool = True, **words: Any) -> tuple[bool, str]:
    return webhook.send(
        url, b'{"text":"x"}', name="h-day", at_s=1614265330, secret="whsec_c2VjcmV0", allow_http=True, allow_private=private, **words
    )


def test_a_signature_is_that_of_the_standard() -> None:
    """The example of the Standard Webhooks libraries: HMAC-SHA256 over id, time and body, in base64."""
    made = webhook.signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_secrets_differ() -> None:
    """Each hook's secret is its own: 256 bits."""
    one, other = webhook.new_secret(), webhook.new_secret()

    assert one != other
    assert len(one) == len("whsec_") + 44


def test_a_message_arrives_whole_and_signed(receiver: Receiver) -> None:
    """The body as it is, the same key for each attempt, and what a receiver needs to check who wrote it and when."""
    assert send(receiver.url) == (True, "status 200")
    (got,) = receiver.got
    signed = webhook.signature("whsec_c2VjcmV0", "h-day", 1614265330, b'{"text":"x"}')
    named = {
        name: got.headers[name] for name in ("idempotency-key", "webhook-id", "webhook-timestamp", "webhook-signature", "content-type")
    }

    assert (got.path, got.body) == ("/T000/secret-path", b'{"text":"x"}')
    assert named == {
        "idempotency-key": "h-day",
        "webhook-id": "h-day",
        "webhook-timestamp": "1614265330",
        "webhook-signature": signed,
        "content-type": "application/json",
    }


@pytest.mark.parametrize("status", [201, 204, 299])
def test_any_success_is_one(receiver: Receiver, status: int) -> None:
    """Everything from 200 to 299 says that the message was taken."""
    receiver.status, receiver.body = status, lambda: iter(())

    assert send(receiver.url) == (True, f"status {status}")


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 410, 429, 500, 503])
def test_anything_else_is_a_failure(receiver: Receiver, status: int) -> None:
    """A redirect too: it is not followed, because it could lead anywhere."""
    receiver.status, receiver.headers = status, {"Location": receiver.url}

    assert send(receiver.url) == (False, f"status {status}")
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    "address",
    [
        "", "x", "hooks.slack.com/x", "ftp://example.com/", "file:///etc/passwd", "https://", "https:///x", "https://example.com:0/",
        "https://example.com:99999/", "https://user@example.com/", "https://user:pass@example.com/", "https://@example.com/",
        "https://example.com/#f", "https://exa mple.com/", "https://example.com/\n", "https://example.com\\@127.0.0.1/", "https://пример.рф/",
        "https://%31%32%37.0.0.1/", "https://[::1/", "https://[fe80::1%25eth0]/", "https://example.com/" + "x" * 5000,
        "http://example.com/", "https://127.0.0.1/", "https://10.1.2.3/", "https://192.168.0.1/", "https://[::1]/", "https://[fd00::1]/",
        "https://169.254.169.254/latest", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://0.0.0.0/", "https://100.64.0.1/",
        "https://127.1/", "https://2130706433/", "https://0x7f.1/", "https://0177.0.0.1/", "https://1.2.3.0x4./",
        "https://localhost/", "https://a.localhost:8443/",
    ],
)  # fmt: skip
def test_what_is_no_address_to_send_to_is_refused_when_it_is_given(address: str) -> None:
    """Not whole, not https, with a user, of this machine or its networks: told at once, without repeating the address."""
    with pytest.raises(WrongUsage) as refused:
        webhook.check(address, allow_http=False, allow_private=False)
    assert len(address) < 9 or address not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    ["https://hooks.slack.com/services/T/B/x", "https://example.com:8443/a?b=c", "https://1.1.1.1/", "https://[2606:4700::1111]/"],
)
def test_an_ordinary_address_is_taken(address: str) -> None:
    """https, with or without port and query."""
    webhook.check(address, allow_http=False, allow_private=False)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.0.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "192.0.0.1", "198.18.0.1", "::1", "fc00::1",
        "fd00:ec2::254", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "2002:7f00:1::", "2002:0a00:0001::1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
        "64:ff9b:1::a00:1", "::ffff:0:10.0.0.1", "::127.0.0.1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)  # fmt: skip
def test_private_addresses_need_leave(address: str) -> None:
    """This machine and its networks, in every disguise that one kind of address has in the other."""
    assert webhook.refusal(address, allow_private=False) is not None
    assert webhook.refusal(address, allow_private=True) is None


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "224.0.0.1", "ff02::1", "0.0.0.0", "::", "240.0.0.1",
        "255.255.255.255", "168.63.129.16", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
    ],
)  # fmt: skip
def test_some_addresses_are_never_for_messages(address: str) -> None:
    """Links, where clouds keep their machines' credentials, groups and reserved ranges are refused whatever was allowed."""
    assert webhook.refusal(address, allow_private=True) is not None


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_need_none(address: str) -> None:
    """Everything that the internet can reach."""
    assert webhook.refusal(address, allow_private=False) is None


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.0.0.1", "LOCALHOST", "localhost."])
def test_no_spelling_leads_to_this_machine(receiver: Receiver, host: str) -> None:
    """Judged is the address that is connected to, however it was written; the receiver sees no connection."""
    done, said = send(f"http://{host}:{receiver.port}/secret-path", private=False)

    assert (done, receiver.connections) == (False, 0)
    assert "secret" not in said


def test_a_name_that_changes_its_mind_leads_nowhere(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of the internet that leads to this machine at the moment of sending is refused; so is one that leads to both."""
    here = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", receiver.port))
    for answers in ([here], [here, here]):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, _answers=answers, **words: _answers)
        assert send(f"http://rebinding.example.com:{receiver.port}/", private=False) == (False, "refused: it leads to this machine")
    assert receiver.connections == 0


def test_a_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes to a receiver is seen by that receiver alone."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{receiver.port}")
    # Held, so that nobody else gets the port, and not listened at.
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert send(f"http://127.0.0.1:{nobody.getsockname()[1]}/secret-path") == (False, "cannot be reached")
    assert receiver.connections == 0


def test_who_never_ends_is_not_waited_for(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that drips its answer byte by byte has taken nothing once the time is over."""
    monkeypatch.setattr(webhook, "TOTAL_S", 0.5)

    def drip() -> Iterator[bytes]:
        while True:
            time.sleep(0.05)
            yield b""

    receiver.headers, receiver.body = {"Content-Length": "5"}, drip

    assert send(receiver.url) == (False, "no answer in time")


def test_an_attempt_ends_when_everything_ends(receiver: Receiver) -> None:
    """Whoever stops the watcher does not wait for a receiver."""
    silent = socket.create_server(("127.0.0.1", 0))
    with silent:
        assert send(f"http://127.0.0.1:{silent.getsockname()[1]}/", ending=lambda: True) == (False, "interrupted")


@pytest.mark.parametrize("reply", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 99_999])
def test_an_answer_that_is_none_is_a_failure(reply: bytes) -> None:
    """Whatever listens there, it is told in words that hold nothing of the address."""
    with receiving_bytes(reply) as port:
        assert send(f"http://127.0.0.1:{port}/secret-path") == (False, "its answer is none")


def test_a_receiver_that_speaks_no_tls_gets_nothing(receiver: Receiver) -> None:
    """Over https nothing is sent before the certificate is good."""
    done, said = send(receiver.url.replace("http:", "https:"))

    assert (done, said, receiver.got) == (False, "its certificate is not good", [])


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_only_a_good_certificate_is_told(receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed by nobody who is trusted, or for another name: nothing is sent. Trusted, by SSL_CERT_FILE, and for this name: it is."""
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert"), "-days", "2"]
    subprocess.run(["openssl", *made, *files], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    receiver.over(context)
    address = f"https://localhost:{receiver.port}/secret-path"

    assert send(address) == (False, "its certificate is not good")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
    assert send(address.replace("localhost", "127.0.0.1")) == (False, "its certificate is not good")
    assert receiver.got == []
    assert send(address) == (True, "status 200")


class receiving_bytes:
    """A server that answers any request with these bytes and closes."""

    def __init__(self, reply: bytes) -> None:
        self._reply = reply
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        try:
            connection, _ = self._server.accept()
        except OSError:
            return
        with connection:
            asked = b""
            # All of it: a connection that is closed with something unread in it takes its own reply back.
            while not asked.endswith(b'{"text":"x"}') and (piece := connection.recv(65536)):
                asked += piece
            connection.sendall(self._reply)

    def __enter__(self) -> int:
        self._thread.start()
        port: int = self._server.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._server.close()
