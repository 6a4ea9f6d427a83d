// The film as a strip: one bar a chunk, as long as it plays. Other endings are listed below it.
const title = h("h2", { text: "Timeline" });
const length = h("span", { className: "length" });
const undo = h("button", { type: "button", className: "quiet undo" }, icon("back"), h("span", { text: "Undo" }));
undo.title = "Take the last chunk off the film (it is kept as another ending)";
const head = h("b", { className: "playhead", hidden: true });
const strip = h("ol", { className: "strip" });
label(strip, "Chunks of the film");
const reel = h("div", { className: "reel" }, strip, head);
const detail = h("div", { className: "detail", hidden: true });
const others = h("div", { className: "others", hidden: true });
const box = h("section", { className: "timeline" }, h("header", {}, title, length, undo), reel, detail, others);
element.replaceChildren(box);
let chosen = null;

// A press that leaves candidates behind asks first; the second one within four seconds means it.
const leaving = (button, words, act) => {
  let calm = null;
  button.addEventListener("click", () => {
    const waiting = props.value?.waiting;
    if (calm || !waiting) {
      calm?.();
      act();
      return;
    }
    const [said, called, question] = [words.textContent, button.getAttribute("aria-label"), `Drop ${waiting}?`];
    say(words, question);
    if (called) label(button, `${question} ${called}`);
    const later = setTimeout(() => calm?.(), 4000);
    calm = () => {
      clearTimeout(later);
      calm = null;
      say(words, said);
      if (called) label(button, called);
    };
  });
  button.addEventListener("blur", () => calm?.());
};
leaving(undo, undo.lastChild, () => trigger("undo"));

// The strip goes along with the playhead and to what is new. Whoever scrolls it is left alone until they turn to
// something else on the page.
let led = true;
let hand = false; // whether the next scrolling is the person's
let goal = null;
for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"]) reel.addEventListener(kind, () => (hand = true), { passive: true });
for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, (event) => { if (!reel.contains(event.target)) led = true; });
reel.addEventListener("scroll", () => { if (hand) { led = false; goal = null; } });
const lead = (left) => {
  if (!led || left === goal) return;
  goal = left;
  hand = false;
  reel.scrollTo({ left, behavior: stillness.matches ? "auto" : "smooth" });
};

const make = (item) => {
  if (item.pending) return h("li", { className: "segment pending" }, h("span", { className: "film" }), h("span", { className: "caption", text: item.prompt }));
  const bar = h("button", { type: "button", className: "film" }, h("span", { className: "pictures" }), h("span", { className: "place" }));
  const caption = h("span", { className: "caption" }, h("b", { dir: "auto" }), h("small", { className: "long" }), h("small", { className: "short", "aria-hidden": "true" }));
  const node = h("li", { className: "segment" }, bar, caption);
  bar.addEventListener("click", () => {
    chosen = chosen === item.key ? null : item.key;
    dispatchEvent(new CustomEvent("studio:seek", { detail: { time: node.start + 0.001 } }));
    draw();
  });
  return node;
};

const update = (node, item, place) => {
  node.style.flexGrow = String(item.seconds || 1);
  if (item.pending) {
    say(node.lastChild, item.prompt);
    return;
  }
  node.start = item.start;
  const pictures = node.querySelector(".pictures");
  if (pictures.dataset.source !== item.poster) {
    pictures.dataset.source = item.poster;
    pictures.style.backgroundImage = `url("${item.poster}")`;
    node.style.setProperty("--ratio", String(item.ratio));
  }
  say(node.querySelector(".place"), String(place + 1));
  say(node.querySelector(".caption b"), item.prompt || "From the image alone");
  say(node.querySelector(".long"), item.note);
  say(node.querySelector(".short"), item.short);
  const bar = node.firstChild;
  bar.setAttribute("aria-expanded", String(chosen === item.key));
  label(bar, `Chunk ${place + 1}, ${item.note}: ${item.prompt}`);
  node.classList.toggle("chosen", chosen === item.key);
};

