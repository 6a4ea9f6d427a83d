// Files that are dropped on the page or pasted are given as by the button; what cannot be taken is told at once.
const KINDS = { upload: ["image", "video"], "upload-end": ["image"] };
const button = (id) => document.getElementById(id);
const tell = (sentence) => dispatchEvent(new CustomEvent("studio:wrong", { detail: { sentence } }));

// Why a file is not sent; empty if it is.
const refusal = (file, id) => {
  const kind = KINDS[id].find((each) => file.type.startsWith(`${each}/`));
  if (!kind) {
    return `“${file.name}” is no image${id === "upload" ? " and no film" : ""} that can be read here. Take a PNG, JPEG or WebP file${id === "upload" ? ", or an mp4 or webm" : ""}.`;
  }
  const most = (props.value || {})[kind];
  const has = file.size / 2 ** 20;
  return most && has > most ? `“${file.name}” has ${Math.ceil(has)} MiB; at most ${most} MiB are taken. Save it smaller.` : "";
};
addEventListener("change", (event) => {
  const id = event.target.type === "file" && event.target.nextElementSibling?.id;
  const [file] = (id in KINDS && event.target.files) || [];
  const sentence = file ? refusal(file, id) : "";
  if (!sentence) return;
  event.stopImmediatePropagation(); // Gradio would send it, or be silent
  event.target.value = "";
  tell(sentence);
}, { capture: true });

// Gradio does not tell that a file is on its way, nor in plain words that it did not arrive.
const sendings = h("div", { className: "sendings", role: "status" });
document.body.append(sendings);
const ask = window.fetch;
const sent = async (file, request) => {
  const line = h("p", {}, h("i"), h("span", { text: `Sending “${file.name}”` }));
  sendings.append(line);
  tell(""); // another try takes away what was told of the last one
  try {
    const answer = await request;
    if (answer.ok) return answer;
    tell(`“${file.name}” was not taken. Try it again, or another file.`);
  } catch {
    tell(`“${file.name}” did not arrive: the connection was lost. Give it again.`);
  } finally {
    line.remove();
  }
  return new Promise(() => {}); // what has been told is not told again in Gradio's words
};
window.fetch = (...asked) => {
  const [to, { body } = {}] = asked;
  const [file] = /\/upload(\?|$)/.test(to) && body instanceof FormData ? body.getAll("files") : [];
  return file ? sent(file, ask(...asked)) : ask(...asked);
};

const give = (files, id) => {
  const input = button(id)?.previousElementSibling;
  if (!input) {
    tell(`The film goes on from its own end. Tick Cut to a new shot to begin from “${files[0].name}”, or start a new project.`);
    return;
  }
  input.files = files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
};
const carries = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
const over = (is) => document.body.classList.toggle("dropping", is);
addEventListener("dragover", (event) => {
  if (!carries(event)) return;
  event.preventDefault(); // a browser would leave the page for the file
  event.dataTransfer.dropEffect = "copy";
  over(true);
});
addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(false); });
addEventListener("drop", (event) => {
  if (!carries(event)) return;
  event.preventDefault();
  over(false);
  const { files } = event.dataTransfer;
  if (files.length) give(files, event.target.closest?.("#upload-end") ? "upload-end" : "upload");
});
addEventListener("paste", (event) => {
  const { files } = event.clipboardData;
  if (!files.length || event.clipboardData.getData("text/plain")) return;
  event.preventDefault();
  give(files, "upload");
});
