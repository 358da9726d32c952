// Hears from the daemon that there is something new. A page that nobody sees does not listen: a browser opens only six
// connections to one host, and each stream holds one.

/** Calls the function that `hearers` has for an event ({usage, import}) with its data, while the page is visible. */
export function listen(hearers) {
  let stream = null;
  const turn = () => {
    if (document.hidden) {
      stream?.close();
      stream = null;
    } else if (stream === null) {
      stream = new EventSource("/api/events");
      for (const [name, heard] of Object.entries(hearers)) stream.addEventListener(name, (event) => heard(JSON.parse(event.data)));
    }
  };
  document.addEventListener("visibilitychange", turn);
  addEventListener("pagehide", () => stream?.close());
  turn();
}
