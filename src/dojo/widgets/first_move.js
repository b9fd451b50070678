// A bad morning: four first moves, each played on the clock and told in rows and euros. No request leaves the page.
// All figures are ShopFlow's own: its pipeline ran on a file that ended too early, and they were measured.
const STYLE = `
  .dojo-first-move .dojo-moves { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .6rem; margin: .4rem 0 1rem; }
  .dojo-first-move .dojo-moves button { border: 2px solid var(--dojo-model); border-radius: 6px; padding: .45rem 1rem; font-weight: 600; }
  .dojo-first-move .dojo-moves button[aria-pressed="true"] { background: var(--dojo-model); color: var(--dojo-paper); }
  .dojo-first-move .dojo-hands { font-size: 1.5rem; margin: .4rem 0; font-variant-numeric: tabular-nums; }
  .dojo-first-move .dojo-number { font-weight: 650; margin-left: .6rem; }
  .dojo-first-move .dojo-lane-name { margin: .5rem 0 .15rem; font-size: .88rem; color: var(--dojo-faint); }
  .dojo-first-move .dojo-lane { position: relative; height: 1.7rem; background: var(--dojo-code); border-radius: 4px; overflow: hidden; }
  .dojo-first-move .dojo-bar { position: absolute; top: .2rem; bottom: .2rem; background: var(--kind); border-radius: 3px; min-width: 2px; }
  .dojo-first-move .dojo-eight { position: absolute; top: 0; bottom: 0; border-left: 3px solid var(--dojo-ink); }
  .dojo-first-move .dojo-eight::after { content: "08:00"; position: absolute; right: .35rem; top: .2rem; font-size: .8rem; line-height: 1.3; white-space: nowrap; color: var(--dojo-ink); background: var(--dojo-code); padding: 0 .2rem; border-radius: 3px; }
  .dojo-first-move .dojo-legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .85rem; margin: .4rem 0 .8rem; }
  .dojo-first-move .dojo-key-of::before { content: ""; display: inline-block; width: .8em; height: .8em; background: var(--kind); border-radius: 2px; margin-right: .4em; }
  .dojo-first-move .dojo-outcomes { width: 100%; font-size: .92rem; border-collapse: collapse; margin: .5rem 0; }
  .dojo-first-move .dojo-outcomes :is(th, td) { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--dojo-grid); background: none; vertical-align: top; font-variant-numeric: tabular-nums; }
  @media (max-width: 600px) {
    .dojo-first-move .dojo-outcomes thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
    .dojo-first-move .dojo-outcomes :is(tr, th, td) { display: block; border: 0; padding: .05rem 0; }
    .dojo-first-move .dojo-outcomes tr { border-bottom: 1px solid var(--dojo-grid); padding: .4rem 0; }
    .dojo-first-move .dojo-outcomes td::before { content: attr(data-label) ": "; color: var(--dojo-faint); }
    .dojo-first-move .dojo-moves { grid-template-columns: 1fr; }
  }
`;

