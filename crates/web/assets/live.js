// Keeps a page up to date: what is marked `data-live` is fetched again when the server says that something changed, and
// lines are appended to a growing log. Everything else works without this file. What comes in is made, and escaped, by
// the server; nothing is put together here.
"use strict";
(() => {
  const MOST_LINES = 20000; // a browser stays quick with so many
  const root = document.documentElement;
  root.classList.add("has-script");
  const streams = [];

  // A stream that is let go while nobody looks, because browsers allow few connections to one server.
  function stream(address, listeners, state) {
    let source = null;
    let over = false;
    const entry = {
      last: null,
      open() {
        if (source || over) return;
        const url = new URL(address, location.href);
        if (entry.last !== null) url.searchParams.set("from", entry.last);
        source = new EventSource(url);
        source.onopen = () => state("live");
        source.onerror = () => {
          state("lost");
          if (source && source.readyState === EventSource.CLOSED) { entry.close(); setTimeout(entry.open, 3000); }
        };
        for (const [name, listener] of Object.entries(listeners)) {
          source.addEventListener(name, (event) => {
            if (event.lastEventId) entry.last = event.lastEventId;
            listener(event);
          });
        }
      },
      close() { if (source) { source.close(); source = null; } },
      finish() { over = true; entry.close(); state("over"); },
    };
    streams.push(entry);
    if (!document.hidden) entry.open();
    return entry;
  }
  document.addEventListener("visibilitychange", () => {
    for (const entry of streams) if (document.hidden) entry.close(); else entry.open();
  });
  addEventListener("pagehide", () => { for (const entry of streams) entry.close(); });

  // The page's own parts, fetched again: one at a time, and not more often than twice a second.
  let wanted = false;
  let busy = false;
  async function refresh() {
    wanted = true;
    if (busy) return;
    busy = true;
    while (wanted) {
      wanted = false;
      try {
        const answer = await fetch(location.href, { cache: "no-store", redirect: "error" });
        if (answer.ok) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
      } catch { /* the stream says when the server is back */ }
      await new Promise((done) => setTimeout(done, 500));
    }
    busy = false;
  }
  function replace(fresh) {
    if (document.querySelector("[data-reload-when-begun]") && fresh.querySelector("[data-log]")) { location.reload(); return; }
    for (const part of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(part.id);
      if (!now || now.innerHTML === part.innerHTML) continue;
      const focused = part.contains(document.activeElement) ? document.activeElement : null;
      const path = focused && (focused.id ? "#" + focused.id : focused.getAttribute("href") && `a[href="${CSS.escape(focused.getAttribute("href"))}"]`);
      const left = part.scrollLeft;
      part.replaceChildren(...now.childNodes);
      part.scrollLeft = left;
      if (path) part.querySelector(path)?.focus();
    }
  }
  const changes = document.body.dataset.changes;
  if (changes) {
    const told = document.getElementById("connection");
    stream(changes, { changed: refresh }, (state) => { told.textContent = state === "lost" ? told.dataset.lost : ""; });
  }

  const log = document.getElementById("log");
  if (log && log.dataset.log) {
    const told = document.getElementById("log-state");
    const along = document.getElementById("scroll-along");
    const follow = stream(log.dataset.log, {
      grown(event) {
        const { html, skipped } = JSON.parse(event.data);
        document.getElementById("log-empty")?.remove();
        log.querySelector(":scope > .open, .lines > .open")?.remove();
        if (skipped) {
          const gap = document.createElement("p");
          gap.className = "gap";
          gap.textContent = skipped;
          log.append(gap);
        }
        const parsed = document.createElement("template");
        parsed.innerHTML = html;
        for (const node of [...parsed.content.children]) {
          const group = log.querySelector(":scope > .step:last-of-type > .lines");
          if (node.classList.contains("more") && group) group.append(...node.childNodes);
          else log.append(node);
        }
        const lines = log.getElementsByClassName("line");
        for (let extra = lines.length - MOST_LINES; extra > 0; extra--) lines[0].remove();
        if (along.checked) log.scrollTop = log.scrollHeight;
      },
      over() { follow.finish(); refresh(); },
    }, (state) => { told.textContent = told.dataset[state + "Word"]; });
    if (along.checked && !location.hash) log.scrollTop = log.scrollHeight;
  }
})();
