// The lineage picture: choose a table that is wrong, see everything downstream of it. No request leaves the page.
const STYLE = `
  .dojo-lineage .plan { overflow-x: auto; }
  .dojo-lineage svg { min-width: 760px; }
  .dojo-lineage text { font-size: 12px; }
  .dojo-lineage g[role="button"] { cursor: pointer; }
  .dojo-lineage g[role="button"]:focus-visible { outline: none; }
  .dojo-lineage g[role="button"]:focus-visible rect { stroke-dasharray: 5 3; stroke-width: 4; }
  .dojo-lineage output { min-height: 3em; }
`;
const WIDTH = 128, HEIGHT = 26, GAP_X = 24, GAP_Y = 12;
const SVG = "http://www.w3.org/2000/svg";

function downstream(edges, name) {
  const found = new Set();
  const waiting = [name];
  while (waiting.length) {
    const at = waiting.pop();
    for (const [a, b] of edges) if (a === at && !found.has(b)) { found.add(b); waiting.push(b); }
  }
  return [...found].sort();
}

const and = (names) => (names.length === 1 ? names[0] : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`);

function told(nodes, edges, wrong) {
  const kind = Object.fromEntries(nodes.map((n) => [n.id, n.kind]));
  const hit = downstream(edges, wrong);
  const tables = hit.filter((n) => kind[n] !== "promise");
  const readers = hit.filter((n) => kind[n] === "promise");
  const who = readers.length ? `; ${and(readers)} read${readers.length === 1 ? "s" : ""} it` : "; nobody outside reads it";
  return `${wrong} is wrong: with it ${tables.length ? and(tables) : "no other table"}${who}.`;
}

function drawn(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

function render({ model, el }) {
  const nodes = model.get("nodes"), edges = model.get("edges");
  const at = Object.fromEntries(nodes.map((n) => [n.id, [10 + n.column * (WIDTH + GAP_X), 10 + n.row * (HEIGHT + GAP_Y)]]));
  const width = Math.max(...Object.values(at).map(([x]) => x)) + WIDTH + 10;
  const height = Math.max(...Object.values(at).map(([, y]) => y)) + HEIGHT + 10;
  const root = widget("lineage", "Lineage explorer", STYLE);
  const how = element("p", { className: "faint" }, "Choose a table that is wrong, by click or with Tab, arrow keys and Enter.");
  const result = heard();
  const plan = element("div", { className: "plan" });
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}` }, plan);
  const lines = edges.map(([a, b]) => {
    const [x1, y1] = at[a], [x2, y2] = at[b];
    const d = `M${x1 + WIDTH} ${y1 + HEIGHT / 2}C${x1 + WIDTH + GAP_X} ${y1 + HEIGHT / 2} ${x2 - GAP_X} ${y2 + HEIGHT / 2} ${x2} ${y2 + HEIGHT / 2}`;
    return [a, drawn("path", { d, fill: "none" }, svg)];
  });
  const boxes = Object.fromEntries(nodes.map((node) => {
    const [x, y] = at[node.id];
    const box = drawn("g", { role: "button", tabindex: -1, "aria-label": node.id }, svg);
    drawn("rect", { x, y, width: WIDTH, height: HEIGHT, rx: 4, fill: "var(--dojo-paper)" }, box);
    drawn("text", { x: x + 7, y: y + 17 }, box).textContent = node.id;
    return [node.id, box];
  }));
  const choose = (name) => { model.set("wrong", name); model.save_changes(); draw(); };
  // Sideways along a line where there is one, up and down within a column.
  const near = (from, key) => {
    const sign = key === "ArrowRight" || key === "ArrowDown" ? 1 : -1;
    const linked = edges.filter(([a, b]) => (sign > 0 ? a : b) === from.id).map(([a, b]) => (sign > 0 ? b : a));
    const others = key === "ArrowLeft" || key === "ArrowRight"
      ? nodes.filter((n) => (linked.length ? linked.includes(n.id) : n.column - from.column === sign))
      : nodes.filter((n) => n.column === from.column && n.row - from.row === sign);
    return others.sort((a, b) => Math.abs(a.row - from.row) - Math.abs(b.row - from.row))[0];
  };
  for (const node of nodes) {
    boxes[node.id].addEventListener("click", () => choose(node.id));
    boxes[node.id].addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(node.id); }
      if (event.key.startsWith("Arrow")) {
        event.preventDefault();
        const next = near(node, event.key);
        if (next) boxes[next.id].focus();
      }
    });
  }
  const draw = () => {
    const wrong = model.get("wrong");
    const hit = new Set([wrong, ...downstream(edges, wrong)]);
    result.textContent = told(nodes, edges, wrong);
    for (const [from, line] of lines) {
      line.setAttribute("stroke", hit.has(from) ? "var(--dojo-fault)" : "var(--dojo-edge)");
      line.setAttribute("stroke-width", hit.has(from) ? 2 : 1);
    }
    for (const node of nodes) {
      const colour = `var(--dojo-${hit.has(node.id) ? "fault" : node.kind})`;
      const [rect, text] = boxes[node.id].children;
      rect.setAttribute("stroke", colour);
      rect.setAttribute("stroke-width", hit.has(node.id) ? 3 : 1.5);
      text.style.fill = colour;
      boxes[node.id].setAttribute("aria-pressed", String(node.id === wrong));
      boxes[node.id].setAttribute("tabindex", node.id === wrong ? 0 : -1);
    }
  };
  keepKeys(root);
  root.append(how, result, plan);
  draw();
  el.append(root);
}

export default { render };
