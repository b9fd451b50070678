// The bad morning on the landing page: four first moves, each played on the clock and told in rows and euros.
// All figures come from the page, where the build has put what ShopFlow's own pipeline measured.
(() => {
  const root = document.getElementById("taste");
  const source = document.getElementById("taste-figures");
  if (!root || !source) return;
  const found = JSON.parse(source.textContent);
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

  const make = (tag, options = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(options)) key in made ? (made[key] = value) : made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const shownAt = (story, minute) => (story.screens.findLast((one) => one.from <= minute) ?? { shows: wrong }).shows;
  const inWords = (shows) => (shows === null ? "late" : euros(shows));
  const kindOf = (shows) => (shows === null ? "objective" : shows === right ? "promise" : "fault");
  const bar = (one, text) => make("span", {
    className: "dojo-bar", title: `${clock(one.from)}–${clock(one.to)} ${text}`,
    style: `left:${at(one.from)};width:calc(${at(one.to)} - ${at(one.from)});--kind:var(--dojo-${one.kind})` });

  // What was tried is kept where the browser allows it.
  const before = () => { try { return JSON.parse(localStorage.getItem("dojo:taste") ?? "[]"); } catch { return []; } };
  const keep = (list) => { try { localStorage.setItem("dojo:taste", JSON.stringify(list)); } catch { /* not kept */ } };
  const tried = before().filter((key) => key in MOVES);
  const buttons = make("div", { className: "dojo-moves", role: "group", "aria-label": "First moves" });
  const stage = make("div", { className: "dojo-stage", hidden: true });
  const hands = make("p", { className: "dojo-hands", "aria-hidden": "true" });
  const screen = make("div", { className: "dojo-lane", "aria-hidden": "true" });
  const acts = make("div", { className: "dojo-lane", "aria-hidden": "true" });
  const legend = make("p", { className: "dojo-legend" });
  const told = make("div", { "aria-live": "polite" });
  const table = make("div");
  stage.append(hands, make("p", { className: "dojo-lane-name", textContent: "What the dashboard shows" }), screen,
    make("p", { className: "dojo-lane-name", textContent: "What you do" }), acts, legend, told, table);
  root.append(buttons, stage);

  function outcome(key) {
    const story = MOVES[key].play(), reads = shownAt(story, EIGHT);
    const stood = story.screens.filter((one) => one.shows !== null && one.shows !== right)
      .reduce((sum, one) => sum + Math.min(one.to, EIGHT) - one.from, 0);
    return [MOVES[key].label, inWords(reads), reads === right ? "nothing" : euros(Math.abs(right - reads)), String(story.lost), `${stood} min`];
  }

  function compare() {
    const head = ["first move", "finance reads at 08:00", "off by", "order lines missing", "a wrong number stood there for"];
    const rows = tried.map((key) => make("tr", {}, ...outcome(key).map((text, n) =>
      make(n ? "td" : "th", n ? { textContent: text, "data-label": head[n] } : { textContent: text, scope: "row" }))));
    const left = Object.keys(MOVES).length - tried.length;
    table.replaceChildren(
      make("table", { className: "dojo-outcomes" }, make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { textContent: text, scope: "col" })))),
        make("tbody", {}, ...rows)),
      make("p", { className: "dojo-small", textContent: left ? `${left} more to try.`
        : "All four tried. Stopping the reader comes first, because it is the only move that helps before you know anything." }));
  }

  let playing = 0;
  function draw(story, minute) {
    const done = (list) => list.filter((one) => one.from < minute).map((one) => ({ ...one, to: Math.min(one.to, minute) }));
    screen.replaceChildren(...done(story.screens).map((one) => bar({ ...one, kind: kindOf(one.shows) }, inWords(one.shows))), eight());
    acts.replaceChildren(...done(story.acts).map((one) => bar(one, one.what)), eight());
    const shows = shownAt(story, minute);
    hands.replaceChildren(make("strong", { textContent: clock(minute) }), " ",
      make("span", { className: "dojo-number", textContent: inWords(shows), style: `color:var(--dojo-${kindOf(shows)})` }));
  }
  const eight = () => make("span", { className: "dojo-eight", style: `left:${at(EIGHT)}` });

  function play(key) {
    const story = MOVES[key].play(), id = (playing += 1);
    if (!tried.includes(key)) tried.push(key);
    keep(tried);
    for (const one of buttons.children) one.setAttribute("aria-pressed", String(one.dataset.move === key));
    stage.hidden = false;
    told.replaceChildren();
    legend.replaceChildren(...story.acts.map((one) => make("span", { className: "dojo-key-of", style: `--kind:var(--dojo-${one.kind})`, textContent: one.what })));
    const finish = () => {
      draw(story, RIGHT);
      told.replaceChildren(make("ol", {}, ...story.told.map((text) => make("li", { textContent: text }))));
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
    buttons.append(make("button", { type: "button", textContent: move.label, "data-move": key, "aria-pressed": "false", onclick: () => play(key) }));
  root.append(make("p", { className: "dojo-small", textContent:
    `Assumed: you look for ${LOOK} minutes, and the shop sends the file again within ${SEND}. The run takes its ${whole} minutes.` }));
})();
