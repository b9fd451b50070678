// A prediction before a cell runs, and what was measured after it. No request leaves the page.
const BAR = 22, LEFT = 84, WIDE = 420;
function number(text) {
  const found = text.match(/^[€~ ]*(?:about )?(-?\d[\d,]*(?:\.\d+)?)(?![\d:./-])/);
  return found ? Number(found[1].replaceAll(",", "")) : null;
}

function far(guess, measured) {
  const said = number(guess), real = number(measured);
  if (said === null || real === null) return "";
  if (said === real) return "Exactly.";
  if (said === 0 || real === 0 || said < 0 !== real < 0) return "";
  const ratio = said / real, way = ratio > 1 ? "high" : "low";
  const factor = Math.floor(Math.max(ratio, 1 / ratio) * 10 + 0.5) / 10;
  if (factor >= 2) return `Too ${way} by a factor of ${factor}.`;
  const percent = Math.floor(Math.abs(ratio - 1) * 100 + 0.5);
  return percent ? `Too ${way} by ${percent} %.` : "Less than 1 % off.";
}

function picture(guess, measured) {
  const said = number(guess), real = number(measured);
  if (said === null || real === null || said < 0 || real < 0) return "";
  const most = Math.max(said, real) || 1;
  const bar = (label, value, kind, row) => `<text x="${LEFT - 8}" y="${row * BAR + 15}" text-anchor="end">${label}</text>`
    + `<rect x="${LEFT}" y="${row * BAR + 4}" width="${Math.max(2, (value / most) * WIDE)}" height="${BAR - 8}" fill="var(--dojo-${kind})"/>`;
  return `<svg viewBox="0 0 ${LEFT + WIDE + 8} ${2 * BAR + 4}" style="max-width:36em" aria-hidden="true">${bar("you said", said, "objective", 0)}${bar("measured", real, "model", 1)}</svg>`;
}

function form(model, root) {
  const id = newId();
  const input = element("input", { type: "text", id, size: 14, autocomplete: "off", value: model.get("guess") });
  const told = heard();
  const asked = element("form", {},
    element("label", { htmlFor: id }, `Your prediction, ${model.get("question")}:`), input, " ", element("button", { type: "submit" }, "Keep it"), told);
  keepKeys(asked);
  asked.addEventListener("submit", (event) => {
    event.preventDefault();
    const guess = input.value.trim();
    if (guess) { model.set("guess", guess); model.save_changes(); }
    told.textContent = guess ? `Kept: ${guess}. Now go on.` : "Write a guess first.";
  });
  root.append(asked);
}

function comparison(model, root) {
  const question = model.get("question"), measured = model.get("measured");
  const draw = () => {
    const guess = model.get("guess");
    if (!guess) {
      root.replaceChildren(element("details", {}, element("summary", {}, `${question}: you made no prediction. Show what was measured`), element("p", {}, `Measured: ${measured}.`)));
      return;
    }
    const bars = element("div");
    bars.innerHTML = picture(guess, measured);
    root.replaceChildren(element("p", {}, `${question}: you said `, element("strong", {}, guess), "; measured: ", element("strong", {}, measured), `. ${far(guess, measured)}`), bars);
  };
  model.on("change:guess", draw);
  draw();
}

function render({ model, el }) {
  const after = model.get("measured") !== "";
  const root = widget("prediction", `${after ? "Measured" : "Prediction"}, ${model.get("question")}`);
  (after ? comparison : form)(model, root);
  el.append(root);
}

export default { render };
