"use strict";

// Sorting: a button in each sortable header; what is missing stays last.
for (const table of document.querySelectorAll("table.sortable")) sortable(table);

function sortable(table) {
  const headers = [...table.querySelectorAll("th[aria-sort]")];
  for (const header of headers) {
    header.querySelector("button").addEventListener("click", () => sort(table, headers, header));
  }
}

function sort(table, headers, header) {
  const descending = header.getAttribute("aria-sort") === "ascending";
  for (const other of headers) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  // The name's header may span two rows, so that order in the document is order of columns.
  const column = headers.indexOf(header);
  const body = table.querySelector("tbody.methods");
  const rows = [...body.rows].map((row) => ({ row, key: key(row.cells[column]) }));
  rows.sort((one, other) => {
    if (one.key === null || other.key === null) return (one.key === null) - (other.key === null);
    const order =
      typeof one.key === "number" && typeof other.key === "number"
        ? one.key - other.key
        : String(one.key).localeCompare(String(other.key), undefined, { numeric: true });
    return descending ? -order : order;
  });
  body.append(...rows.map(({ row }) => row));
}

function key(cell) {
  if (cell.dataset.sort !== undefined) return Number(cell.dataset.sort);
  const text = cell.textContent.trim();
  return text.startsWith("—") ? null : text;
}

// Print everything: what is folded opens for the printer and folds again after it.
const folded = new Set();

function unfold() {
  for (const details of document.querySelectorAll("details:not([open])")) {
    folded.add(details);
    details.open = true;
  }
}

function fold() {
  for (const details of folded) details.open = false;
  folded.clear();
}

window.addEventListener("beforeprint", unfold);
window.addEventListener("afterprint", fold);
matchMedia("print").addEventListener("change", (event) => (event.matches ? unfold() : fold()));
