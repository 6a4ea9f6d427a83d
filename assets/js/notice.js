// One sentence about what went wrong and what to do. It stays until it is closed or something works.
const words = h("p");
const close = h("button", { type: "button", className: "quiet square" }, icon("close"));
label(close, "Close this message");
const box = h("div", { className: "notice", role: "alert", hidden: true }, icon("warn"), words, close);
close.addEventListener("click", () => (box.hidden = true));
element.replaceChildren(box);
const tell = ({ sentence = "", note = false }) => {
  say(words, sentence);
  box.classList.toggle("note", note);
  box.hidden = !sentence;
  if (!sentence) return;
  box.scrollIntoView({ block: "nearest", behavior: stillness.matches ? "auto" : "smooth" });
  dispatchEvent(new CustomEvent("studio:notice"));
};
const draw = () => tell(props.value || {});
addEventListener("studio:wrong", (event) => tell(event.detail)); // what the page itself saw
watch("value", draw);
draw();
