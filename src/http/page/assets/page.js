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
        if (time.passed && time.seen) {
          if (document.hidden) stale = true;
          else renew();
        }
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

  // What is not in a test's hands is in ms as here.
  const span = (name, ms) => Number(body.dataset[name] ?? ms);
  const QUIET = () => span("quiet", 30000);
  const HIDDEN = () => span("hidden", 60000);
  const ANSWER = 10000;
  // Doubled from one failure to the next, and never for all pages at the same moment.
  const backoff = (failures) => Math.min(60000, 5000 * 2 ** (failures - 1)) * (0.75 + Math.random() / 2);
  const get = (address, method) =>
    fetch(address, { method, credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(ANSWER) });

  // Asks for this page again: soon, but never sooner after the last answer than `rest`, ten times as long as that took.
  let timer = 0;
  let due = 0;
  let busy = false;
  let again = false;
  let stale = false;
  let rest = 500;
  let ended = Date.now();
  let good = Date.now();
  let failures = 0;
  let trouble = "";
  const soon = (wait) => {
    const at = Date.now() + wait;
    if (timer && due <= at) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(ask, wait);
  };
  const renew = (least = 0) => soon(Math.max(50, ended + Math.max(rest, least) - Date.now()));
  const ask = async () => {
    timer = 0;
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    again = false;
    const began = Date.now();
    stale = false;
    try {
      trouble = await look();
    } catch {
      trouble = "overdue does not answer";
    }
    ended = Date.now();
    busy = false;
    failures = trouble ? failures + 1 : 0;
    rest = trouble ? backoff(failures) : Math.max(500, 10 * (ended - began));
    if (!trouble) good = ended;
    if (again || trouble) renew(document.hidden ? 5000 : 0);
    // Here rather than by the clock alone, which browsers slow down in a hidden tab.
    else if (state !== "open") soon(QUIET());
    show();
  };
  // Gives what is wrong.
  const look = async () => {
    const answer = await get(location.href, "GET");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    // A proxy's own 404 is none: the page would be gone with its script.
    const ours = page.body.dataset.now !== undefined;
    if (answer.status === 401 || (ours && (answer.status === 404 || answer.status === 410))) location.reload();
    else if (!answer.ok) return "overdue answers " + answer.status;
    else if (!ours) return "something else than overdue answers";
    else if (page.querySelector("link[rel=stylesheet]").href !== document.querySelector("link[rel=stylesheet]").href) location.reload();
    else put(page);
    return "";
  };
  const put = (page) => {
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
  };

  // What happens, as the server tells it.
  const lamp = document.getElementById("live");
  const LOST = "overdue does not answer";
  const FULL = "overdue has too many pages open; it is asked every 30 s";
  const show = () => {
    if (state === "" && !trouble) return;
    const lost = trouble || { lost: LOST, full: FULL }[state];
    const text = lost ? "not live: " + lost : state === "open" ? "live" : "connecting";
    lamp.hidden = false;
    if (lamp.textContent !== text) lamp.textContent = text;
    lamp.classList.toggle("lost", Boolean(lost));
  };
  // They change the title and the icon, which are seen of a hidden tab too.
  const SEEN = ["hello", "lost", "incident.opened", "incident.resolved", "heartbeat.removed", "config", "journal"];
  const WORDS = [
    "ping", "heartbeat.declared", "heartbeat.renamed", "heartbeat.paused", "heartbeat.resumed", "heartbeat.missed",
    "run.overran", "incident.reminder", "delivery.queued", "delivery.attempted", "blind",
  ];
  // Whether this page shows what the event is about: it may say so itself, by a heartbeat or by the words of events.
  const concerns = (event) => {
    const { heartbeat, listen } = document.getElementById("main").dataset;
    if (listen) return listen.split(" ").includes(event.type.split(".")[0]);
    if (!heartbeat) return true;
    const told = JSON.parse(event.data);
    const renamed = event.type === "heartbeat.renamed" && told.from === heartbeat;
    return renamed || told.heartbeat === null || told.heartbeat === heartbeat;
  };
  const heard = (event) => {
    if (event.type === "hello") {
      state = "open";
      refusals = 0;
      rest = Math.min(rest, 1000);
      show();
    }
    if (SEEN.includes(event.type)) renew(document.hidden ? 5000 : 0);
    else if (!concerns(event)) return;
    else if (document.hidden) stale = true;
    else renew();
  };

  // "": not yet; "open"; "lost": the browser or `later` tries again; "full": refused; "away": nobody looks.
  let state = "";
  let stream = null;
  let later = 0;
  let refusals = 0;
  const listen = () => {
    clearTimeout(later);
    stream?.close();
    stream = new EventSource(root + "api/v1/events");
    for (const word of [...SEEN, ...WORDS]) stream.addEventListener(word, heard);
    stream.addEventListener("error", () => {
      if (stream.readyState === EventSource.CLOSED) return refused(stream);
      state = "lost";
      show();
    });
  };
  // It was answered, but not as a stream, and the browser does not say how.
  const refused = async (which) => {
    let status = 0;
    try {
      status = (await get(root + "api/v1/events", "HEAD")).status;
    } catch {
      // Then it does not answer.
    }
    if (stream !== which) return;
    state = status === 503 ? "full" : "lost";
    show();
    refusals += 1;
    later = setTimeout(listen, backoff(refusals));
    // Perhaps a session has ended, which the page itself tells.
    renew();
  };
  // A browser has six connections to a host, and each stream takes one: a tab that nobody looks at gives its own back.
  let leaves = 0;
  const leave = () => {
    clearTimeout(later);
    stream.close();
    stream = null;
    state = "away";
    soon(QUIET());
  };
  const lookAway = () => {
    clearTimeout(leaves);
    leaves = setTimeout(leave, HIDDEN());
  };
  const lookHere = () => {
    clearTimeout(leaves);
    rest = Math.min(rest, 1000);
    if (!stream || stream.readyState === EventSource.CLOSED) {
      listen();
      show();
    }
    if (stale || trouble || state !== "open") renew();
  };
  // Whatever no event has told: a stream that is half open, a lateness.
  const watch = () => {
    if (Date.now() - good > QUIET() && (!document.hidden || state !== "open")) renew();
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

  arm();
  tick();
  setInterval(tick, 1000);
  if (!lamp) return;
  document.addEventListener("visibilitychange", () => (document.hidden ? lookAway() : lookHere()));
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const field of document.querySelectorAll("form[data-auto] :disabled")) field.disabled = false;
    stale = true;
    lookHere();
  });
  setInterval(watch, 1000);
  listen();
  if (document.hidden) lookAway();
})();
