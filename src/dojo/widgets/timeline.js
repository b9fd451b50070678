// One morning of shopflow_daily at a time: attempts as bars, against the objective and the promise. No request leaves the page.
const STYLE = `
  .dojo-mornings { --ink: #1f2328; --soft: #57606a; --paper: #ffffff; --source: #7a5195; --model: #1f6f8b; --check: #8a6d00; --promise: #0b6e4f; --fault: #b3261e; --objective: #5a6472; --edge: #8c959f;
    font: 14px/1.5 sans-serif; color: var(--ink); background: var(--paper); padding: .8em 1em; max-width: 760px; box-sizing: border-box; }
  [data-jp-theme-light="false"] .dojo-mornings, [data-theme="dark"] .dojo-mornings {
    --ink: #e8ecf1; --soft: #b3bcc7; --paper: #14181d; --source: #c9a3dd; --model: #6cc0dc; --check: #e0bd4a; --promise: #5fc9a0; --fault: #ff9a8f; --objective: #a9b4c2; --edge: #6f7985; }
  .dojo-mornings input { width: 100%; accent-color: var(--model); }
  .dojo-mornings input:focus-visible { outline: 3px solid var(--ink); outline-offset: 2px; }
  .dojo-mornings output { display: block; margin: .4em 0; font-weight: 600; min-height: 3em; }
  .dojo-mornings svg { display: block; width: 100%; height: auto; }
  .dojo-mornings text { fill: var(--soft); font-size: 13px; }
`;
const STEPS = { ingest_orders: "source", dbt_run: "model", quality_check: "check", publish: "promise" };
const FIRST = 5 * 60 + 15, LAST = 10 * 60, LEFT = 110, RIGHT = 690, TOP = 26, BAR = 28;
const x = (minutes) => LEFT + (RIGHT - LEFT) * (Math.min(Math.max(minutes, FIRST), LAST) - FIRST) / (LAST - FIRST);
const clock = (minutes) => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(Math.floor(minutes % 60)).padStart(2, "0")}`;

function bars(morning) {
  return morning.attempts.map(([step, attempt, status, start, end]) => {
    const y = TOP + BAR * Object.keys(STEPS).indexOf(step);
    const to = end === null ? LAST : end;
    const bad = status !== "success";
    const said = `${step}, attempt ${attempt}: ${status}, ${clock(start)} to ${end === null ? "no end" : clock(end)}`;
    return `<rect x="${x(start)}" y="${y + 4}" width="${Math.max(3, x(to) - x(start))}" height="${BAR - 10}" fill="var(--${bad ? "fault" : STEPS[step]})"><title>${said}</title></rect>`
      + (bad ? `<text x="${x(to) + 4}" y="${y + 19}">${status}</text>` : "");
  }).join("");
}

function picture(morning) {
  const bottom = TOP + BAR * 4;
  const hours = [6, 7, 8, 9, 10].map((h) => `<line x1="${x(h * 60)}" x2="${x(h * 60)}" y1="${bottom}" y2="${bottom + 4}" stroke="var(--edge)"/><text x="${x(h * 60)}" y="${bottom + 18}" text-anchor="middle">${clock(h * 60)}</text>`).join("");
  const names = Object.keys(STEPS).map((s, n) => `<text x="${LEFT - 8}" y="${TOP + BAR * n + 19}" text-anchor="end">${s}</text>`).join("");
  const line = (h, colour, word, anchor) => `<line x1="${x(h * 60)}" x2="${x(h * 60)}" y1="18" y2="${bottom}" stroke="var(--${colour})" stroke-width="2" stroke-dasharray="${colour === "promise" ? "none" : "5 3"}"/><text x="${x(h * 60)}" y="13" text-anchor="${anchor}">${word}</text>`;
  return `<svg viewBox="0 0 720 ${bottom + 24}" role="img" aria-label="${morning.weekday} ${morning.day}. ${morning.told}"><line x1="${LEFT}" x2="${RIGHT}" y1="${bottom}" y2="${bottom}" stroke="var(--edge)"/>${hours}${names}${bars(morning)}${line(7, "objective", "objective 07:00", "middle")}${line(8, "promise", "promise 08:00", "middle")}</svg>`;
}

let made = 0;

function render({ model, el }) {
  const mornings = model.get("mornings");
  const id = `dojo-mornings-${(made += 1)}`;
  const root = document.createElement("section");
  root.className = "dojo-mornings";
  root.setAttribute("aria-label", "Mornings of shopflow_daily");
  const style = document.createElement("style");
  style.textContent = STYLE;
  const label = document.createElement("label");
  label.htmlFor = id;
  const input = document.createElement("input");
  Object.assign(input, { type: "range", id, min: 0, max: mornings.length - 1, step: 1, value: model.get("at") });
  const result = document.createElement("output");
  result.setAttribute("aria-live", "polite");
  const plan = document.createElement("div");
  const draw = () => {
    const morning = mornings[Number(input.value)];
    label.textContent = `${morning.weekday} ${morning.day}`;
    input.setAttribute("aria-valuetext", `${morning.weekday} ${morning.day}`);
    result.textContent = morning.told;
    plan.innerHTML = picture(morning);
  };
  input.addEventListener("input", () => { model.set("at", Number(input.value)); model.save_changes(); draw(); });
  // JupyterLab would take arrow keys away from an input inside an output.
  input.addEventListener("keydown", (event) => event.stopPropagation());
  root.append(style, label, input, result, plan);
  draw();
  el.append(root);
}

export default { render };
