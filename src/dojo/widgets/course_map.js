// The course as a map: a room a module; a room that is chosen shows a card for each of its tasks. No request leaves the page.
const STYLE = `
  .dojo-map .rooms { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(15em, 100%), 1fr)); gap: .6em; margin: .6em 0; }
  .dojo-map .room { display: flex; flex-direction: column; justify-content: flex-start; width: 100%; border-left: 6px solid var(--kind); color: var(--dojo-ink); background: var(--dojo-soft); }
  .dojo-map .room[aria-expanded="true"] { outline: 2px solid var(--kind); }
  .dojo-map .room .state, .dojo-map .sign { color: var(--kind); }
  .dojo-map .cards { list-style: none; margin: .4em 0; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20em, 100%), 1fr)); gap: .6em; }
  .dojo-map .cards > li { margin: 0; border: 1px solid var(--dojo-edge); border-top: 4px solid var(--kind); padding: .5em .8em; background: var(--dojo-soft); }
  .dojo-map .cards p, .dojo-map .cards p:first-child { margin: .3em 0; }
  .dojo-map details ul { margin: .2em 0; padding-left: 1.2em; }
  .dojo-map .solved, .dojo-map .done { --kind: var(--dojo-promise); }
  .dojo-map .shown { --kind: var(--dojo-not-checkable); }
  .dojo-map .tried, .dojo-map .under { --kind: var(--dojo-not-yet); }
  .dojo-map .open { --kind: var(--dojo-objective); }
`;
const MARKS = { solved: "✓", shown: "◇", tried: "◐", open: "○" };

const round = (points) => +points.toFixed(2);
const hours = (minutes) => (minutes < 60 ? `${minutes} min` : `${(minutes / 60).toFixed(1).replace(".0", "")} h`);

// A notebook beside this one: JupyterLab opens it in a tab of its own, anything else follows the link.
function door(folder, stem, text) {
  const book = document.documentElement.dataset.content_root !== undefined;
  const folders = { notebooks: "lessons", exercises: "exercises" };
  const link = element("a", { href: book ? `../${folders[folder]}/${stem}.html` : `../${folder}/${stem}.ipynb` }, text);
  const here = decodeURIComponent(location.pathname).match(/\/tree\/(?:(.*)\/)?(?:notebooks|exercises|solutions)\/[^/]*$/);
  if (here && !book) {
    link.dataset.commandlinkerCommand = "docmanager:open";
    link.dataset.commandlinkerArgs = JSON.stringify({ path: [here[1], folder, `${stem}.ipynb`].filter(Boolean).join("/") });
    link.addEventListener("click", (event) => event.preventDefault());
  }
  return link;
}

function card(task, model) {
  const taken = model.get("hints").filter(([id]) => id === task.id);
  const level = Math.max(task.taken, ...taken.map(([, n]) => n));
  const made = element("li", { className: task.state },
    element("p", {}, element("strong", {}, `${task.id} ${task.title}`)),
    element("p", { className: "faint" }, `${task.minutes} min · ${round(task.best)} of ${task.points} points · `, element("span", { className: "sign" }, `${MARKS[task.state]} ${task.state}`)),
    element("details", {}, element("summary", {}, `What is tried (${task.checks.length})`), element("ul", {}, ...task.checks.map((one) => element("li", {}, one)))));
  for (const [, n, text] of taken) made.append(element("p", {}, element("strong", {}, `Hint ${n}: `), text));
  if (model.send && task.state !== "solved") {
    const ask = element("button", { type: "button", disabled: level >= task.hints && taken.length > 0 }, level ? `Hint ${Math.min(level + 1, task.hints)} of ${task.hints}` : "A hint");
    ask.dataset.task = task.id;
    ask.addEventListener("click", () => model.send({ hint: task.id }));
    made.append(ask);
  }
  return made;
}

function render({ model, el }) {
  const rooms = model.get("rooms");
  const root = widget("map", "Map of the course", STYLE);
  const panel = element("div", { "aria-live": "polite" });
  const onward = rooms.find((room) => room.next);
  const sum = (name) => rooms.reduce((all, room) => round(all + room[name]), 0);
  const head = element("p", {}, element("strong", {}, `${sum("points")} of ${sum("out_of")} points, about ${hours(sum("minutes_left"))} to go.`));
  if (onward) head.append(" Next: ", door("exercises", onward.stem, onward.next));
  const doors = new Map(rooms.map((room) => {
    const signs = room.tasks.map((task) => MARKS[task.state]).join(" ");
    const left = room.minutes_left ? ` · ${hours(room.minutes_left)} to go` : "";
    const button = element("button", { type: "button", className: `room ${room.state.split(" ")[0]}` },
      element("strong", {}, `${room.key} ${room.name}`), element("span", { className: "faint" }, room.what), element("span", { "aria-hidden": "true", className: "sign" }, signs),
      element("span", { className: "state" }, `${room.state} · ${round(room.points)} of ${room.out_of} points${left}`));
    button.addEventListener("click", () => { model.set("chosen", model.get("chosen") === room.key ? "" : room.key); model.save_changes(); draw(); });
    return [room.key, button];
  }));
  keepKeys(root);
  const draw = () => {
    const room = rooms.find((one) => one.key === model.get("chosen"));
    for (const [key, button] of doors) button.setAttribute("aria-expanded", String(key === room?.key));
    panel.replaceChildren(...(room ? [
      element("p", {}, element("strong", {}, `${room.key} ${room.name}: `), door("notebooks", room.stem, "the lesson"), " · ", door("exercises", room.stem, "the exercise")),
      element("ul", { className: "cards" }, ...room.tasks.map((task) => card(task, model)))] : []));
  };
  model.on("change:hints", () => { const at = document.activeElement?.dataset?.task; draw(); if (at) panel.querySelector(`button[data-task="${at}"]`)?.focus(); });
  root.append(head);
  if (rooms.length > 1) root.append(element("div", { className: "rooms" }, ...doors.values()));
  root.append(panel, element("p", { className: "faint" }, Object.entries(MARKS).map(([state, sign]) => `${sign} ${state}`).join(" · ")));
  draw();
  el.append(root);
}

export default { render };
