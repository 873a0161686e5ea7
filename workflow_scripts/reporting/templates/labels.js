"use strict";
(() => {
  const form = document.forms[0];
  const sheet = document.body.dataset.sheet;
  const columns = document.body.dataset.columns.split(",");
  const stored = `faithful-pairs-labels-${sheet}`;
  const items = [...document.querySelectorAll("article")];
  const radios = [...form.querySelectorAll("input[type=radio]")];
  const $ = (id) => document.getElementById(id);
  let at = 0;

  const questions = () => [...items[at].querySelectorAll("fieldset")];
  const chosen = (question) => question.querySelector(":checked");
  const finished = (item) => [...item.querySelectorAll("fieldset")].every(chosen);

  function warn(text) {
    $("warning").textContent = text;
    $("warning").hidden = !text;
  }

  function restore() {
    try {
      const kept = JSON.parse(localStorage.getItem(stored)) || {};
      const answers = kept.answers || {};
      for (const radio of radios) radio.checked = answers[radio.name] === radio.value;
      form.elements.rater.value = typeof answers.rater === "string" ? answers.rater : "";
      at = Number.isInteger(kept.at) && items[kept.at] ? kept.at : 0;
    } catch (error) {
      warn(`Earlier ratings can't be read from this browser (${error.message}).`);
    }
  }

  function keep() {
    try {
      localStorage.setItem(stored, JSON.stringify({ answers: Object.fromEntries(new FormData(form)), at }));
    } catch (error) {
      warn(`This browser does not keep your ratings (${error.message}): export the CSV file before you close the page.`);
    }
    const done = items.filter(finished).length;
    $("progress").textContent = `Image ${at + 1} of ${items.length} · ${done} finished`;
  }

  function focusOn(question) {
    (chosen(question) || question.querySelector("input")).focus();
    question.scrollIntoView({ block: "nearest" });
  }

  function show(number) {
    items[at].hidden = true;
    at = Math.min(Math.max(number, 0), items.length - 1);
    items[at].hidden = false;
    focusOn(questions().find((question) => !chosen(question)) || questions()[0]);
    keep();
  }

  function showUnfinished() {
    const order = items.map((_, step) => (at + 1 + step) % items.length);
    const next = order.find((number) => !finished(items[number]));
    show(next === undefined ? at : next);
    if (next === undefined) $("progress").textContent = `All ${items.length} images are finished: export the CSV file.`;
  }

  function current() {
    const open = questions();
    const focused = document.activeElement.closest("fieldset");
    return Math.max(open.indexOf(focused), 0);
  }

  function move(by) {
    const open = questions();
    focusOn(open[Math.min(Math.max(current() + by, 0), open.length - 1)]);
  }

  function choose(question, value) {
    const radio = question && [...question.querySelectorAll("input")].find((one) => one.value === value);
    if (!radio) return false;
    radio.checked = true;
    keep();
    return true;
  }

  function rate(value) {
    const question = questions()[current()];
    if (question.className !== "scale" || !choose(question, value)) return false;
    move(1);
    return true;
  }

  function prefer(value) {
    const question = items[at].querySelector(".preferred");
    if (!choose(question, value)) return false;
    focusOn(question);
    return true;
  }

  function clear() {
    const radio = chosen(questions()[current()]);
    if (radio) radio.checked = false;
    keep();
  }

  const cell = (text) => `"${text.replaceAll('"', '""')}"`;

  function rows(rater) {
    const answers = new FormData(form);
    const made = [];
    for (const item of items.filter((one) => one.querySelector(":checked"))) {
      const preferred = answers.get(`${item.id}-preferred`);
      for (const section of item.querySelectorAll("section")) {
        const letter = section.dataset.caption;
        const wins = preferred === null ? "" : String(Number(preferred === letter));
        const row = { sheet, rater, image: item.id, caption: letter, preferred: wins };
        const value = (column) => row[column] ?? answers.get(`${item.id}-${letter}-${column}`) ?? "";
        made.push(columns.map(value).map(cell).join(","));
      }
    }
    return made;
  }

  function exportCsv() {
    const rater = form.elements.rater.value.replace(/[^\p{L}\p{N} ._-]/gu, "").trim();
    if (!rater) {
      warn("Enter your name or initials first, then export again.");
      form.elements.rater.focus();
      return;
    }
    warn("");
    const text = [columns.join(","), ...rows(rater), ""].join("\n");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = `labels-${sheet}-${rater.replace(/[ .]+/g, "-")}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  const keys = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    ArrowLeft: () => show(at - 1),
    ArrowRight: () => show(at + 1),
    Backspace: clear,
    Enter: showUnfinished,
    "-": () => prefer("none"),
  };

  function pressed(event) {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") {
      event.preventDefault();
      exportCsv();
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.name === "rater" || event.target.closest("button, summary")) {
      if (event.key === "Enter" && event.target.name === "rater") {
        event.preventDefault();
        show(at);
      }
      return;
    }
    const handled = /^[0-9]$/.test(event.key)
      ? rate(event.key)
      : /^[a-z]$/i.test(event.key)
        ? prefer(event.key.toLowerCase())
        : event.key in keys && keys[event.key]() !== false;
    if (handled) event.preventDefault();
  }

  restore();
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", keep);
  document.addEventListener("keydown", pressed);
  $("export").addEventListener("click", exportCsv);
  $("previous").addEventListener("click", () => show(at - 1));
  $("next").addEventListener("click", () => show(at + 1));
  $("unfinished").addEventListener("click", showUnfinished);
  show(at);
})();
