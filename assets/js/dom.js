// Shared by every panel. Text from people only ever enters the page through textContent.
const h = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, given] of Object.entries(attributes)) {
    if (given === null || given === undefined || given === false) continue;
    if (name === "text") node.textContent = given;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), given);
    else if (name in node && name !== "list") node[name] = given;
    else node.setAttribute(name, given);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
};

const say = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

const label = (node, text) => {
  if (node.getAttribute("aria-label") !== text) node.setAttribute("aria-label", text);
};

// One node an item, made once and kept: a clip that plays is not touched when its neighbours change.
const keyed = (parent, items, make, update) => {
  const had = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  items.forEach((item, place) => {
    const key = String(item.key);
    let node = had.get(key);
    if (node) had.delete(key);
    else {
      node = make(item);
      node.dataset.key = key;
    }
    if (update) update(node, item, place);
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] || null);
  });
  had.forEach((node) => node.remove());
};

// A button that deletes: the first press asks, the second within four seconds means it.
const binFor = (row, remove) => {
  const bin = h("button", { type: "button", className: "quiet square bin" }, icon("bin"));
  let sure = 0;
  const calm = () => { row.classList.remove("sure"); bin.replaceChildren(icon("bin")); label(bin, bin.dataset.says || "Delete"); clearTimeout(sure); sure = 0; };
  bin.addEventListener("click", () => {
    if (sure) { calm(); remove(); return; }
    row.classList.add("sure");
    bin.replaceChildren(h("span", { text: "Delete?" }));
    label(bin, `${bin.dataset.says || "Delete"}? Press again to delete`);
    sure = setTimeout(calm, 4000);
  });
  bin.addEventListener("blur", calm);
  row.append(bin);
  return (says) => { bin.dataset.says = says; if (!sure) label(bin, says); };
};

// How the studio is used, told to whoever has no film yet.
const HOW = "Describe one moment. The studio draws several candidates, quick and rough; you choose one, it is made in full, and the next moment goes on from there.";

const stillness = matchMedia("(prefers-reduced-motion: reduce)");

const loop = (source) => {
  const video = h("video", { muted: true, loop: true, playsInline: true, preload: "auto" });
  video.muted = true;
  video.tabIndex = -1;
  video.setAttribute("aria-hidden", "true");
  if (!stillness.matches) video.autoplay = true;
  video.src = source;
  return video;
};

const resume = (video) => {
  if (!stillness.matches && video.paused) video.play().catch(() => {});
};

// How far a film has played, both numbers in the same way: 3.2 / 12.5 s, or 0:59 / 1:20.
const played = (time, total) => {
  if (total < 60) return `${time.toFixed(1)} / ${total.toFixed(1)} s`;
  const minutes = (value) => `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, "0")}`;
  return `${minutes(time)} / ${minutes(total)}`;
};

const icon = (name) => {
  const paths = {
    menu: "M3 5h14M3 10h14M3 15h9",
    plus: "M10 4v12M4 10h12",
    bin: "M4 6h12M8 6V4h4v2M6 6l1 10h6l1-10",
    close: "M5 5l10 10M15 5L5 15",
    down: "M10 3v10M5.5 9L10 13.5 14.5 9M4 17h12",
    more: "M5 8l5 5 5-5",
    back: "M8 5L4 9l4 4M4 9h8a4 4 0 0 1 0 8h-2",
    play: "M6.500 4.500l9 5.500-9 5.500z",
    pause: "M7 5v10M13 5v10",
    wide: "M4 8V4h4M16 8V4h-4M4 12v4h4M16 12v4h-4",
    stop: "M6 6h8v8H6z",
    moon: "M16 11.5A6.5 6.5 0 0 1 8.5 4 6.5 6.5 0 1 0 16 11.5z",
    fork: "M5 4v12M5 10c6 0 9-1 9-6M11.5 6.5L14 4l2.500 2.5",
    warn: "M10 4l7 12H3zM10 8.500v4M10 14.200v.1",
    check: "M4 10.500l4 4 8-9",
  };
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  picture.setAttribute("viewBox", "0 0 20 20");
  picture.setAttribute("aria-hidden", "true");
  picture.classList.add("icon");
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", paths[name]);
  picture.append(line);
  return picture;
};
