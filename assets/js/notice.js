// One sentence about what went wrong and what to do. It stays until it is closed or something works.
const words = h("p");
const close = h("button", { type: "button", className: "quiet square" }, icon("close"));
label(close, "Close this message");
const box = h("div", { className: "notice", role: "alert", hidden: true }, icon("warn"), words, close);
close.addEventListener("click", () => (box.hidden = true));
element.replaceChildren(box);
const draw = () => {
  const { sentence = "", note = false } = props.value || {};
  say(words, sentence);
  box.classList.toggle("note", note);
  box.hidden = !sentence;
  if (!sentence) return;
  box.scrollIntoView({ block: "nearest", behavior: stillness.matches ? "auto" : "smooth" });
  dispatchEvent(new CustomEvent("studio:notice"));
};
watch("value", draw);
draw();
