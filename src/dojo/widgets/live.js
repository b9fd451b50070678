// What the widgets share; each widget's own module follows.
const element = (name, options = {}, ...children) => {
  const one = document.createElement(name);
  for (const [key, value] of Object.entries(options)) key in one ? (one[key] = value) : one.setAttribute(key, value);
  one.append(...children);
  return one;
};

// JupyterLab would take keys away from what stands in an output; Tab still leads out.
const keepKeys = (root) => root.addEventListener("keydown", (event) => { if (event.key !== "Tab") event.stopPropagation(); });

const widget = (name, label, style = "") =>
  element("section", { className: `dojo-live dojo-${name}`, "aria-label": label }, element("style", {}, style));

const heard = () => element("output", { "aria-live": "polite" });

let made = 0;
const newId = () => `dojo-live-${(made += 1)}`;