function render({ model, el }) {
  const found = model.get("figures");
  const root = widget("first-move", "A bad morning to try", STYLE);
  const [ingest, dbt] = found.steps;
  const published = found.steps.at(-1).ends;
  const NOW = published + 6, EIGHT = 8 * 60, LEFT = 6 * 60 + 15, RIGHT = 8 * 60 + 15;
  const LOOK = 5, SEND = 10, HOLD = 1, BY_HAND = 10; // minutes of yours and of the shop's: assumed, and said so below
  const whole = published - ingest.begins, second = published - dbt.begins;
  const missing = found.honest.lines - found.spoilt.lines;
  const guess = Math.round((100 * found.mondays.reduce((sum, one) => sum + one, 0)) / found.mondays.length) / 100;
  const KINDS = { ingest_orders: "source", dbt_run: "model", quality_check: "check", publish: "promise" };

  const clock = (minute) => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(Math.floor(minute % 60)).padStart(2, "0")}`;
  const euros = (amount) => "€" + amount.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const at = (minute) => `${(100 * (Math.min(RIGHT, Math.max(LEFT, minute)) - LEFT)) / (RIGHT - LEFT)}%`;

  // A run from `start` on: its four steps one after the other, as long as they were this morning.
  const run = (start) => found.steps.map((one) => ({
    from: start + one.begins - ingest.begins, to: start + one.ends - ingest.begins, kind: KINDS[one.step], what: one.step }));
  const over = (start) => start + whole;
  const wrong = found.spoilt.euros, right = found.honest.euros;

  function mended(start) {
    const asked = start + LOOK, sent = asked + SEND;
    return {
      acts: [{ from: start, to: asked, kind: "objective", what: "look at what arrived" },
        { from: asked, to: sent, kind: "not-yet", what: "have it sent again" }, ...run(sent)],
      ready: over(sent),
      told: [`${clock(asked)}: the file has ${found.spoilt.lines} order lines, the shop exported ${found.honest.lines}. You ask for it again.`,
        `${clock(sent)}: the whole file is here, and the run starts.`],
    };
  }

  const MOVES = {
    rerun: {
      label: "Run it all again",
      play() {
        return {
          acts: run(NOW), screens: [{ from: published, to: RIGHT, shows: wrong }], lost: missing,
          told: [`${clock(NOW)}: the run starts again, on the same file. It is as short as before.`,
            `${clock(over(NOW))}: green, ${found.tests} tests passed. The number has not moved.`,
            `From dbt_run on, a try takes ${second} minutes, and ${EIGHT - over(NOW)} are left: the second chance is spent.`],
        };
      },
    },
    look: {
      label: "Look at what arrived",
      play() {
        const work = mended(NOW);
        return {
          acts: work.acts, screens: [{ from: published, to: work.ready, shows: wrong }, { from: work.ready, to: RIGHT, shows: right }], lost: 0,
          told: [...work.told, `${clock(work.ready)}: published, and right. Until then the wrong number stood there, and nobody had been told.`],
        };
      },
    },
    hold: {
      label: "Take the number down and say so",
      play() {
        const held = NOW + HOLD, work = mended(held);
        return {
          acts: [{ from: NOW, to: held, kind: "fault", what: "take it down" }, ...work.acts],
          screens: [{ from: published, to: held, shows: wrong }, { from: held, to: work.ready, shows: null }, { from: work.ready, to: RIGHT, shows: right }], lost: 0,
          told: [`${clock(held)}: the dashboard says “Monday is late, next word by 07:45”. Nobody can take a wrong number away any more.`, ...work.told,
            `${clock(work.ready)}: published, and right, with ${EIGHT - work.ready} minutes to spare.`],
        };
      },
    },
    hand: {
      label: "Correct it by hand",
      play() {
        const done = NOW + BY_HAND;
        return {
          acts: [{ from: NOW, to: done, kind: "fault", what: "update … set" }],
          screens: [{ from: published, to: done, shows: wrong }, { from: done, to: RIGHT, shows: guess }], lost: missing,
          told: [`${clock(done)}: you write in the mean of the last four Mondays, ${euros(guess)}. It looks better.`,
            "The order lines are still missing, so merchandising's ranking and the demand model are as wrong as before.",
            "Tomorrow's run writes over it, and no commit says that it ever stood there."],
        };
      },
    },
  };

  const shownAt = (story, minute) => (story.screens.findLast((one) => one.from <= minute) ?? { shows: wrong }).shows;
  const inWords = (shows) => (shows === null ? "late" : euros(shows));
  const kindOf = (shows) => (shows === null ? "objective" : shows === right ? "promise" : "fault");
  const bar = (one, text) => element("span", {
    className: "dojo-bar", title: `${clock(one.from)}–${clock(one.to)} ${text}`,
    style: `left:${at(one.from)};width:calc(${at(one.to)} - ${at(one.from)});--kind:var(--dojo-${one.kind})` });

  const tried = model.get("tried").filter((key) => key in MOVES);
  const buttons = element("div", { className: "dojo-moves", role: "group", "aria-label": "First moves" });
  const stage = element("div", { className: "dojo-stage", hidden: true });
  const hands = element("p", { className: "dojo-hands", "aria-hidden": "true" });
  const screen = element("div", { className: "dojo-lane", "aria-hidden": "true" });
  const acts = element("div", { className: "dojo-lane", "aria-hidden": "true" });
  const legend = element("p", { className: "dojo-legend" });
  const told = element("div", { "aria-live": "polite" });
  const table = element("div");
  stage.append(hands, element("p", { className: "dojo-lane-name", textContent: "What the dashboard shows" }), screen,
    element("p", { className: "dojo-lane-name", textContent: "What you do" }), acts, legend, told, table);
  keepKeys(root);
  root.append(buttons, stage);

  function outcome(key) {
    const story = MOVES[key].play(), reads = shownAt(story, EIGHT);
    const stood = story.screens.filter((one) => one.shows !== null && one.shows !== right)
      .reduce((sum, one) => sum + Math.min(one.to, EIGHT) - one.from, 0);
    return [MOVES[key].label, inWords(reads), reads === right ? "nothing" : euros(Math.abs(right - reads)), String(story.lost), `${stood} min`];
  }

  function compare() {
    const head = ["first move", "finance reads at 08:00", "off by", "order lines missing", "a wrong number stood there for"];
    const rows = tried.map((key) => element("tr", {}, ...outcome(key).map((text, n) =>
      element(n ? "td" : "th", n ? { textContent: text, "data-label": head[n] } : { textContent: text, scope: "row" }))));
    const left = Object.keys(MOVES).length - tried.length;
    table.replaceChildren(
      element("table", { className: "dojo-outcomes" }, element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { textContent: text, scope: "col" })))),
        element("tbody", {}, ...rows)),
      element("p", { className: "faint", textContent: left ? `${left} more to try.`
        : "All four tried. Stopping the reader comes first, because it is the only move that helps before you know anything." }));
  }

  let playing = 0;
  function draw(story, minute) {
    const done = (list) => list.filter((one) => one.from < minute).map((one) => ({ ...one, to: Math.min(one.to, minute) }));
    screen.replaceChildren(...done(story.screens).map((one) => bar({ ...one, kind: kindOf(one.shows) }, inWords(one.shows))), eight());
    acts.replaceChildren(...done(story.acts).map((one) => bar(one, one.what)), eight());
    const shows = shownAt(story, minute);
    hands.replaceChildren(element("strong", { textContent: clock(minute) }), " ",
      element("span", { className: "dojo-number", textContent: inWords(shows), style: `color:var(--dojo-${kindOf(shows)})` }));
  }
  const eight = () => element("span", { className: "dojo-eight", style: `left:${at(EIGHT)}` });

  function play(key) {
    const story = MOVES[key].play(), id = (playing += 1);
    if (!tried.includes(key)) tried.push(key);
    model.set("tried", [...tried]);
    model.save_changes();
    for (const one of buttons.children) one.setAttribute("aria-pressed", String(one.dataset.move === key));
    stage.hidden = false;
    told.replaceChildren();
    legend.replaceChildren(...story.acts.map((one) => element("span", { className: "dojo-key-of", style: `--kind:var(--dojo-${one.kind})`, textContent: one.what })));
    const finish = () => {
      draw(story, RIGHT);
      told.replaceChildren(element("ol", {}, ...story.told.map((text) => element("li", { textContent: text }))));
      compare();
    };
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return finish();
    const begun = performance.now(), lasts = 2600;
    const step = (now) => {
      if (id !== playing) return;
      const share = Math.min(1, (now - begun) / lasts);
      if (share === 1) return finish();
      draw(story, published + (RIGHT - published) * share);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  for (const [key, move] of Object.entries(MOVES))
    buttons.append(element("button", { type: "button", textContent: move.label, "data-move": key, "aria-pressed": "false", onclick: () => play(key) }));
  root.append(element("p", { className: "faint", textContent:
    `Assumed: you look for ${LOOK} minutes, and the shop sends the file again within ${SEND}. The run takes its ${whole} minutes.` }));
  el.append(root);
}

export default { render };
