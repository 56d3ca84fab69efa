// What makes the page live. Without it all works by links and forms.
"use strict";
(() => {
  const body = document.body;
  const root = body.dataset.root;
  let ahead = Date.parse(body.dataset.now) - Date.now();

  // Instants, as the server tells them (src/model/ago.rs).
  const about = (seconds) => {
    if (seconds < 60) return seconds + "s";
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return minutes + "m";
    const two = (n, one, rest, other) => n + one + (rest ? " " + rest + other : "");
    const hours = Math.floor(minutes / 60);
    if (hours < 48) return two(hours, "h", minutes % 60, "m");
    return two(Math.floor(hours / 24), "d", hours % 24, "h");
  };
  const ago = (ms) => {
    if (ms <= -60000) return about(Math.floor(-ms / 1000)) + " ahead";
    return ms < 1000 ? "just now" : about(Math.floor(ms / 1000)) + " ago";
  };
  const when = (ms) => {
    if (ms <= -1000) return about(Math.floor(-ms / 1000)) + " ago";
    if (ms < 1000) return "now";
    const seconds = Math.floor(ms / 1000);
    return "in " + about(seconds >= 60 ? seconds + 30 : seconds);
  };
  const local = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
  const tick = () => {
    const now = Date.now() + ahead;
    for (const time of document.querySelectorAll("time[datetime]")) {
      const at = Date.parse(time.dateTime);
      let text = null;
      if ("ago" in time.dataset) text = ago(now - at);
      else if ("when" in time.dataset) text = when(at - now);
      if (text !== null && time.textContent !== text) time.textContent = text;
      if (time.title && !time.title.includes("\n")) time.title += "\n" + local.format(at);
      // Past due: it may be late now, which only the server says.
      if ("when" in time.dataset && !time.passed) {
        time.passed = at <= now;
        if (time.passed && time.seen) renew();
      }
      time.seen = true;
    }
  };

  // Makes one tree be as another, and leaves alone what is the same: the focus, the scroll, what is being typed.
  const key = (node) => (node.nodeType === 1 ? node.dataset.key || node.id || null : null);
  const alike = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName && key(one) === key(other);
  // What the script or the reader has changed.
  const kept = (node, name) =>
    (name === "open" && node.nodeName === "DETAILS") || (name === "hidden" && (node.id === "live" || "copy" in node.dataset));
  const morph = (old, fresh) => {
    if (old.nodeType === 3) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    if (old.nodeType !== 1) return;
    if (old.nodeName === "TIME") {
      old.passed = false;
      old.seen = false;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !kept(old, name)) old.removeAttribute(name);
    }
    for (const { name, value } of [...fresh.attributes]) {
      if (old.getAttribute(name) !== value && !kept(old, name)) old.setAttribute(name, value);
    }
    if (old.nodeName === "SELECT" || old.nodeName === "TEXTAREA") {
      if (old === document.activeElement) return;
    }
    let at = old.firstChild;
    const names = new Set([...fresh.childNodes].map(key));
    for (const child of [...fresh.childNodes]) {
      let same = at;
      const name = key(child);
      if (name !== null) {
        while (same && !alike(same, child)) same = same.nextSibling;
      } else if (same && !alike(same, child)) {
        same = null;
      }
      if (same) {
        // What has gone is taken away rather than what stays moved, which would lose the focus.
        while (at !== same && (key(at) === null || !names.has(key(at)))) {
          const next = at.nextSibling;
          at.remove();
          at = next;
        }
        if (same !== at) old.insertBefore(same, at);
        morph(same, child);
        at = same.nextSibling;
      } else {
        old.insertBefore(child, at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  };

  // Asks for this page again, at once and then at most once a second.
  const PAUSE = 1000;
  let asked = 0;
  let waits = 0;
  let busy = false;
  const renew = () => {
    if (waits || document.hidden) {
      stale = stale || document.hidden;
      return;
    }
    waits = setTimeout(fetchAgain, Math.max(50, asked + PAUSE - Date.now()));
  };
  let stale = false;
  const fetchAgain = async () => {
    waits = 0;
    if (busy) return renew();
    busy = true;
    asked = Date.now();
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
      if (answer.status === 401) return location.reload();
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (page.querySelector("link[rel=stylesheet]").href !== document.querySelector("link[rel=stylesheet]").href) {
        return location.reload();
      }
      ahead = Date.parse(page.body.dataset.now) - Date.now();
      document.title = page.title;
      const focus = document.activeElement;
      for (const place of ["link[rel=icon]", "header nav", "main"]) {
        const [old, fresh] = [document.querySelector(place), page.querySelector(place)];
        if (old && fresh) morph(old, fresh);
      }
      if (focus !== document.activeElement && focus.isConnected) focus.focus({ preventScroll: true });
      arm();
      tick();
    } catch {
      // The stream says that the server has gone.
    } finally {
      busy = false;
    }
  };

  // What happens, as the server tells it.
  const lamp = document.getElementById("live");
  const say = (text, lost) => {
    lamp.hidden = false;
    lamp.textContent = text;
    lamp.classList.toggle("lost", lost);
  };
  const WORDS = [
    "ping", "heartbeat.declared", "heartbeat.removed", "heartbeat.renamed", "heartbeat.paused", "heartbeat.resumed",
    "heartbeat.missed", "run.overran", "incident.opened", "incident.reminder", "incident.resolved", "delivery.queued",
    "delivery.attempted", "blind", "config", "journal", "lost",
  ];
  let stream = null;
  const listen = () => {
    stream = new EventSource(root + "api/v1/events");
    stream.addEventListener("hello", () => {
      say("live", false);
      // Whatever happened between the page and the stream.
      renew();
    });
    for (const word of WORDS) stream.addEventListener(word, renew);
    stream.addEventListener("error", () => {
      say("not live: overdue does not answer", true);
      if (stream.readyState === EventSource.CLOSED) {
        // It was answered and refused: perhaps a session has ended, which the page itself tells.
        renew();
        setTimeout(listen, 5000);
      }
    });
  };

  // What is of use only with a script.
  const arm = () => {
    for (const button of document.querySelectorAll("button[data-copy]")) {
      if (button.armed) continue;
      button.armed = true;
      button.hidden = false;
      button.addEventListener("click", () => copy(button));
    }
    for (const form of document.querySelectorAll("form[data-auto]")) {
      if (form.armed) continue;
      form.armed = true;
      form.addEventListener("change", (event) => {
        if (event.target.nodeName === "SELECT") form.requestSubmit();
      });
      form.addEventListener("submit", () => {
        // An address without what was not filled in.
        for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
      });
    }
  };
  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    const text = source.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without https there is only the old way.
      getSelection().selectAllChildren(source);
      document.execCommand("copy");
      getSelection().removeAllRanges();
    }
    button.word ||= button.textContent;
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = button.word), 1500);
  };

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && stale) {
      stale = false;
      renew();
    }
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const field of document.querySelectorAll("form[data-auto] :disabled")) field.disabled = false;
    renew();
  });
  arm();
  tick();
  setInterval(tick, 1000);
  if (lamp) listen();
})();
