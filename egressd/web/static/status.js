// What the page does better with a script: it filters as one types, copies, and takes in what is new without
// losing the place. Without it, the form asks the server, and the page is loaded again every minute.
"use strict";

(() => {
  const content = document.getElementById("content");
  const live = document.getElementById("live");
  const seconds = Number(content.dataset.seconds);
  let good = Date.now();

  // --- taking in what is new: elements are matched by id, else by place; what a reader did to them stays

  const KEPT = new Set(["open", "hidden", "value"]);

  function merge(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== Node.ELEMENT_NODE) {
      old.nodeValue = fresh.nodeValue;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !KEPT.has(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (!KEPT.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    if (!["INPUT", "SELECT"].includes(old.tagName)) mergeChildren(old, fresh);
  }

  function mergeChildren(old, fresh) {
    const named = new Map([...old.children].filter((one) => one.id).map((one) => [one.id, one]));
    let at = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      let found = wanted.id ? named.get(wanted.id) : at;
      if (!wanted.id && found && found.id) found = null;
      if (found && found.nodeName === wanted.nodeName) {
        if (found !== at) old.insertBefore(found, at);
        else at = at.nextSibling;
        merge(found, wanted);
      } else {
        old.insertBefore(document.importNode(wanted, true), at);
      }
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  }

  // --- the state that a reader has chosen, in the address and in the form

  const controls = () => ({
    q: document.getElementById("q"),
    state: document.getElementById("state"),
    product: document.getElementById("product"),
  });

  function filter() {
    const { q, state, product } = controls();
    if (!q) return;
    const words = q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shownIn = new Map();
    let shown = 0;
    let all = 0;
    for (const row of document.querySelectorAll("tbody.target")) {
      const data = row.dataset;
      const fits =
        (!state.value || state.value === data.state || (state.value === "failing" && data.state !== "ok")) &&
        (!product.value || product.value === data.product) &&
        words.every((word) => data.text.includes(word));
      row.hidden = !fits;
      all += 1;
      if (fits) {
        shown += 1;
        shownIn.set(data.product, true);
      }
    }
    for (const group of document.querySelectorAll("tbody.group")) {
      group.hidden = !shownIn.has(group.dataset.product);
    }
    const text = shown === all ? "" : `${shown} of ${all} targets`;
    const note = document.getElementById("shown");
    if (note.textContent !== text) note.textContent = text;
  }

  function remember() {
    const given = new URLSearchParams(location.search);
    for (const [name, control] of Object.entries(controls())) {
      if (control.value) given.set(name, control.value);
      else given.delete(name);
    }
    const asked = given.toString();
    history.replaceState(null, "", `${location.pathname}${asked ? `?${asked}` : ""}${location.hash}`);
  }

  function chosen() {
    filter();
    remember();
  }

  // --- asking for the page again, all of it, whatever is filtered here

  function refresh() {
    const request = new XMLHttpRequest();
    const period = new URLSearchParams(location.search).get("period");
    request.open("GET", period ? `./?period=${encodeURIComponent(period)}` : "./");
    request.responseType = "document"; // parsed without running or loading anything
    request.timeout = seconds * 1000;
    request.onloadend = () => {
      const fresh = request.status === 200 && request.response && request.response.getElementById("content");
      if (fresh) {
        good = Date.now();
        mergeChildren(content, fresh);
        document.title = request.response.title;
        const icon = document.querySelector("link[rel=icon]");
        const wanted = request.response.querySelector("link[rel=icon]").getAttribute("href");
        if (icon.getAttribute("href") !== wanted) icon.setAttribute("href", wanted);
        prepare();
      }
      tell();
    };
    request.send();
  }

  function tell() {
    const late = Math.round((Date.now() - good) / 1000);
    const lost = late > 2.5 * seconds;
    const text = lost ? `Not updated for ${late} s: egressd does not answer` : "Live";
    live.hidden = false;
    live.classList.toggle("late", lost);
    if (live.textContent !== text) live.textContent = text;
  }

  function prepare() {
    for (const button of document.querySelectorAll("button.copy")) button.hidden = false;
    const apply = document.getElementById("apply");
    if (apply) apply.hidden = true;
    filter();
  }

  // --- copying, also where the page is not served over HTTPS, and the browser has no clipboard for it

  async function copy(button) {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      area.className = "sr";
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.copy");
    if (button) {
      copy(button);
      return;
    }
    const link = event.target.closest("a[data-state], a[data-product]");
    const { q, state, product } = controls();
    if (!link || !q || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if ("state" in link.dataset) state.value = link.dataset.state;
    if ("product" in link.dataset) product.value = link.dataset.product;
    if (link.dataset.state === "") {
      q.value = "";
      product.value = "";
    }
    chosen();
    document.getElementById("targets").scrollIntoView();
  });
  document.addEventListener("input", (event) => {
    if (event.target.closest("#filter")) chosen();
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id === "filter") event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    const { q } = controls();
    if (q && event.key === "/" && !event.target.closest("input, select, textarea")) {
      event.preventDefault();
      q.focus();
    }
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });

  prepare();
  tell();
  const filtered = new URLSearchParams(location.search);
  if (["q", "state", "product"].some((name) => filtered.get(name))) refresh(); // the server left targets out
  setInterval(refresh, seconds * 1000);
  setInterval(tell, 5000);
})();
