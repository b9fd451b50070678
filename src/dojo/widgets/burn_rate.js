// The burn-rate explorer: two sliders, the arithmetic in words, and the budget as a line. No request leaves the page.
const OBJECTIVES = [80, 90, 95, 98, 99, 99.5, 99.9, 99.99];
const STALE = [0, 0.1, 0.2, 0.5, 1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 80, 100];

const nearest = (list, value) =>
  list.reduce((best, one, index) => (Math.abs(one - value) < Math.abs(list[best] - value) ? index : best), 0);

function words(objective, stale) {
  const rate = stale / (100 - objective);
  if (rate === 0) return { rate, hours: Infinity, text: "Burn rate 0: nothing is spent." };
  const hours = 720 / rate;
  const lasts = hours >= 48 ? `${(hours / 24).toFixed(1)} days` : hours >= 1 ? `${hours.toFixed(1)} hours` : `${(hours * 60).toFixed(0)} minutes`;
  const advice = rate >= 14.4 ? "Fast enough to wake somebody." : rate > 1 ? "Worth a ticket in working hours." : "Within the budget.";
  return { rate, hours, text: `Burn rate ${rate.toFixed(1)}: a budget for 30 days lasts ${lasts}. ${advice}` };
}

function slider(parent, id, name, list, value, unit, onMove) {
  const label = element("label", { htmlFor: id });
  const input = element("input", { type: "range", id, min: 0, max: list.length - 1, step: 1, value: nearest(list, value) });
  const show = () => {
    const now = list[Number(input.value)];
    label.textContent = `${name}: ${now}${unit}`;
    input.setAttribute("aria-valuetext", `${now}${unit}`);
    return now;
  };
  input.addEventListener("input", () => onMove(show()));
  show();
  parent.append(label, input);
}

function render({ model, el }) {
  const id = newId();
  const root = widget("burn", "Burn-rate explorer");
  const result = heard();
  const picture = element("div");
  const set = (name) => (value) => { model.set(name, value); model.save_changes(); draw(); };
  const draw = () => {
    const found = words(model.get("objective"), model.get("stale"));
    result.textContent = found.text;
    const end = 60 + 620 * Math.min(1, found.hours / 720);
    const low = found.hours <= 720 ? 130 : 130 - 100 * (1 - 720 / found.hours);
    picture.innerHTML = `<svg viewBox="0 0 720 160" role="img" aria-label="What is left of the budget over 30 days. ${found.text}">
      <line x1="60" x2="680" y1="130" y2="130" stroke="var(--dojo-edge)"/><line x1="60" x2="60" y1="30" y2="130" stroke="var(--dojo-edge)"/>
      <text x="52" y="36" text-anchor="end">100 %</text><text x="52" y="134" text-anchor="end">0 %</text>
      <line x1="60" y1="30" x2="${end}" y2="${Number.isFinite(low) ? low : 30}" stroke="var(--dojo-fault)" stroke-width="3"/>
      <text x="60" y="150">day 0</text><text x="680" y="150" text-anchor="end">day 30</text></svg>`;
  };
  keepKeys(root);
  slider(root, `${id}-objective`, "Objective", OBJECTIVES, model.get("objective"), " %", set("objective"));
  slider(root, `${id}-stale`, "Stale reads", STALE, model.get("stale"), " %", set("stale"));
  root.append(result, picture);
  draw();
  el.append(root);
}

export default { render };
