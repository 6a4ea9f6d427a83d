// The image that the first chunk begins with.
const picture = h("img", { alt: "Guide image" });
const off = h("button", { type: "button", className: "quiet square" }, icon("close"));
label(off, "Remove the guide image");
const box = h("div", { className: "guide", hidden: true }, picture, h("span", {}, h("b", { text: "Starts from this image" }), h("small", { text: "The first frame of the chunk" })), off);
element.replaceChildren(box);
off.addEventListener("click", () => trigger("drop"));
const draw = () => {
  const { url = "" } = props.value || {};
  box.hidden = !url;
  if (url && picture.getAttribute("src") !== url) picture.src = url;
};
watch("value", draw);
draw();
