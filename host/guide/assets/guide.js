// The search of the guide: all words of the question have to be in a section; headings count most.
(() => {
  const root = document.currentScript.dataset.root;
  const field = document.getElementById("search");
  const found = document.getElementById("found");
  const pages = document.getElementById("pages");
  let loading;

  const sections = () => (loading ??= fetch(`${root}search.json`).then((answer) => answer.json()));

  const score = (section, words) => {
    const heading = `${section.p} ${section.h}`.toLowerCase();
    const text = section.t.toLowerCase();
    let total = 0;
    for (const word of words) {
      if (heading.includes(word)) total += section.h.toLowerCase().includes(word) ? 10 : 5;
      else if (text.includes(word)) total += 1;
      else return 0;
    }
    return total;
  };

  const excerpt = (text, words) => {
    const at = Math.max(0, Math.min(...words.map((word) => text.toLowerCase().indexOf(word)).filter((at) => at >= 0)) - 40);
    return Number.isFinite(at) ? text.slice(at, at + 140) : text.slice(0, 140);
  };

  const show = (results, words) => {
    found.replaceChildren(...results.map((section) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      const where = document.createElement("small");
      link.href = root + section.u;
      link.textContent = section.h && section.h !== section.p ? `${section.p} › ${section.h}` : section.p;
      where.textContent = excerpt(section.t, words);
      link.append(where);
      item.append(link);
      return item;
    }));
    if (!results.length) {
      const nothing = document.createElement("li");
      nothing.textContent = "Nothing found.";
      found.append(nothing);
    }
  };

  field.addEventListener("input", async () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    found.hidden = !words.length;
    pages.hidden = !!words.length;
    if (!words.length) return;
    const all = (await sections()).map((section) => [score(section, words), section]).filter(([points]) => points);
    all.sort(([one], [other]) => other - one);
    show(all.slice(0, 20).map(([, section]) => section), words);
  });
  field.form.addEventListener("submit", (event) => {
    event.preventDefault();
    found.querySelector("a")?.click();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== field) {
      event.preventDefault();
      field.focus();
    }
  });
})();
