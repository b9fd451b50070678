// One morning of shopflow_daily at a time: attempts as bars, against the objective and the promise. No request leaves the page.
const STYLE = `.dojo-mornings output { min-height: 3em; }`;
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
    return `<rect x="${x(start)}" y="${y + 4}" width="${Math.max(3, x(to) - x(start))}" height="${BAR - 10}" fill="var(--dojo-${bad ? "fault" : STEPS[step]})"><title>${said}</title></rect>`
      + (bad ? `<text x="${x(to) + 4}" y="${y + 19}">${status}</text>` : "");
  }).join("");
}

function picture(morning) {
  const bottom = TOP + BAR * 4;
  const hours = [6, 7, 8, 9, 10].map((h) => `<line x1="${x(h * 60)}" x2="${x(h * 60)}" y1="${bottom}" y2="${bottom + 4}" stroke="var(--dojo-edge)"/><text x="${x(h * 60)}" y="${bottom + 18}" text-anchor="middle">${clock(h * 60)}</text>`).join("");
  const names = Object.keys(STEPS).map((s, n) => `<text x="${LEFT - 8}" y="${TOP + BAR * n + 19}" text-anchor="end">${s}</text>`).join("");
  const line = (h, colour, word, anchor) => `<line x1="${x(h * 60)}" x2="${x(h * 60)}" y1="18" y2="${bottom}" stroke="var(--dojo-${colour})" stroke-width="2" stroke-dasharray="${colour === "promise" ? "none" : "5 3"}"/><text x="${x(h * 60)}" y="13" text-anchor="${anchor}">${word}</text>`;
  return `<svg viewBox="0 0 720 ${bottom + 24}" role="img" aria-label="${morning.weekday} ${morning.day}. ${morning.told}"><line x1="${LEFT}" x2="${RIGHT}" y1="${bottom}" y2="${bottom}" stroke="var(--dojo-edge)"/>${hours}${names}${bars(morning)}${line(7, "objective", "objective 07:00", "middle")}${line(8, "promise", "promise 08:00", "middle")}</svg>`;
}

function render({ model, el }) {
  const mornings = model.get("mornings");
  const id = newId();
  const root = widget("mornings", "Mornings of shopflow_daily", STYLE);
  const label = element("label", { htmlFor: id });
  const input = element("input", { type: "range", id, min: 0, max: mornings.length - 1, step: 1, value: model.get("at") });
  const result = heard();
  const plan = element("div");
  const draw = () => {
    const morning = mornings[Number(input.value)];
    label.textContent = `${morning.weekday} ${morning.day}`;
    input.setAttribute("aria-valuetext", `${morning.weekday} ${morning.day}`);
    result.textContent = morning.told;
    plan.innerHTML = picture(morning);
  };
  input.addEventListener("input", () => { model.set("at", Number(input.value)); model.save_changes(); draw(); });
  keepKeys(root);
  root.append(label, input, result, plan);
  draw();
  el.append(root);
}

export default { render };
