// What makes the book's pages live without a kernel: widgets, predictions, and what printing needs.
const root = new URL(document.documentElement.dataset.content_root || "./", location.href);

// Some browsers refuse to keep anything; then nothing is kept, and everything else works.
const kept = {
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { /* not kept */ } },
};

// A widget's own module draws it; what it calls a model is a plain object here. Where modules cannot load, its picture stays.
async function mount(place) {
  const state = JSON.parse(place.dataset.state);
  const heard = {};
  const model = {
    get: (name) => state[name],
    set: (name, value) => { state[name] = value; (heard[`change:${name}`] ?? []).forEach((tell) => tell()); },
    save_changes: () => {},
    on: (event, tell) => { (heard[event] ??= []).push(tell); },
    off: () => {},
    send: () => {},
  };
  const made = await import(new URL(`_static/widgets/${place.dataset.widget}.js`, root));
  const el = document.createElement("div");
  const face = typeof made.default === "function" ? await made.default() : made.default;
  await face.initialize?.({ model });
  await face.render({ model, el });
  place.replaceChildren(el);
}
document.querySelectorAll(".dojo-widget").forEach((place) => mount(place).catch(() => {}));

// Predictions: yours is kept in this browser, and the measured value stands folded until you want it.
const keyOf = (question) => `dojo:predict:${question}`;
function say() {
  document.querySelectorAll(".dojo-compare").forEach((one) => {
    const guess = kept.get(keyOf(one.dataset.question));
    one.querySelector(".dojo-said").textContent = guess === null ? "you made no prediction; " : `you said ${guess}; `;
  });
}
document.querySelectorAll(".dojo-predict").forEach((form) => {
  const question = form.dataset.question, input = form.querySelector("input"), output = form.querySelector("output");
  form.hidden = false;
  form.nextElementSibling.hidden = true;
  input.value = kept.get(keyOf(question)) ?? "";
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!input.value.trim()) { output.textContent = "Write a guess first."; return; }
    kept.set(keyOf(question), input.value.trim());
    output.textContent = "Kept. Now read on.";
    say();
  });
});
say();

// Whatever scrolls sideways can be reached by keyboard.
const wide = "pre, .cell_output .output, .pst-scrollable-table-container, .dojo-diagram, .math";
const reachable = () => document.querySelectorAll(wide).forEach((one) => {
  if (one.scrollWidth > one.clientWidth + 1) one.tabIndex = 0;
  else if (one.tabIndex === 0 && !one.matches("a, button")) one.removeAttribute("tabindex");
});
addEventListener("load", reachable);
addEventListener("resize", reachable);

// On paper nothing can be opened: what is folded is open there, but for hints and solutions.
const folded = () => [...document.querySelectorAll("details:not([open])")].filter((one) => !one.closest(".dojo-help") && !one.matches(".hide"));
let opened = [];
addEventListener("beforeprint", () => { opened = folded(); opened.forEach((one) => { one.open = true; }); });
addEventListener("afterprint", () => opened.forEach((one) => { one.open = false; }));
