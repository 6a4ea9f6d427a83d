// The candidates of a search: looping clips, best first, picked by click or by the keys 1 to 8.
const title = h("h2", { text: "Candidates" });
const about = h("span");
const keys = h("span", { className: "keys" });
const back = h("button", { type: "button", className: "quiet", text: "Show the film" });
const list = h("div", { className: "takes", role: "listbox" });
label(list, "Candidates, best first");
const box = h("section", { className: "gallery" }, h("header", {}, h("div", {}, title, h("p", { className: "faint" }, about, " ", keys)), back), list);
element.replaceChildren(box);
const stage = () => element.closest("#stage");
let seen = null;
back.addEventListener("click", () => {
  stage()?.classList.add("film-first");
  stage()?.querySelector(".to-candidates")?.focus();
});

// One candidate is reached by the tabulator, the others from there by the arrows, as in any list box.
let stop = null;
const options = () => [...list.querySelectorAll("[role=option]")];
const roam = () => {
  const all = options();
  const at = all.find((take) => take.dataset.key === stop) || all[0];
  for (const take of all) take.tabIndex = take === at ? 0 : -1;
};
list.addEventListener("focusin", (event) => {
  stop = event.target.closest("[role=option]")?.dataset.key ?? stop;
  roam();
});
list.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const all = options();
  const place = all.indexOf(document.activeElement);
  const row = all.filter((take) => take.offsetTop === all[0].offsetTop).length;
  const to = { ArrowLeft: place - 1, ArrowRight: place + 1, ArrowUp: place - row, ArrowDown: place + row, Home: 0, End: all.length - 1 }[event.key];
  if (place < 0 || to === undefined) return;
  event.preventDefault();
  all[to]?.focus();
});

// Who picked with the keyboard goes on from the film, or from the prompt where there is none yet.
const leave = () => setTimeout(() => {
  if (document.activeElement && document.activeElement !== document.body) return;
  const play = stage()?.querySelector(".under:not([hidden]) .toggle");
  (play || document.querySelector("#prompt textarea"))?.focus();
}, 50);

const pick = (key) => {
  if (!props.value || !props.value.open) return;
  for (const take of list.children) take.classList.toggle("picked", take.dataset.key === String(key));
  box.classList.add("making");
  trigger("pick", { id: key });
};

const make = (item) => {
  if (!item.clip) return h("div", { className: "take waiting", "aria-hidden": "true" }, h("span", { className: "frame" }));
  const video = loop(item.clip);
  const badge = h("span", { className: "badge" }, h("b", { className: "rank" }), h("span", { className: "best", text: "Best" }));
  const frame = h("span", { className: "frame" }, video, badge, h("span", { className: "scores" }));
  const take = h("button", { type: "button", className: "take", role: "option" }, frame);
  take.addEventListener("click", () => pick(item.key));
  for (const kind of ["mouseenter", "focus"]) take.addEventListener(kind, () => video.play().catch(() => {}));
  for (const kind of ["mouseleave", "blur"]) take.addEventListener(kind, () => { if (stillness.matches) video.pause(); });
  return take;
};

const update = (take, item, place) => {
  if (!item.clip) return;
  const { open, picked } = props.value;
  const video = take.querySelector("video");
  if (video.getAttribute("src") !== item.clip) video.src = item.clip;
  say(take.querySelector(".rank"), String(place + 1));
  take.classList.toggle("first", place === 0);
  take.classList.toggle("picked", item.key === picked);
  take.setAttribute("aria-selected", String(item.key === picked));
  take.setAttribute("aria-disabled", String(!open));
  const words = item.scores.map((score) => `${score.name} ${score.text}`).join(", ");
  label(take, `Candidate ${place + 1}${place === 0 ? ", best" : ""}. ${words}. Press to make it in full.`);
  const rows = take.querySelector(".scores");
  keyed(
    rows,
    item.scores.map((score) => ({ ...score, key: score.name })),
    (score) => h("span", { className: "score" }, h("span", { className: "name", text: score.name }), h("span", { className: "number" }), h("i", {}, h("b"))),
    (row, score) => {
      row.querySelector("b").style.width = `${Math.round(100 * score.share)}%`;
      say(row.querySelector(".number"), score.text);
      row.title = score.meaning;
    },
  );
};

// Cards glide to their new rank instead of jumping there.
const glide = (change) => {
  const before = new Map([...list.children].map((node) => [node, node.getBoundingClientRect()]));
  change();
  if (stillness.matches) return;
  for (const node of list.children) {
    const was = before.get(node);
    const is = node.getBoundingClientRect();
    if (!was) node.animate([{ opacity: 0, transform: "scale(.96)" }, { opacity: 1, transform: "none" }], { duration: 320, easing: "ease-out" });
    else if (was.left !== is.left || was.top !== is.top)
      node.animate([{ transform: `translate(${was.left - is.left}px, ${was.top - is.top}px)` }, { transform: "none" }], { duration: 380, easing: "cubic-bezier(.2,.8,.2,1)" });
  }
};

const draw = () => {
  const { id = null, items = [], waiting = 0, sentence = "", keys: pressed = "", film = false, making = false } = props.value || {};
  if (id !== seen) {
    seen = id;
    stage()?.classList.remove("film-first");
  }
  const focused = box.contains(document.activeElement) ? document.activeElement : null;
  const byKeys = focused?.matches(":focus-visible");
  if (id === null && byKeys) {
    focused.blur();
    leave();
  }
  box.hidden = id === null;
  stage()?.classList.toggle("choosing", id !== null);
  box.classList.toggle("making", making);
  back.hidden = !film;
  say(about, sentence);
  say(keys, pressed);
  list.dataset.count = String(items.length + waiting);
  const slots = Array.from({ length: waiting }, (_, place) => ({ key: `waiting-${place}` }));
  glide(() => keyed(list, [...items, ...slots], make, update));
  roam();
  if (id !== null && focused?.isConnected && document.activeElement !== focused) focused.focus();
  list.querySelectorAll("video").forEach(resume);
};
// What was refused is told in the notice; the candidates can be picked again.
addEventListener("studio:notice", draw);
watch("value", draw);
draw();
