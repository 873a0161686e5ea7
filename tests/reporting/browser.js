// Runs the script of a label sheet with one image and two captions, and exports what the rater chose.
// Arguments: the script, the rater's name, the columns, and the answers as JSON. Prints the warning and the files.
const { readFileSync } = require("node:fs");
const [script, rater, columns, given] = process.argv.slice(2);
const answers = { ...JSON.parse(given), rater };
const seen = { warning: "", files: [] };
const nothing = () => undefined;
const elements = {};
const element = (id) => (elements[id] ??= { addEventListener: (_, act) => (elements[id].act = act) });
Object.defineProperty(element("warning"), "textContent", { set: (text) => (seen.warning = text) });

const radio = { focus: nothing };
const fieldset = { querySelector: (what) => (what === "input" ? radio : null), scrollIntoView: nothing };
const sections = ["a", "b"].map((caption) => ({ dataset: { caption } }));
const article = {
  id: "i1",
  querySelector: () => radio,
  querySelectorAll: (what) => (what === "section" ? sections : [fieldset]),
};
const form = {
  elements: { rater: { value: rater, focus: nothing } },
  querySelectorAll: () => [],
  addEventListener: nothing,
};

globalThis.document = {
  forms: [form],
  body: { dataset: { sheet: "0a1b", columns } },
  querySelectorAll: () => [article],
  getElementById: element,
  addEventListener: nothing,
  createElement: () => ({ click() { seen.files.push([this.download, this.href]); } }),
};
globalThis.localStorage = { getItem: () => JSON.stringify({ answers }), setItem: nothing };
globalThis.FormData = class extends Map {
  constructor() { super(Object.entries(answers)); }
  get(name) { return super.get(name) ?? null; }
};
globalThis.Blob = class { constructor(parts) { this.text = parts.join(""); } };
globalThis.URL = { createObjectURL: (blob) => blob.text, revokeObjectURL: nothing };
globalThis.setTimeout = nothing;

new Function(readFileSync(script, "utf8"))();
elements.export.act();
console.log(JSON.stringify(seen));
