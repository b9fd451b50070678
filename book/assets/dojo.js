// What makes the book's pages live without a kernel: widgets, and what printing needs.
const root = new URL(document.documentElement.dataset.content_root || "./", location.href);

// Some browsers refuse to keep anything; then nothing is kept, and everything else works.
const kept = {
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { /* not kept */ } },
};

// A widget's own module draws it; what it calls a model is a plain object here. What a reader changes is kept under the
// widget's key, and widgets of one key hear of it at once: a comparison knows the prediction. Where modules cannot load, the still stays.
const heard = {};
async function mount(place, number) {
  const name = place.dataset.widget;
  const key = `dojo:${name}:${place.dataset.key || `${location.pathname}#${number}`}`;
  const mine = JSON.parse(kept.get(key) ?? "{}");
  const state = { ...JSON.parse(place.dataset.state), ...mine };
  const model = {
    get: (trait) => state[trait],
    set: (trait, value) => {
      kept.set(key, JSON.stringify({ ...JSON.parse(kept.get(key) ?? "{}"), [trait]: value }));
      (heard[key] ?? []).forEach((tell) => tell(trait, value));
    },
    save_changes: () => {},
    on: (event, tell) => { (on[event] ??= []).push(tell); },
    off: () => {},
  };
  const on = {};
  (heard[key] ??= []).push((trait, value) => { state[trait] = value; (on[`change:${trait}`] ?? []).forEach((tell) => tell()); });
  const face = (await import(new URL(`_static/widgets/${name}.js`, root))).default;
  const el = document.createElement("div");
  face.render({ model, el });
  place.replaceChildren(el);
}
document.querySelectorAll(".dojo-widget").forEach((place, number) => mount(place, number).catch(() => {}));

// Whatever scrolls sideways can be reached by keyboard.
const wide = "pre, .cell_output .output, .pst-scrollable-table-container, .dojo-diagram, .math";
const reachable = () => document.querySelectorAll(wide).forEach((one) => {
  if (one.scrollWidth > one.clientWidth + 1) one.tabIndex = 0;
  else if (one.tabIndex === 0 && !one.matches("a, button")) one.removeAttribute("tabindex");
});
addEventListener("load", reachable);
addEventListener("resize", reachable);

// On paper nothing can be opened: what is folded is open there, but for hints and solutions.
const folded = () => [...document.querySelectorAll("details:not([open])")].filter((one) => !one.closest(".dojo-help, .dojo-map") && !one.matches(".hide"));
let opened = [];
addEventListener("beforeprint", () => { opened = folded(); opened.forEach((one) => { one.open = true; }); });
addEventListener("afterprint", () => opened.forEach((one) => { one.open = false; }));
