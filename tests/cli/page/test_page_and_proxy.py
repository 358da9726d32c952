"""Another site's page in the user's own browser, before the proxy that carries the user's keys."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser

from tests.cli.proxied import Said, Stand, standing

ATTEMPTS = """
async (url) => {
  const done = [];
  const tried = (name, promise) => done.push(promise.then((what) => [name, what], () => [name, 'refused']));
  const read = (reply) => reply.type === 'opaque' ? 'opaque' : reply.text();
  const body = JSON.stringify({model: 'm', stream: true});
  tried('post', fetch(url, {method: 'POST', body}).then(read));
  tried('post without cors', fetch(url, {method: 'POST', body, mode: 'no-cors'}).then(read));
  const headers = {'x-api-key': 'k', 'Sec-Fetch-Site': 'none', Origin: ''};
  tried('post with a key', fetch(url, {method: 'POST', body, headers}).then(read));
  tried('post as JSON', fetch(url, {method: 'POST', body, headers: {'Content-Type': 'application/json'}}).then(read));
  tried('get', fetch(url).then(read));
  tried('get without cors', fetch(url, {mode: 'no-cors', referrerPolicy: 'no-referrer'}).then(read));
  tried('head', fetch(url, {method: 'HEAD', mode: 'no-cors'}).then(read));
  tried('keepalive', fetch(url, {method: 'POST', body, mode: 'no-cors', keepalive: true, credentials: 'include'}).then(read));
  navigator.sendBeacon(url, body);
  const made = (tag, fields) => tried(tag, new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement(tag), fields);
    element.onload = () => resolve('loaded');
    element.onerror = reject;
    document.body.append(element);
    setTimeout(reject, 2000);
  }));
  made('img', {src: url});
  made('script', {src: url});
  made('link', {rel: 'stylesheet', href: url});
  made('video', {src: url});
  made('iframe', {src: url});
  for (const [method, enctype] of [['POST', 'text/plain'], ['POST', 'application/x-www-form-urlencoded'], ['GET', '']]) {
    const name = `frame${document.forms.length}`;
    document.body.append(Object.assign(document.createElement('iframe'), {name}));
    const form = Object.assign(document.createElement('form'), {method, enctype, action: url, target: name});
    form.append(Object.assign(document.createElement('input'), {name: body, value: '1'}));
    document.body.append(form);
    form.submit();
  }
  const live = (name, opened) => tried(name, new Promise((resolve, reject) => {
    opened.onopen = () => resolve('open');
    opened.onerror = reject;
  }));
  live('websocket', new WebSocket(url.replace('http:', 'ws:')));
  live('events', new EventSource(url));
  tried('xhr', new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', url);
    request.onload = () => resolve(request.responseText);
    request.onerror = reject;
    request.send(body);
  }));
  const told = "then(() => postMessage('read'), () => postMessage('refused'))";
  const source = `fetch(${JSON.stringify(url)}, {method: 'POST', body: '{}'}).${told}`;
  tried('worker', new Promise((resolve) => {
    new Worker(URL.createObjectURL(new Blob([source]))).onmessage = (event) => resolve(event.data);
  }));
  const all = Object.fromEntries(await Promise.all(done));
  await new Promise((resolve) => setTimeout(resolve, 500));
  return all;
}
"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>evil</title><body>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def elsewhere() -> Iterator[str]:
    """A site of somebody else's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def proxy(home: Path) -> Iterator[Stand]:
    """A proxy and a provider in a loop of their own: the browser's tools have theirs."""
    ready, ended = threading.Event(), threading.Event()
    stands: list[Stand] = []

    async def scene() -> None:
        async with standing(home, lambda _: Said(pieces=[b"a secret answer"])) as stand:
            stands.append(stand)
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(scene()))
    thread.start()
    assert ready.wait(90)
    try:
        yield stands[0]
    finally:
        ended.set()
        thread.join()


def test_no_page_speaks_to_a_provider(tmp_path: Path, browser: Browser) -> None:
    """Not one of twenty ways that a page has reaches the provider or reads a word, even where the page knows the whole address."""
    with proxy(tmp_path) as stand, elsewhere() as site:
        page = browser.new_page()
        page.set_default_timeout(90_000)
        page.goto(site)
        found = page.evaluate(ATTEMPTS, stand.url("/v1/chat/completions"))
        # A page that is opened at the address itself.
        page.goto(stand.url("/v1/models"))
        shown = page.inner_text("body")
        page.close()
        got = list(stand.provider.got)

    assert [each.line for each in got] == []
    assert "a secret answer" not in f"{found}{shown}"
    assert '"browser"' in shown
    read = {name: what for name, what in found.items() if what not in ("refused", "opaque", "loaded")}
    assert read == {}, "a page may load a refusal, and must read nothing of it"
