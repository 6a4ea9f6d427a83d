// What is being made: step by step, time left, and the way out.
const words = h("span", { className: "words" });
const left = h("span", { className: "left" });
const stop = h("button", { type: "button", className: "quiet stop" }, icon("stop"), h("span", { text: "Stop" }));
const fill = h("b");
const track = h("div", { className: "track", role: "progressbar" }, fill);
label(track, "Progress");
track.setAttribute("aria-valuemin", "0");
const aloud = h("span", { className: "aloud", role: "status" });
const box = h("section", { className: "job", hidden: true }, h("div", { className: "line" }, h("i", { className: "dot" }), h("span", { className: "what" }, words, left), stop), track);
element.replaceChildren(box, aloud);
stop.addEventListener("click", () => { if (props.value) { stop.disabled = true; trigger("halt", { id: props.value.id }); } });
let told = "";
let seen = "";
const name = document.title;
// Whoever began it further down, as on a phone, is brought to where it is shown.
const bring = () => {
  const stage = document.querySelector("#stage");
  if (stage?.getBoundingClientRect().top < 0) stage.scrollIntoView({ behavior: stillness.matches ? "auto" : "smooth" });
};
const draw = () => {
  const { id = null, message = "", done = 0, total = 0, left: remaining = "", headline = "" } = props.value || {};
  if (id !== seen) {
    if (seen === null) requestAnimationFrame(bring);
    seen = id;
    stop.disabled = false;
  }
  box.hidden = id === null;
  document.body.classList.toggle("working", id !== null);
  if (headline !== told) { told = headline; say(aloud, headline || "The work has ended"); }
  document.title = id === null ? name : `${total ? `${Math.floor((100 * done) / total)} % · ` : ""}${name}`;
  say(words, message);
  say(left, remaining);
  track.classList.toggle("unknown", total === 0);
  track.setAttribute("aria-valuemax", String(total));
  track.setAttribute("aria-valuenow", String(done));
  fill.style.width = total ? `${(100 * done) / total}%` : "";
};
watch("value", draw);
draw();
