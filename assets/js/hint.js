// What the button will cost, in a sentence.
const words = h("p", { className: "hint" });
element.replaceChildren(words);
const draw = () => {
  const { sentence = "", wrong = false } = props.value || {};
  words.hidden = !sentence;
  words.classList.toggle("wrong", wrong);
  words.setAttribute("aria-live", wrong ? "polite" : "off"); // a price changes with every touch of a slider
  say(words, sentence);
};
watch("value", draw);
draw();
