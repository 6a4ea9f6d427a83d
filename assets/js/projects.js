// All projects, newest first.
const shut = () => document.body.classList.remove("projects-open");
// Where the list slides over the page, the keys go along with it and come back.
let over = false;
const reach = () => { // nothing hidden takes the focus, and the list appears over some frames
  away.focus();
  if (over && document.activeElement !== away) requestAnimationFrame(reach);
};
const accompany = () => {
  const open = document.body.classList.contains("projects-open");
  if (open === over) return;
  over = open;
  if (open) reach();
  else document.querySelector("#brand button")?.focus();
};
new MutationObserver(accompany).observe(document.body, { attributeFilter: ["class"] });
const fresh = h(
  "button",
  { type: "button", className: "row-button new", onclick: () => { shut(); trigger("fresh"); } },
  icon("plus"),
  h("span", { text: "New project" }),
);
const heading = h("h2", { text: "Projects" });
const list = h("ul");
const none = h("p", { className: "faint", text: "Projects are kept here as soon as you make something." });
const away = h("button", { type: "button", className: "quiet square away", onclick: shut }, icon("close"));
label(away, "Close the list of projects");
const rail = h("nav", { className: "rail" }, h("header", {}, heading, away), fresh, none, list);
label(rail, "Projects");
const veil = h("div", { className: "veil", onclick: shut });
element.replaceChildren(veil, rail);
addEventListener("studio:go", (event) => trigger("open", event.detail));
document.addEventListener("keydown", (event) => { if (event.key === "Escape") shut(); });

const make = (item) => {
  const picture = h("span", { className: "thumb" });
  const name = h("b", { dir: "auto" });
  const small = h("small");
  const open = h("button", { type: "button", className: "row-button" }, picture, h("span", {}, name, small));
  const row = h("li", {}, open);
  open.addEventListener("click", () => { shut(); trigger("open", { id: item.key }); });
  row.deletes = binFor(row, () => {
    dispatchEvent(new CustomEvent("studio:gone", { detail: { id: item.key } }));
    trigger("remove", { id: item.key });
  });
  return row;
};

const update = (row, item) => {
  const open = row.firstChild;
  say(open.querySelector("b"), item.title);
  say(open.querySelector("small"), item.length);
  open.setAttribute("aria-current", String(item.key === props.value.current));
  row.deletes(`Delete ${item.title}`);
  const picture = open.querySelector(".thumb");
  const source = item.poster ? `url("${item.poster}")` : "";
  if (picture.dataset.source !== source) {
    picture.dataset.source = source;
    picture.style.backgroundImage = source;
  }
};

const draw = () => {
  const { items = [] } = props.value || {};
  none.hidden = items.length > 0;
  keyed(list, items, make, update);
};
watch("value", draw);
draw();
