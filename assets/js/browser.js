// What this browser keeps for all its tabs; one that stores nothing does without.
const INPUTS = "studio:inputs:";
const MOST_INPUTS = 20;
const orNull = (act) => {
  try {
    return act();
  } catch {
    return null;
  }
};
const browser = {
  // What the inputs held in each project, the one that was changed last at the end.
  memories: () => {
    const names = orNull(() => Object.keys(localStorage)) || [];
    const found = names
      .filter((name) => name.startsWith(INPUTS))
      .map((name) => [name.slice(INPUTS.length), orNull(() => JSON.parse(localStorage.getItem(name))) || {}]);
    return Object.fromEntries(found.sort(([, one], [, other]) => (one.at || 0) - (other.at || 0)));
  },
  // A project has a place of its own, so that no tab writes over what another one keeps.
  remember: (memory) => {
    for (const [project, entry] of Object.entries(memory)) {
      orNull(() => localStorage.setItem(INPUTS + project, JSON.stringify({ ...entry, at: Date.now() })));
    }
    for (const project of Object.keys(browser.memories()).slice(0, -MOST_INPUTS)) {
      localStorage.removeItem(INPUTS + project);
    }
  },
};
