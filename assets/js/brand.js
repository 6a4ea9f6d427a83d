// The product's name and the button that opens the list of projects.
const toggle = () => {
  const open = document.body.classList.toggle(innerWidth < 1100 ? "projects-open" : "projects-shut");
  menu.setAttribute("aria-expanded", String(innerWidth < 1100 ? open : !open));
};
const menu = h(
  "button",
  { type: "button", className: "quiet square", onclick: toggle, "aria-controls": "projects" },
  icon("menu"),
);
label(menu, "Projects");
menu.title = "Projects";
menu.setAttribute("aria-expanded", String(innerWidth >= 1100));
element.replaceChildren(
  menu,
  h("span", { className: "mark", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
  h("h1", { text: "Chunkwise Studio" }),
);