const show = (item, place, last, busy) => {
  detail.hidden = !item;
  if (!item) return;
  const facts = h("dl", {}, ...item.facts.map(([name, text]) => h("div", { className: text.length > 60 ? "long" : "" }, h("dt", { text: name }), h("dd", { text }))));
  const restart = h("button", { type: "button", className: "button", disabled: busy || last }, icon("fork"), h("span", { text: last ? "The film goes on from here" : "Carry on from here" }));
  leaving(restart, restart.lastChild, () => { chosen = null; trigger("restart", { id: item.key }); });
  const play = h("button", { type: "button", className: "quiet" }, icon("play"), h("span", { text: "Play" }));
  play.addEventListener("click", () => {
    dispatchEvent(new CustomEvent("studio:seek", { detail: { time: item.start + 0.001 } }));
    document.querySelector("video.film")?.play().catch(() => {});
  });
  detail.replaceChildren(h("p", { className: "said", dir: "auto", text: item.prompt || "From the image alone" }), facts, h("div", { className: "acts" }, play, restart));
};

const branch = (item) => {
  const thumb = h("span", { className: "thumb" });
  thumb.style.backgroundImage = `url("${item.poster}")`;
  const open = h("button", { type: "button", className: "row-button" }, thumb, h("span", {}, h("b", { dir: "auto", text: item.prompt }), h("small", { text: item.note })));
  label(open, `Switch to the ending “${item.prompt}”, ${item.note}`);
  leaving(open, open.querySelector("b"), () => trigger("restart", { id: item.key }));
  const row = h("li", {}, open);
  binFor(row, () => trigger("discard", { id: item.key }))(`Delete the ending “${item.prompt}”`);
  return row;
};

let drawn = "";
let before = 0; // where the film stood when last told
const draw = () => {
  const { items = [], others: tips = [], busy = false, undoable = false } = props.value || {};
  box.hidden = items.length === 0 && tips.length === 0;
  undo.disabled = busy || !undoable;
  if (!items.some((item) => item.key === chosen)) chosen = null;
  const had = new Set([...strip.children].map((node) => node.dataset.key));
  keyed(strip, items, make, update);
  if (items.some(({ key }) => had.has(key)) && !had.has(items.at(-1).key)) lead(reel.scrollWidth);
  say(length, props.value?.length || "");
  const place = items.findIndex((item) => item.key === chosen);
  const last = place === items.filter((item) => !item.pending).length - 1;
  const now = JSON.stringify([chosen, last, busy, items[place]]);
  if (now !== drawn) { drawn = now; show(items[place], place, last, busy); }
  others.hidden = tips.length === 0;
  const kept = JSON.stringify(tips);
  if (others.dataset.kept !== kept) {
    others.dataset.kept = kept;
    others.replaceChildren(h("h3", { text: tips.length === 1 ? "Another ending" : "Other endings" }), h("ul", {}, ...tips.map(branch)));
  }
};
addEventListener("studio:time", (event) => {
  const { time, total } = event.detail;
  const bars = [...strip.querySelectorAll(".segment:not(.pending)")];
  head.hidden = !total || bars.length === 0;
  if (head.hidden) return;
  const at = [...bars].reverse().find((bar) => bar.start <= time + 1e-3) || bars[0];
  const next = bars[bars.indexOf(at) + 1];
  const until = next ? next.start : total;
  const share = Math.min(1, (time - at.start) / Math.max(until - at.start, 1e-3));
  const bar = at.firstChild;
  const place = at.offsetLeft + share * bar.offsetWidth;
  head.style.transform = `translateX(${place}px)`;
  const seen = place >= reel.scrollLeft && place <= reel.scrollLeft + reel.clientWidth;
  if (seen) goal = null;
  else if (time > 0 && time !== before) lead(at.offsetLeft); // a film that waits at its beginning leads nowhere
  before = time;
  bars.forEach((each) => each.classList.toggle("playing", each === at && time > 0));
});
watch("value", draw);
draw();
