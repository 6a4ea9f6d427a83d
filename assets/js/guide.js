// The image that the first chunk begins with, or the one that a chunk is led to.
const picture = h("img", { alt: "" });
const title = h("b");
const note = h("small");
const off = h("button", { type: "button", className: "quiet square" }, icon("close"));
const box = h("div", { className: "guide", hidden: true }, picture, h("span", {}, title, note), off);
element.replaceChildren(box);
off.addEventListener("click", () => trigger("drop"));
const draw = () => {
  const { url = "", last = false, drawn } = props.value || {};
  say(title, last ? "Ends with this image" : "Starts from this image");
  const first = drawn === undefined ? "The first frame of the chunk" : "Drawn from the prompt; remove it for another";
  say(note, last ? "The last frame of the chunk" : first);
  label(off, last ? "Remove the last image" : "Remove the guide image");
  picture.alt = last ? "Last image" : "Guide image";
  box.hidden = !url;
  if (url && picture.getAttribute("src") !== url) picture.src = url;
};
watch("value", draw);
draw();
