// The product's name and the button that opens the list of projects.
const toggle = () => document.body.classList.toggle(innerWidth < 1100 ? "projects-open" : "projects-shut");
const shown = () => {
  const { classList } = document.body;
  menu.setAttribute("aria-expanded", String(innerWidth < 1100 ? classList.contains("projects-open") : !classList.contains("projects-shut")));
};
const menu = h(
  "button",
  { type: "button", className: "quiet square", onclick: toggle, "aria-controls": "projects" },
  icon("menu"),
);
label(menu, "Projects");
menu.title = "Projects";
shown();
new MutationObserver(shown).observe(document.body, { attributeFilter: ["class"] });
const skip = h("a", { className: "skip", href: "#prompt", text: "Go to the prompt" });
skip.addEventListener("click", (event) => {
  event.preventDefault(); // the address names the project, nothing else
  document.querySelector("#prompt textarea")?.focus();
});
element.replaceChildren(
  skip,
  menu,
  h("span", { className: "mark", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
  h("h1", { text: "Chunkwise Studio" }),
);
