// On a narrow screen the stage stands below the inputs, so how it goes is told above them.
element.replaceChildren(h("p", { className: "intro", text: HOW }));
