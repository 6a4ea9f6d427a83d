// The open project lives in the address, so that a reload or a bookmark comes back to it. So does what was
// typed for it and not yet used.
const draft = (project) => `studio:draft:${project}`;
const write = (text) => {
  const box = document.querySelector("#prompt textarea");
  if (!box || box.value === text) return;
  box.value = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
};
const addressed = () => new URL(location.href).searchParams.get("project") || "";
let was = null;
let newest = { turn: 0 };
let here = addressed(); // whose words stand in the box: Back changes the address before the page follows
let gone = null; // a project that was deleted is nowhere to come back to

// Back and Forward open the project of the address. Whoever presses twice is brought to the last one only after
// the answer to the first, as the page does one thing at a time.
let going = null;
let asked = null;
const go = () => {
  const to = (asked = going);
  setTimeout(() => { if (asked === to) asked = null; }, 5000);
  dispatchEvent(new CustomEvent("studio:go", { detail: { id: to } }));
};
addEventListener("popstate", () => {
  going = addressed();
  if (asked === null) go();
});
addEventListener("studio:gone", (event) => (gone = event.detail.id));
const follow = (stepped) => {
  if (!stepped || asked === null) return;
  const again = asked !== going;
  asked = null;
  if (again) go();
};
const tell = (project, isNew) => {
  if (addressed() === project) return;
  const address = new URL(location.href);
  if (project) address.searchParams.set("project", project);
  else address.searchParams.delete("project");
  if (isNew) history.pushState(history.state, "", address);
  else history.replaceState(history.state, "", address);
};
const draw = () => {
  const { project = "", head = "", turn = 0, left, moved = false, begun = false, arrived = false } = props.value || {};
  // An answer to a question from before the person's last step: stay where they are, and draw it all again.
  const elsewhere = !moved && turn === newest.turn && turn > 0 && project !== (newest.project || "");
  if (turn < newest.turn || elsewhere) {
    const { guide, ending } = newest.stamps || {}; // images that were given before the page was drawn
    props.value = { ...newest, stamps: arrived ? { guide, ending } : {} };
    return;
  }
  const stepped = moved && turn > newest.turn;
  newest = props.value || newest;
  const before = here;
  if (was && was.project === project && (was.head !== head || was.arrived) && left !== undefined) {
    if (left) sessionStorage.setItem(draft(project), left);
    else sessionStorage.removeItem(draft(project));
  }
  if (was || project) was = { project, head, arrived };
  const led = asked !== null;
  follow(stepped);
  if (before === project) return;
  here = project;
  const typed = sessionStorage.getItem(draft(before));
  const kept = sessionStorage.getItem(draft(project));
  const taken = begun && typed && kept === null;
  if (taken) {
    sessionStorage.setItem(draft(project), typed);
    sessionStorage.removeItem(draft(""));
  }
  if (begun) trigger("begun"); // what the inputs hold is kept for the new project, too
  if (!led || asked === null) tell(project, moved && !arrived && !led && before !== gone);
  if (!taken) write(kept || "");
};
watch("value", draw);
