// The film so far, the chunk that is being made, or, on an empty project, how to begin.
const glow = h("div", { className: "glow", "aria-hidden": "true" });
const film = h("video", { className: "film", playsInline: true, preload: "auto" });
label(film, "The film so far");
const live = h("div", { className: "live" });
const empty = h("div", { className: "empty" });
const toggle = h("button", { type: "button", className: "quiet square toggle" }, icon("play"));
const scrub = h("input", { type: "range", className: "scrub", min: "0", max: "1", step: "0.001", value: "0" });
label(scrub, "Position in the film");
const clock = h("span", { className: "clock" });
const again = h("button", { type: "button", className: "quiet to-candidates", text: "Candidates" });
const wide = h("button", { type: "button", className: "quiet square", title: "Full screen" }, icon("wide"));
label(wide, "Full screen");
const save = h("a", { className: "quiet download", title: "Download mp4" }, icon("down"), h("span", { text: "Download mp4" }));
const FORMATS = [
  ["webm", "WebM", "for the web"],
  ["gif", "GIF", "plays anywhere, large"],
  ["frames", "PNG frames", "a zip of every frame"],
  ["otioz", "Editor bundle", "clips on a timeline, OpenTimelineIO"],
];
const formats = h("ul", { className: "menu" });
const more = h("details", { className: "formats" }, h("summary", { className: "quiet square", title: "Other formats" }, icon("more")), formats);
label(more.firstChild, "Other formats");
const shutFormats = () => { more.open = false; more.classList.remove("at-work"); };
for (const [kind, name, note] of FORMATS) {
  const choose = h("button", { type: "button" }, h("b", { text: name }), h("small", { text: note }));
  choose.addEventListener("click", () => {
    if (more.classList.contains("at-work")) return;
    more.classList.add("at-work");
    trigger("save", { kind });
  });
  formats.append(h("li", {}, choose));
}
more.addEventListener("focusout", (event) => { if (!more.contains(event.relatedTarget)) more.open = false; });
more.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  shutFormats();
  more.firstChild.focus();
});
const bar = h("footer", { className: "under" }, toggle, scrub, clock, again, wide, save, more);
const screen = h("div", { className: "screen" }, glow, film, live, empty);
element.replaceChildren(h("section", { className: "player" }, screen, bar));
label(element.firstChild, "Film");
again.addEventListener("click", () => {
  const stage = element.closest("#stage");
  stage?.classList.remove("film-first");
  stage?.querySelector(".gallery header button")?.focus();
});
wide.addEventListener("click", () => (film.requestFullscreen || film.webkitEnterFullscreen)?.call(film));

// By way of a blob, because the server's own header would name the file after its content.
const download = async (url, name) => {
  const address = URL.createObjectURL(await (await fetch(url)).blob());
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
};
save.addEventListener("click", (event) => {
  event.preventDefault();
  download(save.href, save.getAttribute("download"));
});

const play = () => (film.paused ? film.play().catch(() => {}) : film.pause());
toggle.addEventListener("click", play);
film.addEventListener("click", play);
scrub.addEventListener("input", () => (film.currentTime = Number(scrub.value) * (film.duration || 0)));
const announce = () => {
  const { currentTime: time, duration } = film;
  const total = duration || 0;
  scrub.value = total ? String(time / total) : "0";
  scrub.style.setProperty("--done", `${total ? (100 * time) / total : 0}%`);
  say(clock, played(time, total));
  scrub.setAttribute("aria-valuetext", `${time.toFixed(1)} of ${total.toFixed(1)} seconds`);
  dispatchEvent(new CustomEvent("studio:time", { detail: { time, total } }));
};
const state = () => {
  toggle.replaceChildren(icon(film.paused ? "play" : "pause"));
  label(toggle, film.paused ? "Play the film" : "Pause the film");
  announce();
};
const smooth = () => {
  if (film.paused) return;
  announce();
  requestAnimationFrame(smooth);
};
for (const kind of ["timeupdate", "seeked", "loadedmetadata"]) film.addEventListener(kind, announce);
for (const kind of ["play", "pause", "ended"]) film.addEventListener(kind, state);
film.addEventListener("play", () => requestAnimationFrame(smooth));
addEventListener("studio:seek", (event) => {
  film.currentTime = event.detail.time;
  element.closest("#stage")?.classList.add("film-first");
});
state();

const example = ({ prompt, clip }) => {
  const use = h("button", { type: "button", className: clip ? "example" : "chip" });
  if (clip) {
    const video = loop(clip);
    use.append(h("span", { className: "frame" }, video), h("span", { className: "words", text: prompt }));
    use.addEventListener("mouseenter", () => video.play().catch(() => {}));
  } else use.textContent = prompt;
  use.addEventListener("click", () => studioPrompt(prompt));
  return use;
};

const begin = (examples) =>
  empty.replaceChildren(
    h("h2", { text: "What will happen?" }),
    h("p", { text: HOW }),
    h("div", { className: "examples" }, ...examples.slice(0, 8).map(example)),
  );

const studioPrompt = (text) => {
  const box = document.querySelector("#prompt textarea");
  if (!box) return;
  box.value = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  box.focus();
};

let begun = false;
let shown = null; // the last chunk of the film in the player
let before = null; // where the newest chunk began when last drawn; null until the first drawing
const draw = () => {
  const { url = null, head = null, poster = "", newest = 0, name = "film", saved = null, examples = [], making = null } = props.value || {};
  if (!begun && examples.length) {
    begun = true;
    begin(examples);
  }
  const stage = element.closest("#stage");
  stage?.classList.toggle("empty-stage", !url && !making);
  empty.hidden = Boolean(url || making);
  film.hidden = !url || Boolean(making);
  bar.hidden = !url;
  const picture = poster ? `url("${poster}")` : "";
  if (glow.dataset.shown !== picture) {
    glow.dataset.shown = picture;
    glow.style.backgroundImage = picture;
  }
  if (url && film.getAttribute("src") !== url) {
    const renamed = head === shown;
    const { currentTime: at, paused, ended } = film;
    shown = head;
    film.poster = poster;
    film.src = url;
    if (renamed) film.currentTime = at;
    if (renamed && !paused && !ended) film.play().catch(() => {});
    // Just made: show what is new. On a reload or an undo, or for those who want stillness, wait for the button.
    if (before !== null && newest > before && !stillness.matches) {
      film.currentTime = newest;
      film.play().catch(() => {});
    }
  }
  if (!url && film.hasAttribute("src")) {
    film.removeAttribute("src");
    film.load();
  }
  before = url ? newest : -1;
  live.hidden = !making;
  if (making && live.dataset.clip !== making) {
    live.dataset.clip = making;
    const next = loop(making);
    next.addEventListener("loadeddata", () => [...live.children].slice(0, -1).forEach((old) => old.remove()), { once: true });
    live.append(next);
  }
  if (!making) {
    live.replaceChildren();
    live.dataset.clip = "";
  }
  if (url) {
    save.href = url;
    save.setAttribute("download", `${name}.mp4`);
  }
  if (saved && more.classList.contains("at-work")) {
    shutFormats();
    download(saved, name + saved.slice(saved.lastIndexOf(".")));
  }
};
// A film that could not be saved is told in the notice; the menu can be used again.
addEventListener("studio:notice", shutFormats);
watch("value", draw);
draw();
