// What the button will cost, in a sentence.
const words = h("p", { className: "hint" });
element.replaceChildren(words);
const draw = () => {
  const { sentence = "", wrong = false } = props.value || {};
  words.hidden = !sentence;
  words.classList.toggle("wrong", wrong);
  say(words, sentence);
};
watch("value", draw);
draw();
