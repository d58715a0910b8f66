// Adds a choice above each long table by which column its rows are sorted. Without scripts the page
// is the same less this choice. It is a list, and not a button in each head, so that a keyboard
// passes few things; a click on a head does the same.
const LONG = 4;
const ORIGINAL = "the order of the rows as declared";

// The number a cell begins with; NaN where it has none.
function valueOf(cell) {
  const text = cell.textContent.replaceAll("−", "-").replaceAll(",", "");
  return Number.parseFloat(text);
}

// Name, head and place in a row of each column that has numbers to sort by.
function columnsOf(table, lines) {
  const [upper, lower] = table.tHead.rows;
  const below = lower ? [...lower.cells] : [];
  const all = [...upper.cells].flatMap((head) => {
    const title = head.firstChild.textContent.trim();
    if (head.scope !== "colgroup") return [{ name: title, head }];
    return below.splice(0, head.colSpan).map((cell) => ({ name: `${title}, ${cell.textContent}`, head: cell }));
  });
  return all
    .map((column, place) => ({ ...column, place }))
    .filter(({ place }) => {
      const cells = lines.map(({ row }) => row.cells[place]);
      return cells[0].tagName === "TD" && cells.filter((cell) => !Number.isNaN(valueOf(cell))).length > 1;
    });
}

// Lines in the order of a column's numbers, those without one last; sizes of objects stay together.
function sorted(lines, place, sign) {
  const order = ({ row, size }) => [size, valueOf(row.cells[place])];
  return [...lines].sort((one, other) => {
    const [sizeA, a] = order(one), [sizeB, b] = order(other);
    if (sizeA !== sizeB) return sizeA - sizeB;
    return Number.isNaN(a) - Number.isNaN(b) || sign * (a - b) || one.place - other.place;
  });
}

for (const [number, table] of document.querySelectorAll("table.results:not(.texts, .counts)").entries()) {
  let size = 0;
  const lines = [...(table.tBodies[0]?.rows ?? [])].map((row, place) => {
    size += row.classList.contains("next-size");
    return { row, place, size };
  });
  if (lines.length < LONG) continue;
  const columns = columnsOf(table, lines);
  if (!columns.length) continue;

  const choice = document.createElement("select");
  choice.id = `sort-${number}`;
  choice.append(new Option(ORIGINAL, ""));
  for (const { name, place } of columns)
    for (const [sign, words] of [[-1, "largest first"], [1, "smallest first"]])
      choice.append(new Option(`${name}: ${words}`, `${place} ${sign}`));
  const label = document.createElement("label");
  label.className = "sorting";
  label.append("Sort by ", choice);
  label.htmlFor = choice.id;
  table.closest(".scroll").before(label);

  choice.addEventListener("change", () => {
    const [place, sign] = choice.value.split(" ").map(Number);
    const chosen = choice.value !== "";
    const shown = chosen ? sorted(lines, place, sign) : lines;
    table.tBodies[0].append(...shown.map(({ row }) => row));
    for (const [at, { row, size }] of shown.entries())
      row.classList.toggle("next-size", at > 0 && size !== shown[at - 1].size);
    for (const column of columns)
      if (chosen && column.place === place) column.head.ariaSort = sign < 0 ? "descending" : "ascending";
      else column.head.removeAttribute("aria-sort");
  });
  for (const { head, place } of columns) {
    head.classList.add("sortable");
    head.title = "Sort by this column";
    head.addEventListener("click", () => {
      choice.value = `${place} ${choice.value === `${place} -1` ? 1 : -1}`;
      choice.dispatchEvent(new Event("change"));
    });
  }
}
