// Whether the model is loaded, and the switch between light and dark.
const words = h("span", { className: "words", role: "status" });
const why = h("p");
const pill = h("details", { className: "pill" }, h("summary", {}, h("i"), words), why);
pill.addEventListener("focusout", () => pill.removeAttribute("open"));
const shade = h("button", { type: "button", className: "quiet square", title: "Light or dark" }, icon("moon"));
label(shade, "Switch between light and dark");
shade.addEventListener("click", () => {
  const dark = document.body.classList.toggle("dark");
  localStorage.setItem("studio:shade", dark ? "dark" : "light");
});
element.replaceChildren(pill, shade);
const draw = () => {
  const { ready = false, sentence = "", placed = "" } = props.value || {};
  pill.classList.toggle("ready", ready);
  pill.hidden = !sentence;
  pill.title = placed || sentence;
  say(words, sentence);
  say(why, placed || sentence);
};
watch("value", draw);
draw();
