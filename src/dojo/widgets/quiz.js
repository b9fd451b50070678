// Questions whose every option says why it is right, or which misconception it is. No request leaves the page.
const STYLE = `
  .dojo-quiz fieldset { border: 0; margin: 0 0 1em; padding: 0; min-width: 0; }
  .dojo-quiz legend { font-size: 1em; line-height: inherit; font-weight: 600; padding: 0; margin-bottom: .3em; }
  .dojo-quiz .option { margin: .3em 0; }
  .dojo-quiz .option > button { display: block; width: 100%; color: var(--dojo-ink); }
  .dojo-quiz .why { border-left: 4px solid var(--kind); margin: .2em 0 .6em; padding: .1em .8em; }
  .dojo-quiz .why strong { color: var(--kind); }
  .dojo-quiz .right { --kind: var(--dojo-promise); }
  .dojo-quiz .not { --kind: var(--dojo-fault); }
  .dojo-quiz .option:is(.right, .not) > button { border-color: var(--kind); border-width: 2px; }
`;
const LETTERS = "abcdef";

function told(questions, chosen) {
  const first = questions.map((_, number) => chosen.find(([q]) => q === number));
  const answered = first.filter(Boolean).length;
  const right = first.filter((one, number) => one && questions[number].options[one[1]].right).length;
  if (!answered) return "Choose an option: it says why it is right, or what is wrong with it.";
  return `${right} of ${answered} right at the first try${answered < questions.length ? `, ${questions.length - answered} to go` : ""}.`;
}

function render({ model, el }) {
  const questions = model.get("questions");
  const said = heard();
  const again = element("button", { type: "button" }, "Begin again");
  const root = widget("quiz", "Quiz", STYLE);
  const places = new Map();
  const set = (chosen) => { model.set("chosen", chosen); model.save_changes(); draw(); };
  questions.forEach((question, q) => {
    const asked = element("fieldset", {}, element("legend", {}, `${q + 1}. ${question.ask}`));
    question.options.forEach((option, o) => {
      const button = element("button", { type: "button" }, `${LETTERS[o]}) ${option.text}`);
      button.addEventListener("click", () => {
        const chosen = model.get("chosen");
        if (!chosen.some(([a, b]) => a === q && b === o)) set([...chosen, [q, o]]);
      });
      const why = element("div", { "aria-live": "polite" });
      const place = element("div", { className: "option" }, button, why);
      places.set(`${q} ${o}`, { place, button, why, option });
      asked.append(place);
    });
    root.append(asked);
  });
  root.append(said, again);
  keepKeys(root);
  again.addEventListener("click", () => { set([]); places.get("0 0").button.focus(); });
  const draw = () => {
    const chosen = new Set(model.get("chosen").map(([q, o]) => `${q} ${o}`));
    for (const [key, { place, button, why, option }] of places) {
      const open = chosen.has(key);
      place.className = `option${open ? (option.right ? " right" : " not") : ""}`;
      button.setAttribute("aria-pressed", String(open));
      if (!open) why.replaceChildren();
      else if (!why.childElementCount)
        why.append(element("p", { className: "why" }, element("strong", {}, option.right ? "Right. " : "Not this one. "), option.why));
    }
    said.textContent = told(questions, model.get("chosen"));
    again.hidden = !chosen.size;
  };
  draw();
  el.append(root);
}

export default { render };
