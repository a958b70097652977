// Everything here makes pages quicker to use; without it they work, with forms and links.
"use strict";

(() => {
  const find = (selector) => document.querySelector(selector);
  const rows = () => [...document.querySelectorAll("[data-open]")].filter((row) => row.offsetParent !== null);
  const isTyping = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;

  // Browsers that do not yet know `commandfor` are told what it means.
  if (!("commandForElement" in HTMLButtonElement.prototype)) {
    document.addEventListener("click", (event) => {
      const button = event.target.closest("button[commandfor]");
      const target = button && document.getElementById(button.getAttribute("commandfor"));
      if (!target) return;
      if (button.getAttribute("command") === "show-modal") target.showModal();
      if (button.getAttribute("command") === "close") target.close();
    });
  }

  // A question that comes with the page is asked as one that was opened: above everything else.
  for (const dialog of document.querySelectorAll("dialog[open]")) {
    dialog.close();
    dialog.showModal();
  }

  document.addEventListener("click", (event) => {
    const toggle = event.target.closest("[data-toggles]");
    if (toggle) {
      const isOpen = document.getElementById(toggle.dataset.toggles).classList.toggle("open");
      toggle.setAttribute("aria-expanded", String(isOpen));
      return;
    }
    const copy = event.target.closest("[data-copies]");
    if (copy) {
      const text = document.getElementById(copy.dataset.copies).textContent;
      navigator.clipboard.writeText(text).then(() => copy.classList.add("copied"));
      return;
    }
    const row = event.target.closest("[data-open]");
    if (row && !event.target.closest("a, button, input, select, label, dialog") && !String(getSelection())) {
      location.assign(row.dataset.open);
    }
  });

  // A question is sent once: a second press while the first is under way asks the same thing again.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.dataset.sent) return;
    form.dataset.sent = "true";
    for (const button of form.querySelectorAll("button[type=submit]")) {
      setTimeout(() => (button.disabled = true), 0);
      setTimeout(() => { button.disabled = false; delete form.dataset.sent; }, 4000);
    }
  });

  const walk = (step) => {
    const all = rows();
    if (all.length === 0) return;
    const before = all.findIndex((row) => "current" in row.dataset);
    const next = Math.min(all.length - 1, Math.max(0, before < 0 ? 0 : before + step));
    all.forEach((row) => delete row.dataset.current);
    all[next].dataset.current = "";
    all[next].scrollIntoView({ block: "nearest" });
  };

  const keys = {
    "/": () => { find("#search")?.focus(); find("#search")?.select(); },
    j: () => walk(1),
    k: () => walk(-1),
    g: () => location.assign("/console"),
    "?": () => find("#help")?.showModal(),
    Enter: () => {
      const row = find("[data-open][data-current]");
      if (row) location.assign(row.dataset.open);
      return row !== null;
    },
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.id === "search") event.target.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || find("dialog[open]")) return;
    const onControl = event.target.closest("a, button, summary");
    const act = keys[event.key];
    if (!act || (event.key === "Enter" && onControl)) return;
    if (act() !== false) event.preventDefault();
  });

  // A part that says where its news comes from is kept up to date by the server. One that was and is refused from now
  // on belongs to a session that has ended: the page says so itself.
  for (const part of document.querySelectorAll("[data-live]")) {
    const source = new EventSource(part.dataset.live);
    let wasLive = false;
    source.addEventListener("part", (event) => {
      wasLive = true;
      const current = rows().findIndex((row) => "current" in row.dataset);
      part.innerHTML = event.data;
      if (current >= 0 && rows()[current]) rows()[current].dataset.current = "";
      if (window.htmx) window.htmx.process(part);
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED && wasLive) location.reload();
    });
    window.addEventListener("pagehide", () => source.close());
  }
})();
