// Keeps the services page up to date: the server renders, this only exchanges what has changed.
"use strict";
(() => {
  const pause = 400;
  let asked = null;
  let last = new Date();

  // Being answered, under a finger, or about to be copied.
  const busy = (part) => part.querySelector("details[open], :active") || selected(part);
  const selected = (part) => !getSelection().isCollapsed && part.contains(getSelection().anchorNode);

  /** Where the keyboard is in a part, seen in the fresh one: what says the same there. */
  function place(old, fresh) {
    const held = document.activeElement;
    if (held === old) return fresh;
    if (!old.contains(held)) return null;
    return [...fresh.querySelectorAll("a, button, summary")].find((stop) => stop.textContent === held.textContent);
  }

  function exchange(old, fresh) {
    if (old.outerHTML === fresh.outerHTML || busy(old)) return;
    const below = old.scrollHeight - old.scrollTop - old.clientHeight;
    const { scrollTop } = old;
    const stop = place(old, fresh);
    old.replaceWith(fresh);
    stop?.focus({ preventScroll: true });
    if (fresh.hasAttribute("data-tail")) fresh.scrollTop = below < 40 ? fresh.scrollHeight : scrollTop;
  }

  async function refresh() {
    asked = null;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      // Logged out, or no longer allowed: the server says where to go. Anything else that is not the page is an outage.
      if (answer.redirected || answer.status === 401 || answer.status === 403) return location.reload();
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const old of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(old.id);
        if (fresh) exchange(old, fresh);
      }
      last = new Date();
      lost(false);
      // A proxy's error ends a stream for good.
      if (stream.readyState === EventSource.CLOSED) follow();
    } catch {
      lost(true);
    }
  }

  function soon() {
    asked ??= setTimeout(refresh, pause);
  }

  function lost(is) {
    document.getElementById("lost").hidden = !is;
    document.getElementById("lost-at").textContent = last.toLocaleTimeString();
    if (is) asked ??= setTimeout(refresh, 2000);
  }

  const log = document.getElementById("lines");
  if (log) log.scrollTop = log.scrollHeight;
  // A log that the page does not show is not ours to follow.
  const id = log?.dataset.log;
  let stream;

  function follow() {
    stream = new EventSource("/api/v1/services/stream" + (id ? "?log=" + encodeURIComponent(id) : ""));
    for (const topic of ["service", "event", "sample", "log", "resync"]) stream.addEventListener(topic, soon);
    stream.onopen = soon;
    stream.onerror = () => lost(true);
  }
  follow();
})();
